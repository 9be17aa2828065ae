package views_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/internal/topics"
	"billstream/views"
)

const batchTarget = "/v1/accounts:batchGet"

// batchGet asks for the accounts of ids.
func (w *world) batchGet(ids []string, headers ...string) *answer {
	w.t.Helper()
	return w.do(http.MethodPost, batchTarget, toJSON(w.t, map[string]any{"ids": ids}), append(headers, "Content-Type", "application/json")...)
}

// item is one place of the answer.
type item struct {
	CustomerID string          `json:"customer_id"`
	Account    json.RawMessage `json:"account"`
	Problem    json.RawMessage `json:"problem"`
}

// items returns the places of the answer, as one line each.
func (a *answer) items() []string {
	a.t.Helper()
	var all struct {
		Accounts []item `json:"accounts"`
	}
	if err := json.Unmarshal([]byte(a.body), &all); err != nil || a.code != http.StatusOK {
		a.t.Fatalf("answer is %d %.300s, %v, want 200 with accounts", a.code, a.body, err)
	}
	lines := make([]string, 0, len(all.Accounts))
	for _, i := range all.Accounts {
		lines = append(lines, i.CustomerID+" "+string(i.Account)+string(i.Problem))
	}
	return lines
}

func (a *answer) wantItems(want ...string) {
	a.t.Helper()
	if got := a.items(); !slices.Equal(got, want) {
		a.t.Errorf("answer has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const (
	unknownItem = `{"type":"/problems/unknown-account","status":404}`
	invalidItem = `{"type":"/problems/invalid-customer-id","status":400}`
)

func TestBatchAnswersInTheOrderAsked(t *testing.T) {
	w := newWorld(t, 12)
	w.put("c-1001", acme(t, 5))
	w.put("a", acme(t, 1))
	w.put("silent", row(t, 0, billing.StatusUnregistered, map[billing.Facet]billing.Value{billing.FacetName: nil}))
	w.put("gone", row(t, 7, billing.StatusErased, nil))
	a := w.batchGet([]string{"c-1001", "nobody", "a", "gone", "c-1001", "silent"})
	single := w.get("/v1/accounts/a").body
	a.wantItems(
		"c-1001 "+acmeJSON,
		"nobody "+unknownItem,
		"a "+single,
		`gone {"type":"/problems/erased","status":410,"erased_at":"2026-03-01T09:00:00Z"}`,
		"c-1001 "+acmeJSON,
		"silent "+unknownItem,
	)
	want := `{"accounts":[{"customer_id":"nobody","problem":` + unknownItem + `}]}`
	if b := w.batchGet([]string{"nobody"}); b.body != want {
		t.Errorf("answer is %s, want %s", b.body, want)
	}
	if b := w.batchGet([]string{}); b.body != `{"accounts":[]}` {
		t.Errorf("answer to no ids is %s, want no accounts", b.body)
	}
}

// What a value of one account is must not show in the next, which lacks it: they
// are read into the same memory.
func TestAccountsOfABatchDoNotMix(t *testing.T) {
	rows := map[string]*billing.Row{
		"full": acme(t, 5),
		"bare": row(t, 1, billing.StatusActive, map[billing.Facet]billing.Value{
			billing.FacetBillingAddress: &customer.Address{Country: "FR"},
			billing.FacetContact:        &customer.Contact{Phone: "+33123456789"},
			billing.FacetTax:            &customer.Tax{},
			billing.FacetPlan:           &customer.Plan{Code: "x", Currency: "EUR", Interval: customer.IntervalYear},
		}),
	}
	w := newWorld(t, 3)
	alone := func(id string) string {
		other := newWorld(t, 3)
		other.put(id, rows[id])
		w.put(id, rows[id])
		return id + " " + other.get("/v1/accounts/"+id).body
	}
	full, bare := alone("full"), alone("bare")
	w.batchGet([]string{"full", "bare", "full", "bare", "bare"}).wantItems(full, bare, full, bare, bare)
}

func TestIDsThatNoCustomerCanHaveDoNotCostTheOthers(t *testing.T) {
	w := newWorld(t, 12)
	w.put("c-1001", acme(t, 5))
	long := strings.Repeat("a", 513)
	w.batchGet([]string{"", "~position.0", "a\x00b", long, "c-1001", ".."}).wantItems(
		" "+invalidItem, "~position.0 "+invalidItem, "a\x00b "+invalidItem, long+" "+invalidItem, "c-1001 "+acmeJSON, ".. "+unknownItem)
}

func TestBatchTakesAThousandIDs(t *testing.T) {
	w := newWorld(t, 12)
	w.put("c-1001", acme(t, 5))
	ids := slices.Repeat([]string{"c-1001", "x"}, 500)
	got := w.batchGet(ids).items()
	if want := slices.Repeat([]string{"c-1001 " + acmeJSON, "x " + unknownItem}, 500); !slices.Equal(got, want) {
		t.Errorf("number of places is %d, want the thousand in their order", len(got))
	}
	p := w.batchGet(append(ids, "y")).wantProblem(400, views.InvalidRequest)
	if p["parameter"] != "ids" || p["detail"] != "ids is more than 1000 ids, want at most that" {
		t.Errorf("problem is %v, want one of ids and their number", p)
	}
}

func TestBatchBodiesAreReadStrictly(t *testing.T) {
	w := newWorld(t, 1)
	post := func(body string, headers ...string) *answer {
		return w.do(http.MethodPost, batchTarget, body, headers...)
	}
	const json = "application/json"
	for body, parameter := range map[string]any{
		`{}`:                       "ids",
		`{"ids":"c-1001"}`:         "ids",
		`{"ids":["a",1]}`:          "ids",
		`{"ids":[],"ids":[]}`:      "ids",
		`{"ids":[],"as_of":""}`:    "as_of",
		`{"ids":[],"Secret Id":1}`: nil, // it may be a value that lost its name
	} {
		p := post(body, "Content-Type", json).wantProblem(400, views.InvalidRequest)
		if p["parameter"] != parameter {
			t.Errorf("parameter of %s is %v, want %v", body, p["parameter"], parameter)
		}
	}
	for _, body := range []string{"", " ", "[]", `["a"]`, `{"ids":["a"]`, `{"ids":["a"]} {}`, "{\"ids\":[\"\xff\"]}", `{"ids":["\ud83d"]}`} {
		post(body, "Content-Type", json).wantProblem(400, views.MalformedBody)
	}
	for _, contentType := range []string{"", "text/plain", "application/cloudevents+json", "application/json;;", "application/x-www-form-urlencoded"} {
		post(`{"ids":[]}`, "Content-Type", contentType).wantProblem(415, views.UnsupportedMediaType)
	}
	post(`{"ids":[]}`, "Content-Type", json, "Content-Encoding", "gzip").wantProblem(415, views.UnsupportedMediaType)
	if a := post(`{"ids":[]}`, "Content-Type", "application/json; charset=utf-8"); a.code != 200 {
		t.Errorf("a media type with a parameter gives %d, want 200", a.code)
	}
	if p := w.do(http.MethodPost, batchTarget+"?ids=a", `{"ids":[]}`, "Content-Type", json).wantProblem(400, views.InvalidRequest); p["parameter"] != "ids" {
		t.Errorf("parameter is %v, want the unknown one of the query", p["parameter"])
	}
	large := `{"ids":["` + strings.Repeat("a", 1<<20) + `"]}`
	if p := post(large, "Content-Type", json).wantProblem(413, views.TooLarge); p["limit"] != float64(1<<20) {
		t.Errorf("limit is %v, want 1 MiB", p["limit"])
	}
	post(`{"ids":[]}`, "Content-Type", json, "Sec-Fetch-Site", "cross-site").wantProblem(403, views.Forbidden)
	post(`{"ids":[]}`, "Content-Type", json, "Origin", "https://evil.example").wantProblem(403, views.Forbidden)
}

// byHome returns one of the ids for each partition.
func byHome(n int32) []string {
	ids := make([]string, n)
	for i, left := 0, n; left > 0; i++ {
		id := fmt.Sprintf("c-%d", i)
		if p := topics.Partition([]byte(id), n); ids[p] == "" {
			ids[p] = id
			left--
		}
	}
	return ids
}

func TestPartsThatRecoverDoNotCostTheOthers(t *testing.T) {
	w := newWorld(t, 3)
	ids := byHome(3)
	for _, id := range ids {
		w.put(id, acme(t, 5))
	}
	w.reached(0, 7)
	w.reached(1, 8)
	w.recovering(1, 1204311)
	w.recovering(2, -1)
	a := w.batchGet(append(ids, "~x"))
	a.wantItems(
		ids[0]+" "+w.get("/v1/accounts/"+ids[0]).body,
		ids[1]+` {"type":"/problems/recovering","status":503,"remaining_records":1204311}`,
		ids[2]+` {"type":"/problems/recovering","status":503}`,
		"~x "+invalidItem,
	)
	if got, want := a.header.Get("Billing-Position"), at(0, 7)+", "+at(1, -1)+", "+at(2, -1); got != want {
		t.Errorf("Billing-Position is %q, want %q", got, want)
	}
}

func TestARowOfABatchThatCannotBeReadIsOurFault(t *testing.T) {
	w := newWorld(t, 2)
	ids := byHome(2)
	w.put(ids[0], acme(t, 5))
	w.home(ids[1]).err = errors.New("disk is gone")
	w.batchGet([]string{ids[0]}).wantProblem(500, views.Internal) // not even the position can be read
	w.home(ids[1]).err = nil
	w.putBytes(ids[1], []byte("\xff\xff not a row"))
	w.log.Reset()
	a := w.batchGet([]string{ids[1], ids[0], ids[1]})
	_, id, _ := strings.Cut(a.body, `"request_id":"`)
	id, _, _ = strings.Cut(id, `"`)
	broken := ids[1] + ` {"type":"/problems/internal","status":500,"request_id":"` + id + `"}`
	a.wantItems(broken, ids[0]+" "+w.get("/v1/accounts/"+ids[0]).body, broken)
	if log := w.log.String(); id == "" || strings.Count(log, id) != 1 || strings.Contains(log, ids[1]) {
		t.Errorf("log is\n%s\nwant one line with request id %q and without the customer's", log, id)
	}
}

func TestABatchWaitsForPositionsOfWhatIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		ids := byHome(3)
		w.recovering(2, 5)
		done := make(chan *answer)
		go func() {
			done <- w.batchGet(ids[:2], "Billing-Min-Position", at(0, 5)+", "+at(1, 6)+", "+at(2, 99), "Prefer", "wait=10")
		}()
		synctest.Wait()
		w.put(ids[1], acme(t, 5))
		w.reached(0, 5)
		w.reached(1, 6)
		began := time.Now()
		a := <-done
		a.wantItems(ids[0]+" "+unknownItem, ids[1]+" "+w.get("/v1/accounts/"+ids[1]).body)
		if took := time.Since(began); took != 0 {
			t.Errorf("answer took %v after the positions were there, want none: nothing of a recovery is waited for", took)
		}
		if got, want := a.header.Get("Billing-Position"), at(0, 5)+", "+at(1, 6)+", "+at(2, -1); got != want || a.header.Get("Preference-Applied") != "wait=10" {
			t.Errorf("Billing-Position is %q, want %q; Preference-Applied is %q", got, want, a.header.Get("Preference-Applied"))
		}
		p := w.batchGet(ids[:1], "Billing-Min-Position", at(0, 6), "Prefer", "wait=0").wantProblem(503, views.ViewBehind)
		if p["position"] != at(0, 5) {
			t.Errorf("position is %v, want where the partition stands that is behind", p["position"])
		}
	})
}

// A partition that begins to recover ends the wait for it, and not the answer.
func TestARecoveryEndsTheWaitOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		began := time.Now()
		done := make(chan *answer)
		go func() { done <- w.batchGet([]string{"c-1"}, "Billing-Min-Position", at(0, 5), "Prefer", "wait=10") }()
		synctest.Wait()
		w.recovering(0, 3)
		w.reached(0, 1)
		(<-done).wantItems(`c-1 {"type":"/problems/recovering","status":503,"remaining_records":3}`)
		if took := time.Since(began); took != 0 {
			t.Errorf("answer took %v after the recovery began, want none", took)
		}
	})
}

func TestLookupsAreCountedByTheirResult(t *testing.T) {
	w := newWorld(t, 2)
	home := homeOf("gone", 2)
	ids := byHome(2)
	near, far := ids[home], ids[1-home]
	w.put(near, acme(t, 5))
	w.put("gone", row(t, 7, billing.StatusErased, nil))
	w.get("/v1/accounts/" + near)
	w.get("/v1/accounts/"+near, "If-None-Match", "*")
	w.get("/v1/accounts/gone")
	w.get("/v1/accounts/~x") // looks nothing up
	w.get("/v1/accounts")    // nor does a list
	w.batchGet([]string{near, "gone", near, "~x"}, "Billing-Min-Position", at(0, 5), "Prefer", "wait=0")
	w.recovering(1-home, 5)
	w.get("/v1/accounts/" + far)
	w.batchGet([]string{near, far, "gone", far, "~x"})
	w.recovered()
	w.batchGet([]string{far, far})
	w.putBytes(far, []byte("\xff"))
	w.batchGet([]string{far, near})
	w.get("/v1/accounts/" + far)
	want := `
		# HELP billstream_view_lookups_total Accounts asked for by their ids, by what came of it; each id of a batch counts.
		# TYPE billstream_view_lookups_total counter
		billstream_view_lookups_total{result="behind",source="local",view="accounts"} 4
		billstream_view_lookups_total{result="erased",source="local",view="accounts"} 2
		billstream_view_lookups_total{result="error",source="local",view="accounts"} 2
		billstream_view_lookups_total{result="hit",source="local",view="accounts"} 4
		billstream_view_lookups_total{result="miss",source="local",view="accounts"} 2
		billstream_view_lookups_total{result="not_ready",source="local",view="accounts"} 3
	`
	if err := testutil.GatherAndCompare(w.registry, strings.NewReader(want), "billstream_view_lookups_total"); err != nil {
		t.Error(err)
	}
}

// Whatever the body, the answer is of the document, and what is answered are the
// ids that the body names.
func FuzzBatchGet(f *testing.F) {
	for _, body := range []string{
		`{"ids":["c-1001","nobody"]}`, `{"ids":[]}`, `{"ids":["\u00e9\ud83d\ude00","~","a\u0000"]} `, `{"ids":[1]}`,
		`{"ids":["a"],"as_of":"2026-01-01T00:00:00Z"}`, `[]`, `{"ids":["a","a"`,
	} {
		f.Add(body)
	}
	w := newWorld(f, 3)
	w.put("c-1001", acme(f, 5))
	f.Fuzz(func(t *testing.T, body string) {
		w.t = t
		a := w.do(http.MethodPost, batchTarget, body, "Content-Type", "application/json")
		if a.code == http.StatusBadRequest {
			return
		}
		var want struct {
			IDs []string `json:"ids"`
		}
		if err := json.Unmarshal([]byte(body), &want); err != nil {
			t.Fatalf("%q gives %d, want 400: %v", body, a.code, err)
		}
		lines := a.items()
		if len(lines) != len(want.IDs) {
			t.Fatalf("number of places is %d, want %d", len(lines), len(want.IDs))
		}
		for i, id := range want.IDs {
			if !strings.HasPrefix(lines[i], id+" {") {
				t.Errorf("place %d is %q, want that of %q", i, lines[i], id)
			}
		}
	})
}

// BenchmarkBatchGet asks for 100 of 10,000 accounts at a time.
func BenchmarkBatchGet(b *testing.B) {
	w := newWorld(b, 12)
	const customers, perRequest = 10_000, 100
	for i := range customers {
		w.put(fmt.Sprintf("c-%d", i), acme(b, 5))
	}
	for p := range int32(12) {
		w.reached(p, int64(p))
	}
	bodies := make([]string, customers/perRequest)
	for i := range bodies {
		ids := make([]string, perRequest)
		for k := range ids {
			ids[k] = fmt.Sprintf("c-%d", (i*perRequest+k)*7919%customers)
		}
		bodies[i] = toJSON(b, map[string]any{"ids": ids})
	}
	r := httptest.NewRequest(http.MethodPost, batchTarget, http.NoBody)
	r.Header.Set("Content-Type", "application/json")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		body := bodies[i%len(bodies)]
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		w.handler.ServeHTTP(discard{http.Header{}}, r)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/perRequest, "ns/id")
}
