//go:build apache

package app_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"billstream/codecs"
	"billstream/internal/app"
	"billstream/internal/auth"
	"billstream/internal/auth/authtest"
	"billstream/internal/kafka"
	"billstream/internal/topics"
	"billstream/internal/verify"
)

// TestLoginsOnARealKafka tries how processes connect, on one broker.
func TestLoginsOnARealKafka(t *testing.T) {
	f := newFortress(t)
	t.Run("every one runs the job", f.everyLogin)
	t.Run("a changed password is waited for", f.changedPassword)
	t.Run("one that is refused at the start ends it", f.refusedLogin)
}

// everyLogin runs the process, the emitter and the checker through every kind of
// connection.
func (f *fortress) everyLogin(t *testing.T) {
	dir := t.TempDir()
	pair := f.ca.Issue("billing")
	token := authtest.File(t, dir, "token", []byte(authtest.Token("billing", time.Hour)))
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, secret, _ := r.BasicAuth()
		if user != "billing" || secret != "open-sesame" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"bearer","expires_in":12}`, authtest.Token(user, 12*time.Second))
	}))
	t.Cleanup(issuer.Close)
	for i, tt := range []struct {
		name, listener, principal string
		c                         auth.Config
	}{
		{"TLS", "TLS", "User:ANONYMOUS", auth.Config{TLS: true, CAFile: f.caFile}},
		{"mutual TLS", "MUTUAL", "User:CN=billing", auth.Config{
			TLS: true, CAFile: f.caFile,
			CertFile: authtest.File(t, dir, "cert.pem", pair.Cert), KeyFile: authtest.File(t, dir, "key.pem", pair.Key),
		}},
		{"SCRAM", "SCRAM", "User:billing", f.scram(t, "billing")},
		{"a token from a file", "OAUTH", "User:billing", auth.Config{TLS: true, CAFile: f.caFile, Mechanism: auth.OAuth, TokenFile: token}},
		{"a token for credentials", "OAUTH", "User:billing", auth.Config{
			TLS: true, CAFile: f.caFile, Mechanism: auth.OAuth, TokenURL: issuer.URL, User: "billing", Password: "open-sesame",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.guard.t = t
			if tt.principal != "User:ANONYMOUS" {
				rights := append(topics.ACLs(topics.Processor, topics.Verifier), topics.ACLs(topics.Operator)...)
				f.give(tt.principal, rights...)
			}
			said := &words{also: t.Output()}
			c := f.process(t, tt.listener, tt.c)
			p := begin(t, c, said)
			p.getsReady(40 * time.Second)
			f.worksFor(t, p, c, fmt.Sprintf("c-%d", i), 2*sessions)
			if err := p.stop(); err != nil {
				t.Errorf("process ended with %v, want a clean stop", err)
			}
			r, err := verify.Run(t.Context(), verify.Config{Brokers: c.Brokers, Auth: f.open(t, c.Auth)})
			if err != nil || r.Exit() != verify.ExitGood {
				t.Errorf("verdict is %+v (%v), want a good one", r, err)
			}
			if text := said.String(); strings.Contains(text, "sesame") || strings.Contains(text, "level=WARN msg=\"session ended\"") {
				t.Errorf("log is %s, want no secret and no session lost", text)
			}
		})
	}
}

// worksFor sends events through the process's own login until a while has
// passed, which is longer than a login lasts, and sees each of them processed.
func (f *fortress) worksFor(t *testing.T, p *process, c app.Config, id string, while time.Duration) {
	t.Helper()
	events, err := app.OpenEvents(t.Context(), c.Brokers, f.open(t, c.Auth), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	began := time.Now()
	for i := 0; i == 0 || c.Auth.Mechanism != "" && time.Since(began) < while; i++ {
		name := fmt.Sprintf("name %d", i)
		emit(t, events, id, name)
		p.knows(id, name, 10*time.Second)
		select {
		case <-p.ended:
		case <-time.After(500 * time.Millisecond): // between two events, whatever is waited for
		}
	}
}

// emit sends one event and waits for its acknowledgement.
func emit(t *testing.T, events *app.Events, id, name string) {
	t.Helper()
	r := renamed(t, id, name)
	acked := make(chan error, 1)
	err := events.Send(t.Context(), codecs.Record{Partition: -1, Key: r.Key, Value: r.Value}, func(_ string, err error) { acked <- err })
	if err == nil {
		err = <-acked
	}
	if err != nil {
		t.Fatalf("send an event: %v", err)
	}
}

// A password that is changed on the broker, and then in the file, costs the
// time in between and nothing more.
func (f *fortress) changedPassword(t *testing.T) {
	f.guard.t = t
	c := f.process(t, "SCRAM", f.scram(t, "changing"))
	f.give("User:changing", topics.ACLs(topics.Processor)...)
	said := &words{also: t.Output()}
	p := begin(t, c, said)
	p.getsReady(40 * time.Second)
	f.send(renamed(t, "c-changing", "before"))
	p.knows("c-changing", "before", 10*time.Second)

	f.password(t, "changing", "new-sesame")
	p.losesReady("", 60*time.Second)
	f.send(renamed(t, "c-changing", "after"))
	began := time.Now()
	write(t, c.Auth.PasswordFile, "new-sesame\n")
	p.knows("c-changing", "after", 30*time.Second)
	p.getsReady(30*time.Second - time.Since(began))
	if text := said.String(); strings.Contains(text, "sesame") {
		t.Errorf("log is %s, want no password in it", text)
	}
	if lines := strings.Count(said.String(), "level=WARN") + strings.Count(said.String(), "level=ERROR"); lines > 60 {
		t.Errorf("warnings and errors are %d, want at most one a second", lines)
	}
	if err := p.stop(); err != nil {
		t.Errorf("process ended with %v, want a clean stop", err)
	}
}

// A login that brokers refuse at the start is waited for like a broker, and ends
// the start with a sentence.
func (f *fortress) refusedLogin(t *testing.T) {
	good := f.scram(t, "billing")
	for name, change := range map[string]func(*auth.Config){
		"another password": func(c *auth.Config) { c.PasswordFile, c.Password = "", "shut-sesame" },
		"another user":     func(c *auth.Config) { c.User = "nobody" },
	} {
		bad := good
		change(&bad)
		c := f.process(t, "SCRAM", bad)
		c.BrokerWait = time.Second
		p := begin(t, c, t.Output())
		<-p.ended
		err := p.result()
		l, ok := errors.AsType[*kafka.LoginError](err)
		if !ok || strings.Contains(err.Error(), "sesame") || errors.Is(err, app.ErrConfig) {
			t.Errorf("%s: error is %v, want a *kafka.LoginError of no class, without the password", name, err)
			continue
		}
		t.Logf("%s: %v (%s)", name, l, l.Hint())
	}
}
