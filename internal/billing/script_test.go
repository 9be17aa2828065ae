package billing_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"billstream/internal/billing"
	"billstream/internal/customer"
)

// TestScripts runs the rules of billing as they are written down in
// testdata/apply. A block is one event and what billing makes of it:
//
//	plan_changed id=evt-3 time=2026-03-12T10:00 from=2026-04-01
//	plan: pro 5900 EUR month
//	----
//	updated: seq 3, scheduled, recorded 2026-03-12 10:00
//	…
//
// The command is the event's type; time is when the source says it happened,
// recorded when its record was written (time, if left out), from the effective
// date. The lines below state facts; "none" states that there is no value.
// Further commands: new (another customer), account, history, as-of at=…,
// plans and flips (many events in a row).
//
// Run with -rewrite to accept what comes out, and read that diff.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/apply", func(t *testing.T, path string) {
		s := script{offset: -1}
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct {
	row    *billing.Row
	offset int64
	events int
}

const scriptCustomer = "c-1001"

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	switch d.Cmd {
	case "new":
		*s = script{offset: -1}
		return ""
	case "account":
		return printAccount(billing.AccountOf(scriptCustomer, s.row))
	case "history":
		return printHistory(s.row)
	case "as-of":
		return s.asOf(t, d)
	case "plans", "flips":
		return s.repeat(t, d)
	}
	e, err := s.event(t, d)
	if err != nil {
		return "refused: " + err.Error() + "\n"
	}
	return s.apply(t, d, e)
}

// apply hands one event to billing. It does so twice, and checks that the
// answers agree and that the row before is still whole.
func (s *script) apply(t *testing.T, d *datadriven.TestData, e *customer.Event) string {
	t.Helper()
	recorded := e.Time
	instantArg(t, d, "recorded", &recorded)
	at := billing.Position{Topic: "customer.events", Partition: 3, Offset: s.offset + 1}
	if d.HasArg("offset") {
		d.ScanArgs(t, "offset", &at.Offset)
	}
	if d.HasArg("partition") {
		d.ScanArgs(t, "partition", &at.Partition)
	}
	s.offset = max(s.offset, at.Offset)
	before := printHistory(s.row)
	first, err1 := billing.Apply(s.row, e, at, recorded)
	second, err2 := billing.Apply(s.row, e, at, recorded)
	if !reflect.DeepEqual(first, second) || !reflect.DeepEqual(err1, err2) {
		t.Fatal("a second call gives another result, want the same")
	}
	if printHistory(s.row) != before {
		t.Fatal("the row before is changed, want it whole")
	}
	if err1 != nil {
		return "refused: " + err1.Error() + "\n"
	}
	if first.Row != nil {
		s.row = first.Row
	}
	return printResult(first)
}

// repeat applies n events whose effective dates and times lie every days apart
// and prints the last result: plans of 1, 2, 3 … minor units, or flips, which
// are registrations and closings in turn.
func (s *script) repeat(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	var n, every int
	var from, said customer.Instant
	d.ScanArgs(t, "n", &n)
	d.ScanArgs(t, "every", &every)
	instantArg(t, d, "from", &from)
	ahead := instantArg(t, d, "time", &said)
	out := ""
	for i := range n {
		e := s.named(customer.TypePlanChanged, d)
		e.Change = customer.PlanChanged{Plan: &customer.Plan{Code: "pro", AmountMinor: int64(i + 1), Currency: "EUR", Interval: customer.IntervalMonth}}
		if d.Cmd == "flips" {
			e.Type, e.Change = customer.TypeRegistered, customer.Registered{}
			if i%2 == 1 {
				e.Type, e.Change = customer.TypeClosed, customer.Closed{}
			}
		}
		e.EffectiveFrom = from.Add(time.Duration(i*every) * 24 * time.Hour)
		e.Time = e.EffectiveFrom
		if ahead {
			e.Time = said
		}
		out = s.apply(t, d, e)
	}
	return out
}

func (s *script) asOf(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	var at customer.Instant
	instantArg(t, d, "at", &at)
	var b strings.Builder
	for f := billing.FacetStatus; f <= billing.FacetPlan; f++ {
		if v := s.row.At(f, at); v != nil {
			fmt.Fprintf(&b, "%s: %s\n", f, printValue(v))
		}
	}
	return b.String()
}

// named returns an event with an id, of its own unless the block gives one.
func (s *script) named(typ customer.Type, d *datadriven.TestData) *customer.Event {
	s.events++
	e := &customer.Event{Customer: scriptCustomer, Source: "/crm", ID: fmt.Sprintf("auto-%d", s.events), Type: typ}
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "id":
			e.ID = arg.Vals[0]
		case "source":
			e.Source = arg.Vals[0]
		case "sequence":
			e.Sequence = arg.Vals[0]
		}
	}
	return e
}

// event reads a block; the error is a refusal of a value in it.
func (s *script) event(t *testing.T, d *datadriven.TestData) (*customer.Event, error) {
	t.Helper()
	typ, err := customer.ParseType("customer." + d.Cmd + ".v1")
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	e := s.named(typ, d)
	if !instantArg(t, d, "time", &e.Time) {
		d.Fatalf(t, "time is absent, want one")
	}
	e.EffectiveFrom = e.Time
	instantArg(t, d, "from", &e.EffectiveFrom)
	facts, err := readFacts(d.Input)
	if err != nil {
		return nil, err
	}
	e.Change, e.Warnings = facts.change(typ), facts.warnings
	return e, nil
}

// instantArg reads "2026-04-01" or "2026-04-01T10:00" or with seconds, in UTC,
// and reports whether the block has it.
func instantArg(t *testing.T, d *datadriven.TestData, key string, to *customer.Instant) bool {
	t.Helper()
	if !d.HasArg(key) {
		return false
	}
	var s string
	d.ScanArgs(t, key, &s)
	const midnight = "2026-01-01T00:00:00"
	at, err := customer.ParseInstant(s + midnight[min(len(s), len(midnight)):] + "Z")
	if err != nil {
		d.Fatalf(t, "%s: %v", key, err)
	}
	*to = at
	return true
}
