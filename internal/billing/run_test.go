package billing_test

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"billstream/internal/billing"
	"billstream/internal/customer"
)

// run applies a history and hands every result to see.
func run(t *rapid.T, all []arrival, see func(arrival, billing.Result, error)) *billing.Row {
	var row *billing.Row
	for i, a := range all {
		res, err := billing.Apply(row, a.event, billing.Position{Topic: "customer.events", Partition: 1, Offset: int64(i)}, a.recorded)
		if see != nil {
			see(a, res, err)
		}
		if res.Row != nil {
			row = res.Row
			checkRow(t, row)
		}
	}
	return row
}

// settled applies a history and then, after all that it speaks of, a fact that
// the model does not look at: everything is due.
func settled(t *rapid.T, all []arrival) *billing.Row {
	last := &customer.Event{
		Customer: "c-1", Source: "/test", ID: "last", Time: lastDay, EffectiveFrom: lastDay,
		Type: customer.TypeContactChanged, Change: customer.ContactChanged{Contact: &customer.Contact{Email: "a@b.example"}},
	}
	return run(t, append(slices.Clone(all), arrival{last, lastDay}), nil)
}

// checkRow holds what every row promises.
func checkRow(t *rapid.T, r *billing.Row) {
	ahead := map[billing.Pending]bool{}
	for f := range facets {
		line := r.Timelines[f].Versions
		if len(line) > billing.Horizon {
			t.Fatalf("%s has %d versions, want at most %d", f, len(line), billing.Horizon)
		}
		future := map[customer.Instant]bool{}
		for i, v := range line {
			if i > 0 && less(v, line[i-1]) {
				t.Fatalf("%s: version %d is not in order", f, i)
			}
			if v.EffectiveFrom > r.RecordedAt {
				future[v.EffectiveFrom] = true
				ahead[billing.Pending{EffectiveFrom: v.EffectiveFrom, Event: billing.EventRef{Source: fmt.Sprint(v.Event)}}] = true
			}
		}
		if len(future) > billing.MaxFuture {
			t.Fatalf("%s begins at %d future instants, want at most %d", f, len(future), billing.MaxFuture)
		}
	}
	for i, p := range r.Pending {
		if i > 0 && p.EffectiveFrom < r.Pending[i-1].EffectiveFrom {
			t.Fatal("pending events are not in order")
		}
		hash := fmt.Sprint(billing.EventHash(p.Event.Source, p.Event.ID))
		delete(ahead, billing.Pending{EffectiveFrom: p.EffectiveFrom, Event: billing.EventRef{Source: hash}})
		if p.EffectiveFrom <= r.RecordedAt {
			t.Fatal("a pending event is due, want it settled")
		}
	}
	if len(ahead) > 0 && r.ErasedAt == nil { // nothing of an erased customer falls due
		t.Fatalf("%d events lie ahead and are not pending", len(ahead))
	}
}

func less(a, b billing.Version) bool {
	if a.EffectiveFrom != b.EffectiveFrom {
		return a.EffectiveFrom < b.EffectiveFrom
	}
	return a.Time < b.Time || a.Time == b.Time && a.Sequence < b.Sequence
}

// clone copies a row so deep that a change to the original shows.
func clone(r *billing.Row) *billing.Row {
	if r == nil {
		return nil
	}
	c := *r
	c.Pending = slices.Clone(r.Pending)
	for f := range c.Timelines {
		c.Timelines[f].Versions = slices.Clone(r.Timelines[f].Versions)
	}
	return &c
}
