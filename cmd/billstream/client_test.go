package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// server answers every request with one answer and remembers what it was asked.
type server struct {
	code    int
	header  http.Header
	body    string
	asked   *http.Request
	escaped string // the path as it came
}

func (s *server) start(t *testing.T) string {
	t.Helper()
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked, s.escaped = r, r.RequestURI
		for k, v := range s.header {
			w.Header()[k] = v
		}
		w.WriteHeader(s.code)
		io.WriteString(w, s.body)
	}))
	t.Cleanup(h.Close)
	return h.URL
}

// perform runs the program in this process.
func perform(args ...string) (code int, stdout, stderr string) {
	var out, err strings.Builder
	code = run(args, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

const account = `{"customer_id":"c-1001","status":"active","seq":5,"registered_at":"2026-03-01T09:00:00Z","closed_at":null,"erased_at":null,"updated_at":"2026-04-01T00:00:00.6Z","name":"Acme` + "\u202e" + ` GmbH","billing_address":{"line1":"Torstrasse 5","city":"Berlin","postal_code":"10119","country":"DE"},"shipping_address":null,"contact":{"email":"ap@acme.example","locale":"de-DE","time_zone":"Europe/Berlin"},"tax":{"tax_ids":[{"type":"eu_vat","value":"DE123456789"}],"exempt":"none"},"payment_method":null,"plan":{"code":"pro","amount_minor":5900,"currency":"EUR","interval":"month"},"scheduled":[{"facet":"plan","effective_from":"2026-05-01T00:00:00Z","new":null}],"warnings":[{"code":"subdivision_missing","facet":"address.billing","field":"subdivision"}]}`

func TestGetPrintsWhatIsSetAsATable(t *testing.T) {
	s := &server{code: 200, body: account, header: http.Header{"Billing-Position": {"customer.events/3@152"}}}
	code, out, _ := perform("get", "c-1001", "--server", s.start(t))
	want := `customer         c-1001
status           active
seq              5
registered       2026-03-01T09:00:00Z
updated          2026-04-01T00:00:00.6Z
name             Acme` + "\ufffd" + ` GmbH
billing address  Torstrasse 5, 10119 Berlin, DE
contact          ap@acme.example, de-DE, Europe/Berlin
tax              eu_vat DE123456789, exempt: none
plan             pro, 5900 EUR (minor units) a month
scheduled        plan from 2026-05-01T00:00:00Z: null
warning          subdivision_missing address.billing subdivision
position         customer.events/3@152
`
	if code != 0 || out != want {
		t.Errorf("exit code %d, output\n%s\nwant\n%s", code, out, want)
	}
}

func TestJSONIsTheBytesOfTheServer(t *testing.T) {
	s := &server{code: 200, body: account}
	code, out, _ := perform("get", "c-1001", "-o", "json", "--server", s.start(t))
	if code != 0 || out != account+"\n" {
		t.Errorf("exit code %d, output %q, want the server's bytes", code, out)
	}
}

func TestGetAsksForTheAccount(t *testing.T) {
	s := &server{code: 200, body: account}
	perform("get", "a/b c", "--server", s.start(t)+"/")
	if s.escaped != "/v1/accounts/a%2Fb%20c" {
		t.Errorf("asked for %s, want /v1/accounts/a%%2Fb%%20c", s.escaped)
	}
}

func TestGetAndListAskForAPosition(t *testing.T) {
	for _, args := range [][]string{{"get", "c-1001"}, {"list"}} {
		s := &server{code: 200, body: account}
		at := "customer.events/3@188\ncustomer.events/4@2,customer.events/5@-1\n"
		code, _, _ := perform(append(args, "--min-position", at, "--wait", "1500ms", "--server", s.start(t))...)
		if got, want := s.asked.Header.Get("Billing-Min-Position"), "customer.events/3@188, customer.events/4@2, customer.events/5@-1"; code != 0 || got != want {
			t.Errorf("%s asks for position %q with exit code %d, want %q and 0", args[0], got, code, want)
		}
		if got := s.asked.Header.Get("Prefer"); got != "wait=2" {
			t.Errorf("%s prefers %q, want wait=2: whole seconds, and none less than asked for", args[0], got)
		}
	}
}

func TestWithoutAPositionNoneIsAskedFor(t *testing.T) {
	s := &server{code: 200, body: account}
	perform("get", "c-1001", "--server", s.start(t))
	if got := s.asked.Header; got.Get("Billing-Min-Position") != "" || got.Get("Prefer") != "" {
		t.Errorf("get asks with %v, want neither position nor preference", got)
	}
}

func TestIdsOfDotsAloneStayIds(t *testing.T) {
	for id, want := range map[string]string{"..": "%2E%2E", ".": "%2E", "a..": "a..", "é?": "%C3%A9%3F"} {
		if got := escapeID(id); got != want {
			t.Errorf("escapeID(%q) is %q, want %q", id, got, want)
		}
	}
}

func TestAProblemIsToldOnStderrWithExitCode1(t *testing.T) {
	s := &server{code: 503, body: `{"type":"/problems/recovering","title":"The view is recovering","status":503,"code":"recovering","detail":"12 records are left"}`}
	code, out, stderr := perform("get", "c-1001", "--server", s.start(t))
	want := "billstream: error: The view is recovering: 12 records are left\nbillstream: hint: wait until it is ready: billstream health --wait 60s\n"
	if code != 1 || out != "" || stderr != want {
		t.Errorf("exit code %d, output %q, error %q, want 1, none, %q", code, out, stderr, want)
	}
}

func TestAnAnswerFromSomethingElseIsAnError(t *testing.T) {
	s := &server{code: 302, body: "<html>", header: http.Header{"Location": {"/login"}}}
	code, _, stderr := perform("list", "--server", s.start(t))
	if code != 1 || !strings.Contains(stderr, "status is 302, want 200") {
		t.Errorf("exit code %d, error %q, want 1 and the status", code, stderr)
	}
}

func TestErrorsOfTheNetworkDoNotNameTheCustomer(t *testing.T) {
	addr, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	code, _, stderr := perform("get", "secret-customer", "--server", "http://"+addr)
	if code != 1 || strings.Contains(stderr, "secret") || !strings.Contains(stderr, "connection refused") {
		t.Errorf("exit code %d, error %q, want 1 and the reason without the id", code, stderr)
	}
}

func TestAWrongCallIsUsage(t *testing.T) {
	for _, args := range [][]string{
		{"get", "a", "--server", "127.0.0.1:8080"},
		{"get", "a", "--server", "ftp://127.0.0.1"},
		{"get", "a", "--wait", "31s"},
		{"list", "--wait=-1s"},
		{"list", "--status", "asleep"},
		{"health", "--admin", "nowhere"},
		{"emit", "x", "--rate=-1"},
		{"emit", "no-such-file"},
	} {
		if code, _, stderr := perform(args...); code != exitUsage || stderr == "" {
			t.Errorf("%v: exit code %d, error %q, want 2 and a reason", args, code, stderr)
		}
	}
}

func TestListPrintsAPageAndTheNextCursor(t *testing.T) {
	s := &server{code: 200, body: `{"accounts":[` + strings.ReplaceAll(account, "\u202e", "") + `,{"customer_id":"c-2","status":"closed","seq":3,"updated_at":"2026-04-02T00:00:00Z","name":null}],"next_cursor":"AUq3vR"}`}
	code, out, stderr := perform("list", "--limit", "2", "--cursor", "AA", "--status", "active,closed", "--server", s.start(t))
	want := `CUSTOMER  STATUS  SEQ  COUNTRY  PLAN  UPDATED                 NAME
c-1001    active  5    DE       pro   2026-04-01T00:00:00.6Z  Acme GmbH
c-2       closed  3                   2026-04-02T00:00:00Z
`
	if code != 0 || out != want || stderr != "more: --cursor AUq3vR\n" {
		t.Errorf("exit code %d, output\n%s\nerror %q, want\n%s", code, out, stderr, want)
	}
	if got := s.asked.URL.Query(); got.Encode() != (url.Values{"limit": {"2"}, "cursor": {"AA"}, "status": {"active,closed"}}).Encode() {
		t.Errorf("asked with %v, want limit, cursor and status", got)
	}
}

func TestHealthSaysWhyNot(t *testing.T) {
	s := &server{code: 503, body: `{"ready":false,"state":"recovering","checks":[{"name":"recovery","ok":false,"since":"2026-11-22T14:00:00Z","detail":"7 of 10 partitions running"}]}`}
	at := s.start(t)
	code, out, stderr := perform("health", "--admin", at, "--verbose")
	want := "not ready  recovering\nrecovery   failing  7 of 10 partitions running\n"
	if code != 1 || out != want || stderr != "" {
		t.Errorf("exit code %d, output %q, error %q, want 1, %q", code, out, stderr, want)
	}
	if s.escaped != "/readyz?verbose=" {
		t.Errorf("asked for %s, want /readyz?verbose=", s.escaped)
	}
	code, out, _ = perform("health", "--admin", at, "--live", "-o", "json")
	if code != 1 || out != s.body+"\n" || s.escaped != "/livez" {
		t.Errorf("exit code %d, output %q of %s, want 1 and the bytes of /livez", code, out, s.escaped)
	}
}

func TestHealthWaits(t *testing.T) {
	turn := 0
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if turn++; turn < 3 {
			w.WriteHeader(503)
		}
		io.WriteString(w, `{"ready":true,"state":"running"}`)
	}))
	t.Cleanup(h.Close)
	if code, out, _ := perform("health", "--admin", h.URL, "--wait", "60s"); code != 0 || out != "ready  running\n" || turn != 3 {
		t.Errorf("exit code %d, output %q after %d answers, want 0, ready, 3", code, out, turn)
	}
}

func TestHealthStopsWaitingWhenItIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopped"))
	h := &healthCommand{Admin: "http://127.0.0.1:1", Wait: time.Hour}
	if err := h.Run(ctx, &program{stdout: io.Discard, stderr: newScreen(io.Discard)}); err == nil {
		t.Error("error is nil, want one: nobody answered")
	}
}
