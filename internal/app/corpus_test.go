package app_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/cmd/billstream/corpus"
	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/internal/topics"
)

// The reference results of the corpus, found by a model of the rules that was
// written before the product.
var (
	wantOutcomes = map[string]float64{"updated": 93_216, "unchanged": 1, "duplicate": 0, "ignored": 0, "dead_letter": 0}
	wantClasses  = map[string]int{"applied": 82_969, "closed": 10_247}
	wantFacets   = map[string]int{"status": 37_033, "name": 49_217, "address.billing": 20_703, "contact": 20_375, "plan": 23_548}
	wantWarnings = map[string]int{"subdivision_missing": 1_154, "subdivision_unknown": 8}
	wantStatus   = map[string]int{"active": 16_539, "closed": 915}
	wantPlans    = map[string]int{"city": 8_978, "county": 2_639, "state-or-territory": 1_409}
	wantActive   = map[string]int{
		"2020-01-01T00:00:00Z": 5_795, "2024-02-28T21:00:00Z": 9_892, "2024-02-28T21:30:00Z": 896,
		"2024-02-28T22:00:00Z": 9_892, "2026-01-01T00:00:00Z": 14_785,
	}
)

const (
	wantDigest   = "bd4752af807522354c091455764a3a3ee197a192ec9f2c7c7e4cab8fc2206507"
	wantNameless = 13_584 // active customers at 2025-09-24T12:00:00Z
)

// The corpus goes through Kafka, the group and the view, with record timestamps
// at event time, and everything that comes out has the reference values.
func TestCorpusThroughThePipeline(t *testing.T) {
	t.Parallel()
	p := start(t, config(t.TempDir()))
	p.produce(false, corpusRecords(t)...)
	p.caughtUp()

	if got := p.metric("billstream_records_processed_total"); !maps.Equal(got, wantOutcomes) {
		t.Errorf("outcomes are %v, want %v", got, wantOutcomes)
	}
	for _, m := range p.families()["billstream_phase_seconds_total"].GetMetric() {
		for _, l := range m.GetLabel() {
			if spent := m.GetCounter().GetValue(); l.GetName() == "phase" && l.GetValue() != "backpressure" && spent <= 0 {
				t.Errorf("time spent in phase %s is %v, want some", l.GetValue(), spent)
			}
		}
	}
	updates := updatesByCustomer(t, p.read(topics.BillingUpdates))
	checkCounts(t, updates)
	checkHistory(t, updates)
	accounts := lookups(t, p.app.Addresses().Data)
	checkAccounts(t, accounts)
	checkFold(t, updates, accounts)
	checkModel(t, accounts)
}

func corpusRecords(t *testing.T) []*kgo.Record {
	t.Helper()
	r, err := corpus.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	records := make([]*kgo.Record, 0, corpus.Events)
	for lines.Scan() {
		env, err := codecs.ParseStructured(lines.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, env.Time)
		if err != nil {
			t.Fatal(err)
		}
		rec := env.Record(at.UnixMilli())
		k := &kgo.Record{Key: rec.Key, Value: rec.Value, Timestamp: at}
		for _, h := range rec.Headers {
			k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		records = append(records, k)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return records
}

// updatesByCustomer reads the updates in the order of their partitions and
// checks that each customer's seq is 1, 2, 3 … in that order.
func updatesByCustomer(t *testing.T, records []*kgo.Record) map[customer.ID][]*billing.Update {
	t.Helper()
	all := map[customer.ID][]*billing.Update{}
	for _, r := range records {
		u, err := codecs.ParseUpdate(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		if string(r.Key) != string(u.Customer) {
			t.Fatalf("key and customer of an update differ at %d@%d", r.Partition, r.Offset)
		}
		if want := uint64(len(all[u.Customer]) + 1); u.Seq != want {
			t.Fatalf("seq is %d at %d@%d, want %d", u.Seq, r.Partition, r.Offset, want)
		}
		all[u.Customer] = append(all[u.Customer], u)
	}
	return all
}

func checkCounts(t *testing.T, updates map[customer.ID][]*billing.Update) {
	t.Helper()
	classes, facets, warnings := map[string]int{}, map[string]int{}, map[string]int{}
	for _, list := range updates {
		for _, u := range list {
			classes[u.Class.String()]++
			for _, c := range u.Changes {
				facets[c.Facet.String()]++
			}
			for _, w := range u.Warnings {
				warnings[w.Code]++
			}
		}
	}
	compare(t, "classes", classes, wantClasses)
	compare(t, "changes by facet", facets, wantFacets)
	compare(t, "warnings", warnings, wantWarnings)
}

func compare(t *testing.T, what string, got, want map[string]int) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s are %v, want %v", what, got, want)
	}
}

// checkHistory overlays the changes, as the consumer's contract says, and looks
// at some instants of the past.
func checkHistory(t *testing.T, updates map[customer.ID][]*billing.Update) {
	t.Helper()
	active := map[string]int{}
	for at := range wantActive {
		for _, list := range updates {
			if valueAt(t, list, billing.FacetStatus, at) == billing.StatusActive {
				active[at]++
			}
		}
	}
	compare(t, "active customers", active, wantActive)
	nameless := 0
	const noon = "2025-09-24T12:00:00Z"
	for _, list := range updates {
		if valueAt(t, list, billing.FacetStatus, noon) == billing.StatusActive && valueAt(t, list, billing.FacetName, noon) == nil {
			nameless++
		}
	}
	if nameless != wantNameless {
		t.Errorf("active customers without a name at %s are %d, want %d", noon, nameless, wantNameless)
	}
}

// valueAt overlays [effective_from, effective_to) with the new value, in the
// order of seq.
func valueAt(t *testing.T, list []*billing.Update, f billing.Facet, at string) billing.Value {
	t.Helper()
	when, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatal(err)
	}
	i := customer.InstantOf(when)
	var v billing.Value
	for _, u := range list {
		for _, c := range u.Changes {
			if c.Facet == f && c.EffectiveFrom <= i && (c.EffectiveTo == nil || i < *c.EffectiveTo) {
				v = c.New
			}
		}
	}
	return v
}

func checkAccounts(t *testing.T, accounts map[string]map[string]any) {
	t.Helper()
	status, plans := map[string]int{}, map[string]int{}
	noContact, noSubdivision, most := 0, 0, 0
	var lines strings.Builder
	for _, id := range slices.Sorted(maps.Keys(accounts)) {
		a := accounts[id]
		status[a["status"].(string)]++
		seq := number(t, a["seq"])
		most = max(most, seq)
		fmt.Fprintf(&lines, "%s\t%d\t%s\n", id, seq, a["status"])
		if a["status"] != "active" {
			continue
		}
		if a["contact"] == nil {
			noContact++
		}
		if a["billing_address"].(map[string]any)["subdivision"] == nil {
			noSubdivision++
		}
		plans[a["plan"].(map[string]any)["code"].(string)]++
	}
	compare(t, "accounts by status", status, wantStatus)
	for plan, want := range wantPlans {
		if plans[plan] != want {
			t.Errorf("active accounts on plan %s are %d, want %d", plan, plans[plan], want)
		}
	}
	if noContact != 6_628 || noSubdivision != 5 || most != 22 {
		t.Errorf("without contact %d, without subdivision %d, largest seq %d; want 6628, 5, 22", noContact, noSubdivision, most)
	}
	sum := sha256.Sum256([]byte(lines.String()))
	if got := hex.EncodeToString(sum[:]); got != wantDigest {
		t.Errorf("digest of ids, seqs and states is %s, want %s", got, wantDigest)
	}
}

// checkFold builds each account from its updates alone: the current changes in
// list order are the profile, and each old value is what the fold had.
func checkFold(t *testing.T, updates map[customer.ID][]*billing.Update, accounts map[string]map[string]any) {
	t.Helper()
	if len(updates) != len(accounts) {
		t.Errorf("customers with updates are %d, accounts %d, want the same", len(updates), len(accounts))
	}
	for id, list := range updates {
		var profile [billing.FacetPlan + 1]billing.Value
		profile[billing.FacetStatus] = billing.StatusUnregistered
		for _, u := range list {
			for _, c := range u.Changes {
				if !c.Current {
					continue
				}
				if old := profile[c.Facet]; !billing.Equal(old, c.Old) && !(c.Facet == billing.FacetStatus && c.Old == nil) {
					t.Fatalf("old value of %s in update %d is not what the fold had", c.Facet, u.Seq)
				}
				profile[c.Facet] = c.New
			}
		}
		last := list[len(list)-1].Account
		got := accounts[string(id)]
		var want map[string]any
		if err := json.Unmarshal(codecs.AppendAccountJSON(nil, last), &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(loose(got), loose(want)) {
			t.Fatalf("account of a customer differs from the one in its last update:\n%v\n%v", got, want)
		}
		folded := *last
		folded.Name = nil
		if n, ok := profile[billing.FacetName].(billing.Name); ok {
			s := string(n)
			folded.Name = &s
		}
		folded.Status = profile[billing.FacetStatus].(billing.Status)
		folded.BillingAddress, _ = profile[billing.FacetBillingAddress].(*customer.Address)
		folded.Contact, _ = profile[billing.FacetContact].(*customer.Contact)
		folded.Plan, _ = profile[billing.FacetPlan].(*customer.Plan)
		if !reflect.DeepEqual(&folded, last) {
			t.Fatalf("fold of the updates is not the account of the last one, for a customer with %d updates", len(list))
		}
	}
}

// loose makes numbers comparable, however they were decoded.
func loose(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		panic(err)
	}
	return out
}

// checkModel compares with the second opinion, for all customers.
func checkModel(t *testing.T, accounts map[string]map[string]any) {
	t.Helper()
	r, err := corpus.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	m := modelOf(t, r)
	if len(m) != len(accounts) {
		t.Errorf("accounts are %d, want %d", len(accounts), len(m))
	}
	wrong := 0
	for id, want := range m {
		for _, member := range modelled {
			if got := accounts[id][member]; !reflect.DeepEqual(got, want[member]) && wrong < 10 {
				wrong++
				t.Errorf("%s of a customer is %v, want %v", member, got, want[member])
			}
		}
	}
}
