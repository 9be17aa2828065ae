package views_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/views"
)

const acmeJSON = `{"customer_id":"c-1001","status":"active","seq":5,"registered_at":"2026-03-01T09:00:00Z","closed_at":null,"erased_at":null,"updated_at":"2026-03-01T09:00:00Z","name":"Acme Widgets GmbH","billing_address":{"line1":"Torstrasse 5","city":"Berlin","postal_code":"10119","country":"DE"},"shipping_address":null,"contact":{"email":"ap@acme.example","locale":"de-DE","time_zone":"Europe/Berlin"},"tax":{"tax_ids":[{"type":"eu_vat","value":"DE123456789"}],"exempt":"none"},"payment_method":null,"plan":{"code":"pro","amount_minor":5900,"currency":"EUR","interval":"month"},"scheduled":[],"warnings":[]}`

func TestAccountShowsEveryMember(t *testing.T) {
	w := newWorld(t, 12)
	w.put("c-1001", acme(t, 5))
	a := w.get("/v1/accounts/c-1001")
	if a.code != http.StatusOK || a.body != acmeJSON {
		t.Errorf("answer is %d\n%s\nwant 200\n%s", a.code, a.body, acmeJSON)
	}
	for name, want := range map[string]string{"Etag": `"5"`, "Content-Type": "application/json"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestHeadAnswersAsGetWithoutItsBody(t *testing.T) {
	w := newWorld(t, 1)
	w.put("c-1001", acme(t, 5))
	server := httptest.NewServer(w.handler)
	defer server.Close()
	res, err := http.Head(server.URL + "/v1/accounts/c-1001")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || res.ContentLength != int64(len(acmeJSON)) || res.Header.Get("Etag") != `"5"` {
		t.Errorf("HEAD is %d with %d bytes and ETag %s, want 200, %d and \"5\"", res.StatusCode, res.ContentLength, res.Header.Get("Etag"), len(acmeJSON))
	}
}

func TestAccountIsNotSentAgainWhenTheClientHasIt(t *testing.T) {
	w := newWorld(t, 12)
	w.put("c-1001", acme(t, 5))
	for header, want := range map[string]int{
		`"5"`:           304,
		`W/"5"`:         304,
		`"4", "5"`:      304,
		`"4",W/"5","6"`: 304,
		`*`:             304,
		`"4"`:           200,
		`"55"`:          200,
		`5`:             200,
	} {
		a := w.get("/v1/accounts/c-1001", "If-None-Match", header)
		if a.code != want {
			t.Errorf("If-None-Match %s gives %d, want %d", header, a.code, want)
		}
		if a.code == 304 && (a.body != "" || a.header.Get("Etag") != `"5"`) {
			t.Errorf("304 for %s has body %q and ETag %s, want none and \"5\"", header, a.body, a.header.Get("Etag"))
		}
	}
	if a := w.get("/v1/accounts/c-1001", "If-None-Match", `"4"`, "If-None-Match", `"5"`); a.code != 304 {
		t.Errorf("the second If-None-Match line gives %d, want 304", a.code)
	}
}

func TestIDsArriveAsTheyAre(t *testing.T) {
	w := newWorld(t, 12)
	for path, id := range map[string]string{
		"a%2Fb":                  "a/b",
		"caf%C3%A9":              "café",
		"a%3Fb":                  "a?b",
		"a+b":                    "a+b",
		"a;b":                    "a;b",
		"%20x%20":                " x ",
		"%2E%2E":                 "..",
		"%25":                    "%",
		strings.Repeat("a", 512): strings.Repeat("a", 512),
	} {
		w.put(id, acme(t, 5))
		if a := w.get("/v1/accounts/" + path); a.code != 200 {
			t.Errorf("path %.20s gives %d, want the account: %s", path, a.code, a.body)
		}
	}
}

func TestIDsThatNoCustomerCanHaveAreRefused(t *testing.T) {
	w := newWorld(t, 12)
	for _, path := range []string{"~position.0", "%7Eposition.0", "a%00b", "a%0Ab", "%FF", strings.Repeat("a", 513)} {
		w.get("/v1/accounts/"+path).wantProblem(400, views.InvalidCustomerID)
	}
}

func TestAccountIsUnknownUntilAnUpdateAnnouncesIt(t *testing.T) {
	w := newWorld(t, 12)
	w.put("silent", row(t, 0, billing.StatusUnregistered, map[billing.Facet]billing.Value{billing.FacetName: nil}))
	for _, id := range []string{"nobody", "silent"} {
		a := w.get("/v1/accounts/" + id)
		a.wantProblem(404, views.UnknownAccount)
		if strings.Contains(a.body, id) {
			t.Errorf("body is %s, want no id in it", a.body)
		}
	}
}

func TestErasedAccountShowsOnlyWhen(t *testing.T) {
	w := newWorld(t, 12)
	w.put("c-1001", row(t, 7, billing.StatusErased, map[billing.Facet]billing.Value{
		billing.FacetPlan: &customer.Plan{Code: "pro", AmountMinor: 5900, Currency: "EUR", Interval: customer.IntervalMonth},
	}))
	a := w.get("/v1/accounts/c-1001")
	a.wantProblem(410, views.Erased)
	want := `{"type":"/problems/erased","title":"The customer was erased","status":410,"code":"erased","erased_at":"2026-03-01T09:00:00Z"}`
	if a.body != want || a.header.Get("Etag") != "" {
		t.Errorf("answer is %s with ETag %q, want %s and none", a.body, a.header.Get("Etag"), want)
	}
}

func TestNothingIsAnsweredBeforeThePartitionHasRecovered(t *testing.T) {
	w := newWorld(t, 1)
	w.put("c-1001", acme(t, 5))
	w.recovering(0, 1204311)
	for _, target := range []string{"/v1/accounts/c-1001", "/v1/accounts/nobody", "/v1/accounts"} {
		p := w.get(target).wantProblem(503, views.Recovering)
		if p["remaining_records"] != float64(1204311) {
			t.Errorf("remaining_records of %s is %v, want 1204311", target, p["remaining_records"])
		}
	}
	w.recovered()
	if a := w.get("/v1/accounts/c-1001"); a.code != 200 {
		t.Errorf("after recovery the answer is %d, want 200", a.code)
	}
}

func TestOnePartitionThatRecoversHoldsUpOnlyItsOwnCustomers(t *testing.T) {
	w := newWorld(t, 2)
	ids := map[*partition]string{}
	for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
		w.put(id, acme(t, 1))
		ids[w.home(id)] = id
	}
	w.recovering(1, 7)
	if a := w.get("/v1/accounts/" + ids[w.partitions[0]]); a.code != 200 {
		t.Errorf("a customer of the ready partition gives %d, want 200", a.code)
	}
	w.get("/v1/accounts/"+ids[w.partitions[1]]).wantProblem(503, views.Recovering)
	w.get("/v1/accounts").wantProblem(503, views.Recovering)
}

// A recovery that begins in the middle of a look-up first says so, and then puts
// its empty rows in place. At no point may a customer who is there look unknown.
func TestRecoveryThatBeginsInTheMiddleIsNotTakenForAnEmptyTable(t *testing.T) {
	for _, target := range []string{"/v1/accounts/c-1001", "/v1/accounts"} {
		var w *world
		begin := func() {
			w.recovering(0, -1)
			w.partitions[0] = &partition{rows: map[string][]byte{}}
		}
		w = newWorld(t, 1, func(w *world) {
			take := w.Partition
			w.Partition = func(p int32) views.Partition { defer begin(); return take(p) }
		})
		w.put("c-1001", acme(t, 5))
		w.get(target).wantProblem(503, views.Recovering)

		w = newWorld(t, 1, func(w *world) {
			ask := w.Ready
			w.Ready = func(p int32) (int64, bool) { defer begin(); return ask(p) }
		})
		w.put("c-1001", acme(t, 5))
		if a := w.get(target); a.code != 200 || !strings.Contains(a.body, "c-1001") {
			t.Errorf("rows that were complete when asked give %d %s, want the account", a.code, a.body)
		}
	}
}

func TestARowThatCannotBeReadIsOurFault(t *testing.T) {
	w := newWorld(t, 12)
	w.putBytes("secret-id", []byte("\xff\xff not a row"))
	w.home("secret-id").err = nil
	w.put("other-id", acme(t, 1))
	w.home("other-id").err = errors.New("disk is gone")
	for _, target := range []string{"/v1/accounts/secret-id", "/v1/accounts/other-id", "/v1/accounts"} {
		w.log.Reset()
		a := w.get(target)
		p := a.wantProblem(500, views.Internal)
		id, _ := p["request_id"].(string)
		if id == "" || !strings.Contains(w.log.String(), id) {
			t.Errorf("request id is %q, want one that the log has as well:\n%s", id, w.log.String())
		}
		if strings.Contains(w.log.String()+a.body, "-id\"") || strings.Contains(w.log.String(), "secret") {
			t.Errorf("log or body names a customer:\n%s%s", w.log.String(), a.body)
		}
	}
}

func BenchmarkAccount(b *testing.B) {
	w := newWorld(b, 12)
	w.put("c-1001", acme(b, 5))
	r := httptest.NewRequest(http.MethodGet, "/v1/accounts/c-1001", http.NoBody)
	b.ReportAllocs()
	for b.Loop() {
		out := discard{http.Header{}}
		w.handler.ServeHTTP(out, r)
	}
}

// discard is a response writer that costs little.
type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}
