package views_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"billstream/internal/billing"
	"billstream/views"
)

// Every code of the closed list is produced here once, by a request.
func TestEachProblemIsProducedAndExplained(t *testing.T) {
	produce := map[views.Code]func(*world) *answer{
		views.InvalidRequest:       func(w *world) *answer { return w.get("/v1/accounts?x=1") },
		views.InvalidCustomerID:    func(w *world) *answer { return w.get("/v1/accounts/~x") },
		views.InvalidPosition:      func(w *world) *answer { return w.get("/v1/accounts", "Billing-Min-Position", "x") },
		views.InvalidCursor:        func(w *world) *answer { return w.get("/v1/accounts?cursor=x") },
		views.MalformedBody:        func(w *world) *answer { return w.post(structured, "x") },
		views.Forbidden:            func(w *world) *answer { return w.post(structured, renamed, "Sec-Fetch-Site", "cross-site") },
		views.IngestOff:            func(*world) *answer { return newWorld(t, 1).post(structured, renamed) },
		views.UnknownAccount:       func(w *world) *answer { return w.get("/v1/accounts/nobody") },
		views.UnknownRoute:         func(w *world) *answer { return w.get("/problems/no-such-problem") },
		views.MethodNotAllowed:     func(w *world) *answer { return w.do("PATCH", "/v1/events", "") },
		views.TooLarge:             func(w *world) *answer { return w.post(structured, strings.Repeat("x", 1<<20+1)) },
		views.URITooLong:           func(w *world) *answer { return w.get("/" + strings.Repeat("x", 4096)) },
		views.UnsupportedMediaType: func(w *world) *answer { return w.post("text/plain", "x") },
		views.InvalidEvent:         func(w *world) *answer { return w.post(structured, "{}") },
		views.Erased: func(w *world) *answer {
			w.put("gone", row(t, 1, billing.StatusErased, nil))
			return w.get("/v1/accounts/gone")
		},
		views.Internal: func(w *world) *answer {
			w.putBytes("broken", []byte{0xff})
			return w.get("/v1/accounts/broken")
		},
		views.Recovering: func(w *world) *answer {
			w.recovering(0, 0)
			return w.get("/v1/accounts/c-1")
		},
		views.ViewBehind: func(w *world) *answer {
			return w.get("/v1/accounts/c-1", "Billing-Min-Position", "customer.events/0@0", "Prefer", "wait=0")
		},
		views.BrokerUnavailable: func(*world) *answer {
			w, e := newIngest(t, 1)
			e.err = http.ErrServerClosed
			return w.post(structured, renamed)
		},
		views.Overload: func(*world) *answer {
			// The only slot is taken by the request that asks.
			var w *world
			var inner *answer
			w = newWorld(t, 1, func(c *world) {
				c.MaxInflight = 1
				c.Ready = func(int32) (int64, bool) {
					inner = w.get("/v1/accounts/c-1")
					return 0, true
				}
			})
			w.get("/v1/accounts/c-1")
			return inner
		},
		views.Draining: func(*world) *answer {
			return newWorld(t, 1, func(w *world) { w.Draining = func() bool { return true } }).get("/")
		},
	}
	enum, _ := openAPI(t).at("/components/schemas/Problem/properties/code/enum").([]any)
	if len(enum) != len(produce) {
		t.Errorf("the document lists %d problems, want the %d that are produced here", len(enum), len(produce))
	}
	for code, f := range produce {
		w, _ := newIngest(t, 1)
		a := f(w)
		p := a.wantProblem(a.code, code)
		if !slices.Contains(enum, any(string(code))) {
			t.Errorf("%s is not in the document", code)
		}
		w, _ = newIngest(t, 1)
		page := w.get("/problems/" + string(code))
		title, _ := p["title"].(string)
		if page.code != 200 || !strings.HasPrefix(page.body, title+" (") || len(page.body) < 50 {
			t.Errorf("page of %s is %d %q, want its title and what it means", code, page.code, page.body)
		}
	}
}

func TestRecoveringNamesTheRecordsAlsoWhenNoneAreLeft(t *testing.T) {
	w := newWorld(t, 1)
	w.recovering(0, 0)
	p := w.get("/v1/accounts/c-1").wantProblem(503, views.Recovering)
	if left, ok := p["remaining_records"]; !ok || left != float64(0) {
		t.Errorf("remaining_records is %v, want 0", left)
	}
}

func TestRecoveringDoesNotGuessHowManyRecordsAreLeft(t *testing.T) {
	w := newWorld(t, 4)
	w.recovering(0, -1)
	w.recovering(1, -1)
	for _, target := range []string{"/v1/accounts", "/v1/accounts?limit=1"} {
		if p := w.get(target).wantProblem(503, views.Recovering); p["remaining_records"] != nil {
			t.Errorf("remaining_records of %s is %v, want none", target, p["remaining_records"])
		}
	}
	w.recovering(2, 7)
	w.recovering(3, 5)
	if p := w.get("/v1/accounts").wantProblem(503, views.Recovering); p["remaining_records"] != float64(12) {
		t.Errorf("remaining_records is %v, want the 12 that are known", p["remaining_records"])
	}
}
