package views_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/store"
	"billstream/internal/topics"
	"billstream/views"
)

// page is the body of the list.
type page struct {
	Accounts []struct {
		Customer string `json:"customer_id"`
		Status   string `json:"status"`
		Seq      uint64 `json:"seq"`
	} `json:"accounts"`
	Next *string `json:"next_cursor"`
}

func (p page) ids() []string {
	ids := []string{}
	for _, a := range p.Accounts {
		ids = append(ids, a.Customer)
	}
	return ids
}

// list asks for a page and fails if there is none.
func (w *world) list(query string) page {
	w.t.Helper()
	a := w.get("/v1/accounts?" + query)
	var p page
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.code != 200 {
		w.t.Fatalf("list of %s is %d %s (%v), want a page", query, a.code, a.body, err)
	}
	return p
}

// walk asks for page after page and returns all ids; between runs before each
// page but the first.
func (w *world) walk(query string, between func()) []string {
	w.t.Helper()
	p := w.list(query)
	ids := p.ids()
	for p.Next != nil {
		if len(ids) > 1000 {
			w.t.Fatalf("walk of %s does not end", query)
		}
		between()
		p = w.list(query + "&cursor=" + url.QueryEscape(*p.Next))
		ids = append(ids, p.ids()...)
	}
	return ids
}

// population puts one customer of each status, some ids that are awkward, and
// the rows that are no customers.
func population(t testing.TB, w *world) map[string]billing.Status {
	all := map[string]billing.Status{
		"a/b": billing.StatusActive, "b": billing.StatusClosed, "c": billing.StatusUnregistered,
		"d": billing.StatusErased, "é": billing.StatusActive, "z": billing.StatusClosed, "B": billing.StatusActive,
	}
	for id, status := range all {
		name := map[billing.Facet]billing.Value{billing.FacetName: billing.Name("n")}
		w.put(id, row(t, 1, status, name))
	}
	w.put("silent", row(t, 0, billing.StatusUnregistered, nil))
	for p := range w.partitions {
		w.reached(int32(p), 7)
	}
	return all
}

func TestListIsInBytewiseOrderOverAllPartitions(t *testing.T) {
	for _, n := range []int{1, 2, 12} {
		w := newWorld(t, n)
		population(t, w)
		want := []string{"B", "a/b", "b", "c", "z", "é"}
		if p := w.list(""); !slices.Equal(p.ids(), want) || p.Next != nil {
			t.Errorf("list of %d partitions is %q with next %v, want %q and none", n, p.ids(), p.Next, want)
		}
	}
}

func TestListIsTheSameWhateverThePageSize(t *testing.T) {
	w := newWorld(t, 5)
	population(t, w)
	want := w.list("").ids()
	for limit := 1; limit <= len(want)+1; limit++ {
		p := w.list(fmt.Sprintf("limit=%d", limit))
		if len(p.ids()) != min(limit, len(want)) || (p.Next == nil) != (limit >= len(want)) {
			t.Errorf("first page of %d is %q with next %v", limit, p.ids(), p.Next)
		}
		if got := w.walk(fmt.Sprintf("limit=%d", limit), func() {}); !slices.Equal(got, want) {
			t.Errorf("walk by %d is %q, want %q", limit, got, want)
		}
	}
}

func TestStatusFilterShowsWhatItNames(t *testing.T) {
	w := newWorld(t, 3)
	population(t, w)
	for filter, want := range map[string][]string{
		"active":                     {"B", "a/b", "é"},
		"closed":                     {"b", "z"},
		"unregistered":               {"c"},
		"erased":                     {"d"},
		"closed,active":              {"B", "a/b", "b", "z", "é"},
		"active,active":              {"B", "a/b", "é"},
		"erased,closed,unregistered": {"b", "c", "d", "z"},
	} {
		if got := w.walk("limit=1&status="+filter, func() {}); !slices.Equal(got, want) {
			t.Errorf("status=%s gives %q, want %q", filter, got, want)
		}
	}
}

func TestEmptyTableIsAnEmptyPage(t *testing.T) {
	if a := newWorld(t, 12).get("/v1/accounts"); a.body != `{"accounts":[],"next_cursor":null}` {
		t.Errorf("page is %s, want an empty one", a.body)
	}
}

func TestListRefusesWhatItDoesNotKnow(t *testing.T) {
	w := newWorld(t, 3)
	population(t, w)
	for query, parameter := range map[string]any{
		"stauts=active":                "stauts",
		"limit=0":                      "limit",
		"limit=1001":                   "limit",
		"limit=ten":                    "limit",
		"limit=":                       "limit",
		"limit=1&limit=2":              "limit",
		"status=":                      "status",
		"status=active,":               "status",
		"status=Active":                "status",
		"status=active&status=closed":  "status",
		"as_of=2026-01-01T00:00:00Z":   "as_of",
		"country=DE":                   "country",
		"c-1001":                       nil, // an id that lost its way is not repeated
		"limit=1;status=active":        nil,
		"limit=%zz":                    nil,
		"cursor=AA&limit=1&cursor=AAA": "cursor",
	} {
		p := w.get("/v1/accounts?"+query).wantProblem(400, views.InvalidRequest)
		if p["parameter"] != parameter {
			t.Errorf("parameter at fault in %s is %v, want %v", query, p["parameter"], parameter)
		}
	}
}

func TestCursorGoesWithItsFiltersAlone(t *testing.T) {
	w := newWorld(t, 3)
	population(t, w)
	cursor := *w.list("limit=1&status=active,closed").Next
	if got := w.list("limit=9&status=closed,active&cursor=" + cursor).ids(); !slices.Equal(got, []string{"a/b", "b", "z", "é"}) {
		t.Errorf("the same filters in another order give %q, want the rest", got)
	}
	for _, query := range []string{"status=active&cursor=" + cursor, "cursor=" + cursor} {
		w.get("/v1/accounts?"+query).wantProblem(400, views.InvalidCursor)
	}
}

func TestBrokenCursorIsRefused(t *testing.T) {
	w := newWorld(t, 3)
	population(t, w)
	good, err := base64.RawURLEncoding.DecodeString(*w.list("limit=1").Next)
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{
		"empty":                nil,
		"short":                good[:5],
		"without an id":        good[:9],
		"of another version":   append([]byte{2}, good[1:]...),
		"of our own rows":      append(slices.Clone(good[:9]), "~position.0"...),
		"with control letters": append(slices.Clone(good[:9]), "a\nb"...),
	} {
		a := w.get("/v1/accounts?cursor=" + base64.RawURLEncoding.EncodeToString(raw))
		if p := a.wantProblem(400, views.InvalidCursor); p == nil {
			t.Errorf("a cursor that is %s passes", name)
		}
	}
	w.get("/v1/accounts?cursor=%2B%2F").wantProblem(400, views.InvalidCursor)
}

func TestWalkEndsWhenTheClientHasLeft(t *testing.T) {
	w := newWorld(t, 1)
	for i := range 300 {
		w.put(fmt.Sprintf("c-%d", i), row(t, 1, billing.StatusActive, nil))
	}
	ctx, leave := context.WithCancel(t.Context())
	walked := 0
	w.partitions[0].onNext = func() {
		walked++
		leave()
	}
	r := httptest.NewRequestWithContext(ctx, "GET", "/v1/accounts?limit=1000", http.NoBody)
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("the request ends with %v, want it aborted", v)
		}
		if walked != 256 || w.log.Len() > 0 {
			t.Errorf("walked %d rows and logged %q, want 256 and nothing", walked, w.log.String())
		}
	}()
	w.handler.ServeHTTP(httptest.NewRecorder(), r)
}

// Whatever is written between two pages: an account that matches from the first
// page to the last is on exactly one, and the order holds.
func TestAccountThatStaysIsOnExactlyOnePage(t *testing.T) {
	id := rapid.StringMatching(`[a-f]{1,3}`)
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, rapid.IntRange(1, 4).Draw(rt, "partitions"))
		stays := rapid.MapOf(id, rapid.Just(billing.StatusActive)).Draw(rt, "stays")
		for k, status := range stays {
			w.put(k, row(t, 1, status, nil))
		}
		ids := w.walk(fmt.Sprintf("status=active&limit=%d", rapid.IntRange(1, 4).Draw(rt, "limit")), func() {
			k := id.Draw(rt, "written")
			if _, ok := stays[k]; !ok {
				w.put(k, row(t, 1, rapid.SampledFrom([]billing.Status{billing.StatusActive, billing.StatusClosed}).Draw(rt, "status"), nil))
			}
		})
		if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
			rt.Errorf("walk is %q, want it ascending without repeats", ids)
		}
		for k := range stays {
			if !slices.Contains(ids, k) {
				rt.Errorf("walk is %q, want %q in it", ids, k)
			}
		}
	})
}

// A page of 100 in the middle of 100,000 customers in 12 partitions.
func BenchmarkList(b *testing.B) {
	const partitions, customers = 12, 100_000
	table := make([]*store.Arena, partitions)
	for p := range table {
		table[p] = store.NewArena()
	}
	value, err := codecs.AppendRow(nil, acme(b, 5))
	if err != nil {
		b.Fatal(err)
	}
	for i := range customers {
		key := fmt.Sprintf("c-%07d", i)
		p := table[topics.Partition([]byte(key), partitions)]
		if err := p.Apply(int64(i), func(yield func(string, []byte) bool) { yield(key, value) }); err != nil {
			b.Fatal(err)
		}
	}
	w := newWorld(b, partitions, func(w *world) {
		w.Partition = func(p int32) views.Partition { return stored{table[p]} }
	})
	first := w.list("limit=1000")
	target := "/v1/accounts?limit=100&cursor=" + *first.Next
	r := httptest.NewRequest("GET", target, http.NoBody)
	b.ReportAllocs()
	for b.Loop() {
		w.handler.ServeHTTP(discard{http.Header{}}, r)
	}
}

// stored is a partition of the store that the process has.
type stored struct{ *store.Arena }

// Get returns the row of key.
func (s stored) Get(key string) ([]byte, bool, error) {
	value, err := s.Arena.Get(key)
	return value, value != nil, err
}
