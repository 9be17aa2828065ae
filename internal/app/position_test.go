package app_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"billstream/internal/topics"
)

// exchange sends a request to the data listener, with headers as names and
// values in turn.
func (p *process) exchange(method, path, body string, headers ...string) (*http.Response, string, error) {
	r, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+p.app.Addresses().Data+path, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer, string(text), err
}

// Whatever becomes of an event, its position is reached: with nothing but the
// rows of customers those that write none would be waited for until the end.
func TestAPositionIsReachedWhateverBecameOfTheEvent(t *testing.T) {
	t.Parallel()
	p := start(t, config(t.TempDir()))
	first := event("1", "registered", "c-1001", past, `{"name":"Acme"}`)
	posted, body, err := p.exchange(http.MethodPost, "/v1/events", first, "Content-Type", "application/cloudevents+json")
	if err != nil || posted.StatusCode != http.StatusAccepted {
		t.Fatalf("event is answered %s, %v, want 202", body, err)
	}
	p.wantReached("updated", posted.Header.Get("Billing-Position"), 1)
	for _, c := range []struct{ outcome, event string }{
		{"unchanged", event("2", "renamed", "c-1001", "2026-01-03T00:00:00Z", `{"name":"Acme"}`)},
		{"duplicate", first},
		{"ignored", event("3", "waved", "c-1001", past, `{}`)},
		{"dead_letter", event("4", "renamed", "c-1001", past, `[1]`)},
		{"updated", event("5", "renamed", "c-1001", "2026-01-04T00:00:00Z", `{"name":"Acme Holding"}`)},
	} {
		before := p.metric("billstream_records_processed_total")[c.outcome]
		r := record("c-1001", c.event)
		p.produce(false, r)
		p.wantReached(c.outcome, fmt.Sprintf("%s/%d@%d", topics.CustomerEvents, r.Partition, r.Offset), before+1)
	}
	if body := p.wantReached("updated", "customer.events/0@-1", 2); !strings.Contains(body, `"seq":2`) {
		t.Errorf("account is %s, want seq 2", body)
	}
}

// wantReached looks the customer up at the position, and checks what became of
// the record that stands there.
func (p *process) wantReached(outcome, position string, records float64) string {
	p.t.Helper()
	began := time.Now()
	answer, body, err := p.exchange(http.MethodGet, "/v1/accounts/c-1001", "", "Billing-Min-Position", position, "Prefer", "wait=30")
	if err != nil {
		p.t.Fatal(err)
	}
	if took := time.Since(began); took > 25*time.Second {
		p.t.Errorf("lookup behind a record that was %s took %s, want it woken by the position and not by the end of its wait", outcome, took)
	}
	if got := answer.Header.Get("Billing-Position"); answer.StatusCode != http.StatusOK || got != position && !strings.HasSuffix(position, "@-1") {
		p.t.Fatalf("lookup behind a record that was %s is %d at %q, want 200 at %q: %s", outcome, answer.StatusCode, got, position, body)
	}
	p.caughtUp()
	if got := p.metric("billstream_records_processed_total")[outcome]; got != records {
		p.t.Errorf("records that were %s is %v, want %v", outcome, got, records)
	}
	return body
}

// Who waits must not keep the listener, which waits for its requests, from
// closing.
func TestAStopSendsAwayWhoWaitsForAPosition(t *testing.T) {
	t.Parallel()
	p := start(t, config(t.TempDir()))
	type outcome struct {
		code int
		body string
		err  error
	}
	answered := make(chan outcome, 1)
	go func() {
		var o outcome
		var answer *http.Response
		answer, o.body, o.err = p.exchange(http.MethodGet, "/v1/accounts", "", "Billing-Min-Position", "customer.events/0@1000000", "Prefer", "wait=30")
		if o.err == nil {
			o.code = answer.StatusCode
		}
		answered <- o
	}()
	for p.inWork("data") == 0 {
		<-time.After(time.Millisecond)
	}
	began := time.Now()
	if err := p.stop(); err != nil {
		t.Errorf("process ended with %v, want a clean stop", err)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("stop took %s, want it not to wait for those that wait", took)
	}
	if a := <-answered; a.code != http.StatusServiceUnavailable || !strings.Contains(a.body, `"code":"draining"`) {
		t.Errorf("answer is %d %s, %v, want 503 draining", a.code, a.body, a.err)
	}
}

// inWork returns how many requests a listener works on.
func (p *process) inWork(listener string) float64 {
	p.t.Helper()
	for _, m := range p.families()["billstream_http_requests_in_flight"].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetValue() == listener {
				return m.GetGauge().GetValue()
			}
		}
	}
	p.t.Fatalf("listener %s has no series, want one", listener)
	return 0
}
