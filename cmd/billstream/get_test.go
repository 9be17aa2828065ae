package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const batchBody = `{"accounts":[` +
	`{"customer_id":"c-1","account":{"customer_id":"c-1","status":"active","seq":5,"updated_at":"2026-04-01T00:00:00Z"}},` +
	`{"customer_id":"nobody","problem":{"type":"/problems/unknown-account","status":404}},` +
	`{"customer_id":"gone","problem":{"type":"/problems/erased","status":410,"erased_at":"2026-12-01T10:00:00Z"}},` +
	`{"customer_id":"later","problem":{"type":"/problems/recovering","status":503,"remaining_records":0}},` +
	`{"customer_id":"broken` + "\u202e" + `","problem":{"type":"/problems/internal","status":500,"request_id":"ABC"}}]}`

func TestSeveralAccountsAreATableEach(t *testing.T) {
	s := &server{code: 200, body: batchBody, header: http.Header{"Billing-Position": {"customer.events/0@7, customer.events/1@-1"}}}
	code, out, stderr := perform("get", "c-1", "nobody", "gone", "later", "broken", "--server", s.start(t))
	want := `customer  c-1
status    active
seq       5
updated   2026-04-01T00:00:00Z

customer  nobody
problem   unknown-account

customer  gone
problem   erased
erased    2026-12-01T10:00:00Z

customer      later
problem       recovering
records left  0

customer    broken` + "\ufffd" + `
problem     internal
request id  ABC

position  customer.events/0@7
position  customer.events/1@-1
`
	if code != 1 || out != want || stderr != "billstream: error: 4 of 5 ids have no account to show\n" {
		t.Errorf("exit code %d, error %q, output\n%s\nwant 1, and\n%s", code, stderr, out, want)
	}
}

func TestSeveralAccountsAsJSONAreTheBytesOfTheServer(t *testing.T) {
	for body, want := range map[string]int{
		batchBody: 1,
		`{"accounts":[{"customer_id":"a","account":{"customer_id":"a"}},{"customer_id":"b","account":{"customer_id":"b"}}]}`: 0,
	} {
		s := &server{code: 200, body: body}
		code, out, _ := perform("get", "a", "b", "-o", "json", "--server", s.start(t))
		if code != want || out != body+"\n" {
			t.Errorf("exit code %d, output %q, want %d and the server's bytes", code, out, want)
		}
	}
}

func TestSeveralAccountsAreAskedForWithOneRequest(t *testing.T) {
	var asked []string
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		asked = append(asked, strings.Join([]string{
			r.Method, r.RequestURI, r.Header.Get("Content-Type"), r.Header.Get("Billing-Min-Position"), r.Header.Get("Prefer"), string(body),
		}, " "))
		io.WriteString(w, `{"accounts":[]}`)
	}))
	t.Cleanup(h.Close)
	code, _, stderr := perform("get", "a/b", "<&>", "..", "--min-position", "customer.events/3@188", "--wait", "2s", "--server", h.URL+"/")
	want := `POST /v1/accounts:batchGet application/json customer.events/3@188 wait=2 {"ids":["a/b","\u003c\u0026\u003e",".."]}`
	if code != 0 || len(asked) != 1 || asked[0] != want {
		t.Errorf("exit code %d, error %q, asked %q, want 0 and %s", code, stderr, asked, want)
	}
}

func TestProblemsOfTheWholeRequestAreTold(t *testing.T) {
	s := &server{code: 503, body: `{"title":"The view is behind","status":503,"code":"view-behind"}`}
	code, out, stderr := perform("get", "a", "b", "--server", s.start(t))
	if want := "billstream: error: The view is behind\nbillstream: hint: allow more time with --wait, at most 30s\n"; code != 1 || out != "" || stderr != want {
		t.Errorf("exit code %d, output %q, error %q, want 1, none, %q", code, out, stderr, want)
	}
	code, _, stderr = perform("get", "a", "b", "--server", "here")
	if code != 2 || !strings.Contains(stderr, `server is "here", want a URL`) {
		t.Errorf("exit code %d, error %q, want 2 and what a server is", code, stderr)
	}
}
