package views_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/topics"
	"billstream/views"
)

func TestAnswersSayWhichPositionTheyInclude(t *testing.T) {
	w := newWorld(t, 3)
	w.put("here", acme(t, 5))
	w.put("gone", row(t, 1, billing.StatusErased, nil))
	own := map[string]string{}
	for _, id := range []string{"here", "gone", "nobody"} {
		p := topics.Partition([]byte(id), 3)
		own[id] = fmt.Sprintf("customer.events/%d@%d", p, 100+p)
	}
	for p := range int32(2) {
		w.reached(p, int64(100+p))
	}
	for id, at := range own { // the last partition has no position row
		own[id] = strings.Replace(at, "/2@102", "/2@-1", 1)
	}
	for _, c := range []struct {
		target, etag string
		code         int
		want         string
	}{
		{"/v1/accounts/here", "", 200, own["here"]},
		{"/v1/accounts/here", `"5"`, 304, own["here"]},
		{"/v1/accounts/nobody", "", 404, own["nobody"]},
		{"/v1/accounts/gone", "", 410, own["gone"]},
		{"/v1/accounts", "", 200, "customer.events/0@100, customer.events/1@101, customer.events/2@-1"},
		{"/v1/accounts/~", "", 400, ""},
		{"/problems/recovering", "", 200, ""},
	} {
		a := w.get(c.target, "If-None-Match", c.etag)
		if got := a.header.Get("Billing-Position"); a.code != c.code || got != c.want {
			t.Errorf("answer to %s is %d at %q, want %d at %q", c.target, a.code, got, c.code, c.want)
		}
	}
}

// hooked is a partition that runs after each read of a row that is no position.
type hooked struct {
	*partition
	after func()
}

func (h hooked) Get(key string) ([]byte, bool, error) {
	value, ok, err := h.partition.Get(key)
	if !strings.HasPrefix(key, codecs.PositionKeyPrefix) {
		h.after()
	}
	return value, ok, err
}

func TestAnAnswerClaimsNothingThatCameAfterItsRows(t *testing.T) {
	w := newWorld(t, 1, func(w *world) {
		w.Partition = func(int32) views.Partition { return hooked{w.partitions[0], func() { w.reached(0, 9) }} }
	})
	w.put("c-1001", acme(t, 5))
	w.reached(0, 8)
	if got := w.get("/v1/accounts/c-1001").header.Get("Billing-Position"); got != "customer.events/0@8" {
		t.Errorf("Billing-Position is %q, want customer.events/0@8: the row is from before 9", got)
	}
}

// Update n of the customer is stored before position n, as a commit does.
func TestPositionsGrowAndAreKept(t *testing.T) {
	w := newWorld(t, 1)
	w.put("c-1001", acme(t, 1))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range 300 {
			w.put("c-1001", acme(t, uint64(n+1)))
			w.reached(0, int64(n+1))
		}
	}()
	for running, last := true, 0; running; {
		select {
		case <-done:
			running = false
		default:
		}
		a := w.get("/v1/accounts/c-1001")
		var position, seq int
		if _, err := fmt.Sscanf(a.header.Get("Billing-Position"), "customer.events/0@%d", &position); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscanf(a.header.Get("Etag"), `"%d"`, &seq); err != nil {
			t.Fatal(err)
		}
		if position < last || seq < position {
			t.Fatalf("answer has update %d at position %d after %d, want what it claims, and never less", seq, position, last)
		}
		last = position
	}
}

// waiting is a request that is on its way.
type waiting struct {
	began  time.Time
	took   time.Duration
	answer *answer
	done   chan struct{}
}

// ask sends a request and returns as soon as nothing moves any more.
func (w *world) ask(target string, headers ...string) *waiting {
	q := &waiting{began: time.Now(), done: make(chan struct{})}
	go func() {
		defer close(q.done)
		q.answer = w.get(target, headers...)
		q.took = time.Since(q.began)
	}()
	synctest.Wait()
	return q
}

func (q *waiting) answered() bool {
	select {
	case <-q.done:
		return true
	default:
		return false
	}
}

func TestAnAnswerWaitsForItsPositionAndNoLonger(t *testing.T) {
	for _, target := range []string{"/v1/accounts/c-1001", "/v1/accounts"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1)
			w.put("c-1001", acme(t, 5))
			w.reached(0, 7)
			q := w.ask(target, "Billing-Min-Position", "customer.events/0@9")
			w.reached(0, 8)
			synctest.Wait()
			if q.answered() {
				t.Fatalf("%s is answered at 8, want it to wait for 9", target)
			}
			time.Sleep(time.Second) // of the bubble
			w.reached(0, 10)
			<-q.done
			if got := q.answer.header.Get("Billing-Position"); q.answer.code != 200 || got != "customer.events/0@10" || q.took != time.Second {
				t.Errorf("%s is %d at %q after %s, want 200 at customer.events/0@10 after 1s", target, q.answer.code, got, q.took)
			}
			if again := w.ask(target, "Billing-Min-Position", "customer.events/0@10"); !again.answered() || again.answer.code != 200 {
				t.Errorf("%s does not answer at a position that is reached", target)
			}
		})
	}
}

// The customer's own row tells nothing: only a position row does.
func TestWithoutPositionRowTheWaitEndsInViewBehind(t *testing.T) {
	for _, c := range []struct {
		prefer, applied string
		want            time.Duration
	}{
		{"", "", 5 * time.Second},
		{"wait=2", "wait=2", 2 * time.Second},
		{"wait=0", "wait=0", 0},
		{"wait=99", "wait=30", 30 * time.Second},
		{`respond-async, WAIT="3";x=1, wait=9`, "wait=3", 3 * time.Second},
		{"wait=soon", "", 5 * time.Second},
		{"wait=-1", "", 5 * time.Second},
		{"return=minimal", "", 5 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1)
			w.put("c-1001", acme(t, 5))
			q := w.ask("/v1/accounts/c-1001", "Billing-Min-Position", "customer.events/0@131", "Prefer", c.prefer)
			<-q.done
			p := q.answer.wantProblem(503, views.ViewBehind)
			if p["position"] != "customer.events/0@-1" || p["detail"] != fmt.Sprintf("waited %d s for customer.events/0@131", c.want/time.Second) {
				t.Errorf("problem is %v, want where the view stands and what was waited for", p)
			}
			if got := q.answer.header.Get("Preference-Applied"); q.took != c.want || got != c.applied {
				t.Errorf("with Prefer %q it takes %s and applies %q, want %s and %q", c.prefer, q.took, got, c.want, c.applied)
			}
		})
	}
}

func TestOtherPartitionsCountForListsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		own := topics.Partition([]byte("c-1001"), 3)
		w.put("c-1001", acme(t, 5))
		w.reached(own, 7)
		var all []string
		for p := range int32(3) {
			all = append(all, fmt.Sprintf("customer.events/%d@7", p))
		}
		if q := w.ask("/v1/accounts/c-1001", "Billing-Min-Position", strings.Join(all, ",")); !q.answered() || q.answer.code != 200 {
			t.Error("account waits for partitions that it is not in")
		}
		q := w.ask("/v1/accounts", "Billing-Min-Position", all[0], "Billing-Min-Position", all[1], "Billing-Min-Position", all[2])
		for p := range int32(3) {
			if q.answered() {
				t.Fatalf("list is answered before partition %d is there", p)
			}
			w.reached(p, 7)
			synctest.Wait()
		}
		if <-q.done; q.answer.header.Get("Billing-Position") != strings.Join(all, ", ") {
			t.Errorf("list is %d at %q, want all partitions at 7", q.answer.code, q.answer.header.Get("Billing-Position"))
		}
		q = w.ask("/v1/accounts", "Billing-Min-Position", "customer.events/1@8, customer.events/1@9, customer.events/0@7", "Prefer", "wait=0")
		if p := q.answer.wantProblem(503, views.ViewBehind); p["position"] != "customer.events/1@7" || p["detail"] != "waited 0 s for customer.events/1@9" {
			t.Errorf("problem is %v, want partition 1 alone, and its highest", p)
		}
	})
}

func TestWhatIsNoPositionIsRefused(t *testing.T) {
	w := newWorld(t, 3)
	for p := range int32(3) {
		w.reached(p, 7)
	}
	for _, at := range []string{
		"", ",", "x", "customer.events/0", "customer.events/0@", "customer.events/@1", "customer.events/0@x",
		"customer.events/0@-2", "customer.events/-1@1", "customer.events/+1@1", "customer.events/0@+1", "customer.events/0@1 2",
		"customer.events/3@1", "customer.events/99999999999@1", "customer.events/0@9223372036854775808",
		"billing.updates/0@1", "customer.events/0@1,", "customer.events/0@1;customer.events/1@1", "customer.events/0@1, billing.table/1@1",
	} {
		for _, target := range []string{"/v1/accounts", "/v1/accounts/c-1001"} {
			a := w.get(target, "Billing-Min-Position", at)
			p := a.wantProblem(400, views.InvalidPosition)
			if detail, _ := p["detail"].(string); !strings.Contains(detail, "want") {
				t.Errorf("detail for %q is %q, want what is wanted", at, detail)
			}
		}
	}
	for _, at := range []string{"customer.events/0@-1", "customer.events/0@7", "customer.events/2@0,customer.events/0@1"} {
		if a := w.get("/v1/accounts", "Billing-Min-Position", at); a.code != 200 {
			t.Errorf("list at %q is %d, want 200", at, a.code)
		}
	}
}

func TestWhoWaitsLeavesTheSlotToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, func(w *world) { w.MaxInflight, w.MaxWaits = 1, 2 })
		w.put("c-1001", acme(t, 5))
		at := []string{"Billing-Min-Position", "customer.events/0@7"}
		first, second := w.ask("/v1/accounts/c-1001", at...), w.ask("/v1/accounts/c-1001", at...)
		if a := w.get("/v1/accounts/c-1001"); a.code != 200 {
			t.Errorf("beside those that wait a lookup is %d, want 200", a.code)
		}
		w.get("/v1/accounts/c-1001", at...).wantProblem(503, views.Overload) // a third wait
		time.Sleep(6 * time.Second)                                          // of the bubble: both are given up
		for _, q := range []*waiting{first, second} {
			<-q.done
			q.answer.wantProblem(503, views.ViewBehind)
		}
		w.reached(0, 7)
		if again := w.ask("/v1/accounts/c-1001", at...); !again.answered() || again.answer.code != 200 {
			t.Error("a slot or a wait was not given back")
		}
	})
}

func TestNobodyWaitsForAProcessThatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closing := make(chan struct{})
		w := newWorld(t, 1, func(w *world) { w.Closing = closing })
		q := w.ask("/v1/accounts/c-1001", "Billing-Min-Position", "customer.events/0@7")
		close(closing)
		<-q.done
		if q.answer.wantProblem(503, views.Draining); q.took != 0 {
			t.Errorf("wait ends %s after the process, want at once", q.took)
		}
	})
}

func TestARecoveryEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		q := w.ask("/v1/accounts/c-1001", "Billing-Min-Position", "customer.events/0@7")
		w.recovering(0, 3)
		w.reached(0, 7) // of the rows that are read anew
		<-q.done
		q.answer.wantProblem(503, views.Recovering)
	})
}

func TestAClientThatLeavesIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, func(w *world) { w.MaxWaits = 1 })
		ctx, leave := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/accounts/c-1001", http.NoBody)
		r.Header.Set("Billing-Min-Position", "customer.events/0@7")
		began, left := time.Now(), make(chan any)
		go func() {
			defer func() { left <- recover() }()
			w.handler.ServeHTTP(httptest.NewRecorder(), r)
		}()
		synctest.Wait()
		leave()
		if v, took := <-left, time.Since(began); v != http.ErrAbortHandler || took != 0 {
			t.Errorf("handler ends with %v after %s, want it aborted at once", v, took)
		}
		w.get("/v1/accounts/c-1001", "Billing-Min-Position", "customer.events/0@7", "Prefer", "wait=1").wantProblem(503, views.ViewBehind)
	})
}

// The limits of the server are for clients that are slow, not for those that
// are kept waiting: a wait may take longer than either.
func TestAWaitMayOutlastTheServersLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	s := httptest.NewUnstartedServer(nil)
	s.Config = views.NewServer(w.handler, w.Log.Handler())
	s.Config.ReadTimeout, s.Config.WriteTimeout = 200*time.Millisecond, 400*time.Millisecond
	s.Start()
	defer s.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v1/accounts/c-1001", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Billing-Min-Position", "customer.events/0@7")
	r.Header.Set("Prefer", "wait=1")
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(res.Body); err != nil || res.StatusCode != 503 || !strings.Contains(body.String(), "view-behind") {
		t.Errorf("answer is %d %s, %v, want 503 view-behind", res.StatusCode, body.String(), err)
	}
}

func TestNothingIsAnnouncedWithoutAHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, func(w *world) { w.Changed = nil })
		q := w.ask("/v1/accounts/c-1001", "Billing-Min-Position", "customer.events/0@7")
		w.reached(0, 7)
		<-q.done
		// Nobody told it, so that it looked again when its time was over.
		if got := []any{q.answer.code, q.took}; !slices.Equal(got, []any{404, 5 * time.Second}) {
			t.Errorf("answer is %v, want 404 after 5s", got)
		}
	})
}
