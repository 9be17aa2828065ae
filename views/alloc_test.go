//go:build !race

package views_test

// Under the race detector a pool forgets some of what it is given, on purpose.

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// allocations returns how often the listener allocates for the request.
func (w *world) allocations(method, target, body string) float64 {
	r := httptest.NewRequest(method, target, http.NoBody)
	r.Header.Set("Content-Type", "application/json")
	return testing.AllocsPerRun(100, func() {
		if body != "" {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		}
		w.handler.ServeHTTP(discard{http.Header{}}, r)
	})
}

// Times depend on the machine, allocations do not: they are what is bounded.
// Each account costs itself, and its name twice; what a request costs beside that
// does not grow with the ids.
func TestABatchAllocatesThreeTimesForEachAccount(t *testing.T) {
	w := newWorld(t, 12)
	of := func(n int) float64 {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = fmt.Sprintf("c-%d", i)
			w.put(ids[i], acme(t, 5))
		}
		return w.allocations(http.MethodPost, batchTarget, toJSON(t, map[string]any{"ids": ids}))
	}
	few, many := of(100), of(200)
	if got := (many - few) / 100; got != 3 {
		t.Errorf("an account of a batch takes %.2f allocations, want 3", got)
	}
	if got := few - 300; got > 15 {
		t.Errorf("a batch takes %.0f allocations beside those of its accounts, want at most 15", got)
	}
}

func TestAnIDWithoutAnAccountAllocatesNothing(t *testing.T) {
	w := newWorld(t, 12)
	of := func(n int) float64 {
		return w.allocations(http.MethodPost, batchTarget, `{"ids":["nobody"`+strings.Repeat(`,"nobody"`, n-1)+`]}`)
	}
	if few, many := of(100), of(200); few != many {
		t.Errorf("200 unknown ids take %.0f allocations, want the %.0f of 100", many, few)
	}
}

func TestALookUpAllocatesLittle(t *testing.T) {
	w := newWorld(t, 12)
	w.put("c-1001", acme(t, 5))
	w.reached(homeOf("c-1001", 12), 152)
	if got := w.allocations(http.MethodGet, "/v1/accounts/c-1001", ""); got != 10 {
		t.Errorf("to look an account up takes %.0f allocations, want 10", got)
	}
}
