package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Who sends an event and asks with the position of the answer reads it at the
// first try, from the account and from the list.
func TestWritersReadWhatTheyWrote(t *testing.T) {
	t.Parallel()
	p := start(t, config(t.TempDir()))
	var writers sync.WaitGroup
	for writer := range 4 {
		writers.Go(func() {
			for n := range 6 {
				if err := p.writeAndRead(fmt.Sprintf("c-%d", writer), n); err != nil {
					t.Errorf("writer %d: %v", writer, err)
					return
				}
			}
		})
	}
	writers.Wait()
}

// writeAndRead sends event n of a customer, and expects update n+1 at once.
func (p *process) writeAndRead(id string, n int) error {
	kind := "renamed"
	if n == 0 {
		kind = "registered"
	}
	e := event(fmt.Sprintf("%s.%d", id, n), kind, id, fmt.Sprintf("2026-01-%02dT00:00:00Z", n+1), fmt.Sprintf(`{"name":"name %d"}`, n))
	posted, body, err := p.exchange(http.MethodPost, "/v1/events", e, "Content-Type", "application/cloudevents+json")
	if err != nil || posted.StatusCode != http.StatusAccepted {
		return fmt.Errorf("event is answered %s (%v), want 202", body, err)
	}
	at := posted.Header.Get("Billing-Position")
	want := fmt.Sprintf(`{"customer_id":%q,"status":"active","seq":%d,`, id, n+1)
	for _, path := range []string{"/v1/accounts/" + id, "/v1/accounts"} {
		read, body, err := p.exchange(http.MethodGet, path, "", "Billing-Min-Position", at, "Prefer", "wait=30")
		if err != nil || read.StatusCode != http.StatusOK || !strings.Contains(body, want) {
			return fmt.Errorf("answer at %s is %s (%v), want %s in it", at, body, err, want)
		}
	}
	return nil
}
