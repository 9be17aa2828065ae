package views_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"billstream/views"
)

// pending is a request that is in work.
type pending struct {
	done   chan struct{}
	answer *answer
}

// ask sends a request beside the test, and lets it go as far as it can.
func (w *world) ask(target string, headers ...string) *pending {
	p := &pending{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.answer = w.get(target, headers...)
	}()
	synctest.Wait()
	return p
}

// now returns the answer, nil as long as there is none.
func (p *pending) now() *answer {
	synctest.Wait()
	select {
	case <-p.done:
		return p.answer
	default:
		return nil
	}
}

// A hook releases the wait in the moment when the position is there, and not
// before.
func TestAWaitEndsWithItsPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.put("c-1", acme(t, 5))
		home := homeOf("c-1", 2)
		began := time.Now()
		asked := w.ask("/v1/accounts/c-1", "Billing-Min-Position", at(home, 5), "Prefer", "wait=10")
		for offset := range int64(5) {
			w.reached(home, offset)
			w.reached(1-home, 100)
			if a := asked.now(); a != nil {
				t.Fatalf("at offset %d the answer is %d %s, want none before offset 5", offset, a.code, a.body)
			}
		}
		w.put("c-1", acme(t, 6))
		w.reached(home, 5)
		a := asked.now()
		if a == nil || a.code != 200 || a.header.Get("ETag") != `"6"` || a.header.Get("Billing-Position") != at(home, 5) {
			t.Fatalf("answer is %+v, want the account as of offset 5", a)
		}
		if got := a.header.Get("Preference-Applied"); got != "wait=10" {
			t.Errorf("Preference-Applied is %q, want wait=10", got)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("wait took %v after its position was there, want none", took)
		}
	})
}

// Without the position row a wait ends in nothing, whatever rows come.
func TestRowsOfCustomersEndNoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		asked := w.ask("/v1/accounts/c-1", "Billing-Min-Position", at(0, 131))
		w.put("c-1", acme(t, 5)) // written by offset 131
		<-time.After(4999 * time.Millisecond)
		if a := asked.now(); a != nil {
			t.Fatalf("answer is %d %s, want none", a.code, a.body)
		}
		<-asked.done
		asked.answer.wantProblem(503, views.ViewBehind)
	})
}

func TestAWaitTakesNoLongerThanPreferred(t *testing.T) {
	for _, c := range []struct {
		prefer  string
		want    time.Duration
		applied string
	}{
		{"", 5 * time.Second, ""},
		{"wait=0", 0, "wait=0"},
		{"wait=2", 2 * time.Second, "wait=2"},
		{"Wait = 3", 3 * time.Second, "wait=3"},
		{`wait="4"`, 4 * time.Second, "wait=4"},
		{"respond-async, wait=6; x=1, wait=7", 6 * time.Second, "wait=6"},
		{"wait=30", 30 * time.Second, "wait=30"},
		{"wait=31", 30 * time.Second, "wait=30"},
		{"wait=-1", 5 * time.Second, ""},
		{"wait=1.5", 5 * time.Second, ""},
		{"wait", 5 * time.Second, ""},
		{"return=minimal", 5 * time.Second, ""},
	} {
		t.Run(c.prefer, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.reached(0, 187)
				headers := []string{"Billing-Min-Position", at(0, 188)}
				if c.prefer != "" {
					headers = append(headers, "Prefer", c.prefer)
				}
				began := time.Now()
				a := w.get("/v1/accounts/c-1", headers...)
				p := a.wantProblem(503, views.ViewBehind)
				if took := time.Since(began); took != c.want {
					t.Errorf("wait took %v, want %v", took, c.want)
				}
				if got := a.header.Get("Preference-Applied"); got != c.applied {
					t.Errorf("Preference-Applied is %q, want %q", got, c.applied)
				}
				if want := "waited " + toJSON(t, c.want/time.Second) + " s for customer.events/0@188"; p["detail"] != want || p["position"] != "customer.events/0@187" {
					t.Errorf("problem is %v, want %q at customer.events/0@187", p, want)
				}
			})
		})
	}
}

// Nobody tells that the position is there, so the look at the end finds it.
func TestWithoutAHookAWaitLastsItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, func(w *world) { w.Changed = nil })
		began := time.Now()
		asked := w.ask("/v1/accounts", "Billing-Min-Position", at(0, 7))
		w.reached(0, 7)
		<-asked.done
		if took := time.Since(began); asked.answer.code != 200 || took != 5*time.Second {
			t.Errorf("answer is %d after %v, want 200 after 5s", asked.answer.code, took)
		}
	})
}

// There is nothing to wait for: the preference is not applied.
func TestAPreferenceAloneWaitsForNothing(t *testing.T) {
	a := newWorld(t, 1).get("/v1/accounts", "Prefer", "wait=10")
	if _, applied := a.header["Preference-Applied"]; a.code != 200 || applied {
		t.Errorf("answer is %d, preference applied: %t, want 200, not applied", a.code, applied)
	}
}

func TestAListWaitsForAllPartitionsThatAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		asked := w.ask("/v1/accounts", "Billing-Min-Position", at(2, 4)+", "+at(0, 9))
		w.reached(2, 4)
		if a := asked.now(); a != nil {
			t.Fatalf("with one of two positions the answer is %d, want none", a.code)
		}
		w.reached(0, 9)
		a := asked.now()
		if want := at(0, 9) + ", " + at(1, -1) + ", " + at(2, 4); a == nil || a.code != 200 || a.header.Get("Billing-Position") != want {
			t.Errorf("answer is %+v, want 200 at %q", a, want)
		}
	})
}

// Requests that wait do no work, so they keep out none that has some; and they
// are limited in number themselves.
func TestARequestThatWaitsLeavesItsSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, func(w *world) { w.MaxInflight, w.MaxWaits = 1, 2 })
		first := w.ask("/v1/accounts", "Billing-Min-Position", at(0, 1))
		second := w.ask("/v1/accounts", "Billing-Min-Position", at(0, 2))
		if a := w.get("/v1/accounts"); a.code != 200 {
			t.Errorf("beside requests that wait the answer is %d %s, want 200", a.code, a.body)
		}
		w.get("/v1/accounts", "Billing-Min-Position", at(0, 3)).wantProblem(503, views.Overload)
		w.reached(0, 1)
		if a := first.now(); a == nil || a.code != 200 {
			t.Fatalf("answer is %+v, want 200", a)
		}
		third := w.ask("/v1/accounts", "Billing-Min-Position", at(0, 3)) // in the place of the first
		w.reached(0, 3)
		for i, p := range []*pending{second, third} {
			if a := p.now(); a == nil || a.code != 200 && a.code != 503 {
				t.Errorf("answer %d is %+v, want one", i, a)
			}
		}
		if a := w.get("/v1/accounts"); a.code != 200 {
			t.Errorf("after all the answer is %d, want 200 from a free slot", a.code)
		}
	})
}

func TestARecoveryEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		asked := w.ask("/v1/accounts/c-1", "Billing-Min-Position", at(0, 5))
		w.recovering(0, 12)
		w.reached(0, 1) // the recovery reads an old position row
		a := asked.now()
		if a == nil {
			t.Fatal("there is no answer, want recovering")
		}
		a.wantProblem(503, views.Recovering)
	})
}

func TestClosingSendsAwayWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closing := make(chan struct{})
		w := newWorld(t, 1, func(w *world) { w.Closing = closing })
		asked := w.ask("/v1/accounts/c-1", "Billing-Min-Position", at(0, 5), "Prefer", "wait=30")
		if a := asked.now(); a != nil {
			t.Fatalf("answer is %d, want none before the end", a.code)
		}
		close(closing)
		a := asked.now()
		if a == nil {
			t.Fatal("there is no answer, want draining")
		}
		a.wantProblem(503, views.Draining)
	})
}

func TestAClientThatLeavesWaitsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, func(w *world) { w.MaxWaits = 1 })
		ctx, leave := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/accounts/c-1", http.NoBody)
		r.Header.Set("Billing-Min-Position", at(0, 5))
		ended := make(chan any, 1)
		go func() {
			defer func() { ended <- recover() }()
			w.handler.ServeHTTP(httptest.NewRecorder(), r)
		}()
		synctest.Wait()
		began := time.Now()
		leave()
		if v := <-ended; v != http.ErrAbortHandler || time.Since(began) != 0 {
			t.Errorf("request ends with %v after %v, want it aborted at once", v, time.Since(began))
		}
		if w.log.Len() > 0 {
			t.Errorf("log has %s, want nothing about a client that left", &w.log)
		}
		// Its place is free again.
		w.get("/v1/accounts/c-1", "Billing-Min-Position", at(0, 5), "Prefer", "wait=1").wantProblem(503, views.ViewBehind)
	})
}

// The limits of the server are shorter than the longest wait; a wait moves them.
func TestAWaitOutlivesTheLimitsOfTheServer(t *testing.T) {
	w := newWorld(t, 1)
	const limit = 50 * time.Millisecond
	s := httptest.NewUnstartedServer(nil)
	s.Config = views.NewServer(w.handler, slog.DiscardHandler)
	s.Config.ReadTimeout, s.Config.WriteTimeout = limit, limit
	s.Start()
	defer s.Close()
	time.AfterFunc(5*limit, func() { w.reached(0, 5) })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v1/accounts", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Billing-Min-Position", at(0, 5))
	a, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != 200 || a.Header.Get("Billing-Position") != at(0, 5) {
		t.Errorf("answer is %d %s, %v, want 200 at %s", a.StatusCode, body, err, at(0, 5))
	}
}
