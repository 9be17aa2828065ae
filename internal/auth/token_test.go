package auth_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"billstream/internal/auth"
	"billstream/internal/auth/authtest"
)

// issuer gives tokens, as long as it is well.
type issuer struct {
	mu     sync.Mutex
	asked  []string // forms and credentials
	answer func(w http.ResponseWriter, n int)
}

// ServeHTTP notes what was asked for.
func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	user, secret, _ := r.BasicAuth()
	_ = r.ParseForm()
	i.asked = append(i.asked, fmt.Sprintf("%s %s:%s %s %s", r.Method, user, secret, r.Form.Get("grant_type"), r.Form.Get("scope")))
	i.answer(w, len(i.asked))
}

func (i *issuer) requests() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return strings.Join(i.asked, "\n")
}

func (i *issuer) become(answer func(w http.ResponseWriter, n int)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = answer
}

func well(w http.ResponseWriter, n int) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"bearer","expires_in":1000}`, n)
}

func ill(w http.ResponseWriter, _ int) {
	http.Error(w, "no token for you, open-sesame", http.StatusServiceUnavailable)
}

// issuing starts an issuer, and an Auth that uses it at the time that now says.
func issuing(t *testing.T, now func() time.Time) (*issuer, *auth.Auth, string, *bytes.Buffer) {
	t.Helper()
	i := &issuer{answer: well}
	s := httptest.NewTLSServer(i)
	t.Cleanup(s.Close)
	dir, log := t.TempDir(), new(bytes.Buffer)
	secret := authtest.File(t, dir, "secret", []byte("open-sesame\n"))
	a := open(t, auth.Config{
		TLS:    true,
		CAFile: authtest.File(t, dir, "ca", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})),
		User:   "job", PasswordFile: secret, Mechanism: auth.OAuth,
		TokenURL: s.URL + "/token", Scope: "kafka billing",
		Now: now, Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	return i, a, secret, log
}

func TestATokenIsKeptForMostOfItsLife(t *testing.T) {
	begin := time.Now()
	now := begin
	i, a, secret, log := issuing(t, func() time.Time { return now })
	see := func(after time.Duration, want string) {
		t.Helper()
		now = begin.Add(after)
		if got, err := a.Token(t.Context()); err != nil || got != want {
			t.Errorf("after %v the token is %q (%v), want %q", after, got, err, want)
		}
	}
	see(0, "token-1")
	see(790*time.Second, "token-1")
	replace(t, secret, []byte("new-sesame"))
	see(801*time.Second, "token-2")
	i.become(ill)
	see(1700*time.Second, "token-2")
	see(1702*time.Second, "token-2") // not asked again so soon
	i.become(well)
	see(1706*time.Second, "token-4")
	i.become(ill)
	now = begin.Add(3000 * time.Second)
	_, err := a.Token(t.Context())
	if want := "token is not given, answer has status 503, want 200"; err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	want := `POST job:open-sesame client_credentials kafka billing
POST job:new-sesame client_credentials kafka billing
POST job:new-sesame client_credentials kafka billing
POST job:new-sesame client_credentials kafka billing
POST job:new-sesame client_credentials kafka billing`
	if got := i.requests(); got != want {
		t.Errorf("requests are\n%s\nwant\n%s", got, want)
	}
	if text := log.String(); strings.Contains(text, "sesame") || !strings.Contains(text, "token not fetched, the last one stays") {
		t.Errorf("log is %s, want word of the failure and no secret", text)
	}
}

func TestAnIssuersTextIsNotRepeated(t *testing.T) {
	i, a, _, _ := issuing(t, time.Now)
	for _, tt := range []struct {
		name   string
		answer func(http.ResponseWriter, int)
		want   string
	}{
		{"a known code", func(w http.ResponseWriter, _ int) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client","error_description":"open-sesame"}`)
		}, "token is not given, answer is invalid_client, want a token"},
		{"another code", func(w http.ResponseWriter, _ int) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"open-sesame"}`)
		}, "token is not given, answer has status 400, want 200"},
		{"no token", func(w http.ResponseWriter, _ int) { fmt.Fprint(w, "open-sesame") }, "token is not given, answer is not one of RFC 6749, want a token"},
		{"a way elsewhere", func(w http.ResponseWriter, _ int) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, "token is not given, answer has status 307, want 200"},
	} {
		i.become(tt.answer)
		if _, err := a.Token(t.Context()); err == nil || err.Error() != tt.want {
			t.Errorf("%s: error is %v, want %s", tt.name, err, tt.want)
		}
	}
	if n := strings.Count(i.requests(), "\n"); n > 8 {
		t.Errorf("requests are\n%s\nwant no redirect followed", i.requests())
	}
}

func TestATokenFromAFileIsReadEachTime(t *testing.T) {
	path := authtest.File(t, t.TempDir(), "token", []byte("one\n"))
	a := open(t, auth.Config{TLS: true, Mechanism: auth.OAuth, TokenFile: path})
	for _, want := range []string{"one", "two"} {
		replace(t, path, []byte(want))
		if got, err := a.Token(context.Background()); err != nil || got != want {
			t.Errorf("token is %q (%v), want %q", got, err, want)
		}
	}
}
