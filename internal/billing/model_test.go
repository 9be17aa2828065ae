package billing_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"billstream/internal/billing"
	"billstream/internal/customer"
)

// arrival is one record of a history: an event and when it was written.
type arrival struct {
	event    *customer.Event
	recorded customer.Instant
}

const day = customer.Instant(24 * 3600 * 1_000_000)

// lastDay lies after every instant that a generated history speaks of.
const lastDay = 200 * day

// history draws a customer's records: time is within 40 days, effective dates
// are now, earlier, or one of four later days; records may come late, and
// every event says one of few values, so that no-ops and flips are frequent.
func history(t *rapid.T, n int, distinct bool) []arrival {
	all := make([]arrival, rapid.IntRange(1, n).Draw(t, "events"))
	clock := customer.Instant(0)
	for i := range all {
		at := customer.Instant(rapid.IntRange(0, 40).Draw(t, "day")) * day
		clock = max(clock, at, clock+customer.Instant(rapid.IntRange(0, 12).Draw(t, "wait"))*day)
		e := &customer.Event{Customer: "c-1", Source: "/crm", ID: fmt.Sprint("e", i), Time: at, EffectiveFrom: effective(t, at)}
		if distinct {
			e.Sequence = fmt.Sprintf("%020d", i)
		}
		e.Type, e.Change = change(t)
		all[i] = arrival{e, clock}
	}
	return all
}

func effective(t *rapid.T, at customer.Instant) customer.Instant {
	switch rapid.IntRange(0, 3).Draw(t, "dated") {
	case 0:
		return at - customer.Instant(rapid.IntRange(1, 10).Draw(t, "back"))*day
	case 1:
		return customer.Instant(50+10*rapid.IntRange(0, 3).Draw(t, "ahead")) * day
	}
	return at
}

// change draws what an event says. Every value is one of three, none included.
func change(t *rapid.T) (customer.Type, customer.Change) {
	switch rapid.IntRange(0, 7).Draw(t, "type") {
	case 0:
		r := customer.Registered{}
		if rapid.Bool().Draw(t, "with name") {
			r.Name = customer.State(drawName(t))
		}
		if rapid.Bool().Draw(t, "with plan") {
			r.Plan = customer.State(drawPlan(t))
		}
		return customer.TypeRegistered, r
	case 1:
		return customer.TypeClosed, customer.Closed{Reason: "because"}
	case 2:
		return customer.TypeAddressChanged, customer.AddressChanged{Kind: customer.BillingAddress, Address: drawAddress(t)}
	case 3, 4:
		return customer.TypeRenamed, customer.Renamed{Name: drawName(t)}
	default:
		return customer.TypePlanChanged, customer.PlanChanged{Plan: drawPlan(t)}
	}
}

func drawName(t *rapid.T) *string {
	return rapid.SampledFrom([]*string{nil, new("A"), new("B")}).Draw(t, "name")
}

func drawPlan(t *rapid.T) *customer.Plan {
	if n := rapid.Int64Range(0, 3).Draw(t, "plan"); n > 0 {
		return &customer.Plan{Code: "pro", AmountMinor: 100 * n, Currency: "EUR", Interval: customer.Interval(n)}
	}
	return nil
}

func drawAddress(t *rapid.T) *customer.Address {
	if n := rapid.IntRange(0, 2).Draw(t, "address"); n > 0 {
		return &customer.Address{Line1: fmt.Sprint(n, " Main St"), Country: "DE"}
	}
	return nil
}

// said is one fact of the model.
type said struct {
	event *customer.Event
	value billing.Value
}

// model is the naive reading of the rules: a state is a question about the set
// of events, answered from scratch each time.
type model struct{ facts map[billing.Facet][]said }

// modelOf gathers the facts of all events, each event once.
func modelOf(all []arrival) model {
	m := model{map[billing.Facet][]said{}}
	seen := map[string]bool{}
	for _, a := range all {
		if key := a.event.Source + "\x00" + a.event.ID; !seen[key] {
			seen[key] = true
			m.add(a.event)
		}
	}
	for _, facts := range m.facts {
		slices.SortStableFunc(facts, func(a, b said) int {
			return cmp.Or(cmp.Compare(a.event.EffectiveFrom, b.event.EffectiveFrom),
				cmp.Compare(a.event.Time, b.event.Time), strings.Compare(a.event.Sequence, b.event.Sequence))
		})
	}
	return m
}

func (m model) add(e *customer.Event) {
	say := func(f billing.Facet, v billing.Value) { m.facts[f] = append(m.facts[f], said{e, v}) }
	switch c := e.Change.(type) {
	case customer.Registered:
		say(billing.FacetStatus, billing.StatusActive)
		if c.Name.Stated {
			say(billing.FacetName, name(c.Name.Value))
		}
		if c.Plan.Stated {
			say(billing.FacetPlan, pointer(c.Plan.Value))
		}
	case customer.Closed:
		say(billing.FacetStatus, billing.StatusClosed)
	case customer.Renamed:
		say(billing.FacetName, name(c.Name))
	case customer.PlanChanged:
		say(billing.FacetPlan, pointer(c.Plan))
	case customer.AddressChanged:
		say(billing.FacetBillingAddress, pointer(c.Address))
	}
}

func name(s *string) billing.Value {
	if s == nil {
		return nil
	}
	return billing.Name(*s)
}

func pointer[T any](p *T) billing.Value {
	if p == nil {
		return nil
	}
	return p
}

// at returns the value of a facet at an instant.
func (m model) at(f billing.Facet, t customer.Instant) billing.Value {
	v := unset(f)
	for _, s := range m.facts[f] {
		if s.event.EffectiveFrom <= t {
			v = s.value
		}
	}
	return v
}

// unset is the value of a facet of which nothing was said.
func unset(f billing.Facet) billing.Value {
	if f == billing.FacetStatus {
		return billing.StatusUnregistered
	}
	return nil
}

// registered returns the first instant up to t at which the customer is active.
func (m model) registered(t customer.Instant) *customer.Instant {
	for at := -60 * day; at <= t; at += day {
		if m.at(billing.FacetStatus, at) == billing.StatusActive {
			return &at
		}
	}
	return nil
}

// instants yields a moment before all history, and one per day.
func instants(yield func(customer.Instant) bool) {
	for at := -60 * day; at <= lastDay; at += day {
		if !yield(at) {
			return
		}
	}
}

// facets yields the facets in order.
func facets(yield func(billing.Facet) bool) {
	for f := billing.FacetStatus; f <= billing.FacetPlan; f++ {
		if !yield(f) {
			return
		}
	}
}
