package billing_test

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"billstream/internal/billing"
	"billstream/internal/customer"
)

func TestUpdatesAreNumberedWithoutGapsAndSaySomething(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var seq uint64
		var recorded customer.Instant
		run(t, history(t, 14, false), func(_ arrival, res billing.Result, err error) {
			if err != nil {
				t.Fatalf("a history within all limits is refused: %v", err)
			}
			u := res.Update
			if u == nil {
				return
			}
			if seq++; u.Seq != seq || u.Account.Seq != seq {
				t.Fatalf("seq is %d, of the account %d, want %d", u.Seq, u.Account.Seq, seq)
			}
			if u.RecordedAt < recorded || u.Account.UpdatedAt != u.RecordedAt {
				t.Fatal("recorded_at went back, or is not when the account was updated")
			}
			recorded = u.RecordedAt
			checkChanges(t, u)
		})
	})
}

func checkChanges(t *rapid.T, u *billing.Update) {
	if len(u.Changes) == 0 {
		t.Fatal("an update has no change")
	}
	for _, c := range u.Changes {
		if billing.Equal(c.Old, c.New) {
			t.Fatalf("%s changes to what it was", c.Facet)
		}
		if c.EffectiveTo != nil && *c.EffectiveTo <= c.EffectiveFrom {
			t.Fatalf("the interval of %s is empty", c.Facet)
		}
		if c.Current && (u.Class == billing.ClassScheduled || u.Class == billing.ClassCorrected) {
			t.Fatalf("a change of class %s is current", u.Class)
		}
	}
}

func TestCurrentChangesFoldToTheAccount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		profile := map[billing.Facet]billing.Value{billing.FacetStatus: billing.StatusUnregistered}
		all := history(t, 14, false)
		if rapid.Bool().Draw(t, "erase") {
			all = append(all, erasure(all[len(all)-1].recorded))
		}
		run(t, all, func(_ arrival, res billing.Result, _ error) {
			if res.Update == nil {
				return
			}
			for _, c := range res.Update.Changes {
				if !c.Current {
					continue
				}
				if !billing.Equal(profile[c.Facet], c.Old) {
					t.Fatalf("old %s is %s, want what was announced, %s", c.Facet, printValue(c.Old), printValue(profile[c.Facet]))
				}
				profile[c.Facet] = c.New
			}
			if res.Update.Class == billing.ClassErased {
				return // a consumer forgets everything
			}
			for f := range facets {
				if got := res.Row.At(f, res.Row.RecordedAt); !billing.Equal(got, profile[f]) {
					t.Fatalf("%s is %s, want what was announced, %s", f, printValue(got), printValue(profile[f]))
				}
			}
		})
	})
}

func erasure(at customer.Instant) arrival {
	e := &customer.Event{Customer: "c-1", Source: "/crm", ID: "erase", Time: at, EffectiveFrom: at, Type: customer.TypeErased, Change: customer.Erased{}}
	return arrival{e, at}
}

// span is a change laid over a history.
type span struct {
	facet    billing.Facet
	from, to customer.Instant
	value    billing.Value
}

func TestAllChangesOverlayToTheValueAtEveryInstant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := history(t, 14, false)
		var spans []span
		row := run(t, all, func(_ arrival, res billing.Result, _ error) {
			if res.Update == nil {
				return
			}
			for _, c := range res.Update.Changes {
				s := span{c.Facet, c.EffectiveFrom, lastDay + 1, c.New}
				if c.EffectiveTo != nil {
					s.to = *c.EffectiveTo
				}
				spans = append(spans, s)
			}
		})
		m := modelOf(all)
		for f := range facets {
			for at := range instants {
				got := unset(f)
				for _, s := range spans {
					if s.facet == f && s.from <= at && at < s.to {
						got = s.value
					}
				}
				if want := m.at(f, at); !billing.Equal(got, want) || !billing.Equal(row.At(f, at), want) {
					t.Fatalf("%s at %s: overlay is %s, row %s, want %s", f, at, printValue(got), printValue(row.At(f, at)), printValue(want))
				}
			}
		}
	})
}

func TestOrderAndRepeatsDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := history(t, 14, true)
		other := rapid.Permutation(all).Draw(t, "other order")
		for range rapid.IntRange(0, 3).Draw(t, "repeats") {
			other = append(other, rapid.SampledFrom(all).Draw(t, "repeat"))
		}
		a, b, m := settled(t, all), settled(t, other), modelOf(all)
		for f := range facets {
			if f == billing.FacetContact {
				continue
			}
			for at := range instants {
				if want := m.at(f, at); !billing.Equal(a.At(f, at), want) || !billing.Equal(b.At(f, at), want) {
					t.Fatalf("%s at %s is %s and %s, want %s", f, at, printValue(a.At(f, at)), printValue(b.At(f, at)), printValue(want))
				}
			}
		}
		ra, rb := billing.AccountOf("c-1", a).RegisteredAt, billing.AccountOf("c-1", b).RegisteredAt
		if want := m.registered(lastDay); !reflect.DeepEqual(ra, want) || !reflect.DeepEqual(rb, want) {
			t.Fatalf("registered at %s and %s, want %s", printOptional("", ra), printOptional("", rb), printOptional("", want))
		}
	})
}

// TestArrivalOrderWouldMatter is the control of the test above: a fold in
// which the last to arrive wins does not pass it.
func TestArrivalOrderWouldMatter(t *testing.T) {
	differs := false
	rapid.Check(t, func(t *rapid.T) {
		all := history(t, 14, true)
		m, last := modelOf(all), unset(billing.FacetName)
		for _, a := range all {
			if c, ok := a.event.Change.(customer.Renamed); ok {
				last = name(c.Name)
			}
		}
		differs = differs || !billing.Equal(last, m.at(billing.FacetName, lastDay))
	})
	if !differs {
		t.Fatal("the last to arrive always wins, want histories in which it does not")
	}
}

func TestASettledAccountShowsWhatHoldsNow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := history(t, 14, false)
		a, m := billing.AccountOf("c-1", settled(t, all)), modelOf(all)
		want := &billing.Account{
			Customer: "c-1", Seq: a.Seq, UpdatedAt: lastDay,
			RegisteredAt: m.registered(lastDay), ClosedAt: m.closed(lastDay),
			Contact: &customer.Contact{Email: "a@b.example"},
		}
		want.Status, _ = m.at(billing.FacetStatus, lastDay).(billing.Status)
		if n, ok := m.at(billing.FacetName, lastDay).(billing.Name); ok {
			want.Name = new(string(n))
		}
		want.Plan, _ = m.at(billing.FacetPlan, lastDay).(*customer.Plan)
		want.BillingAddress, _ = m.at(billing.FacetBillingAddress, lastDay).(*customer.Address)
		if !reflect.DeepEqual(a, want) {
			t.Fatalf("account is\n%s\nwant\n%s", printAccount(a), printAccount(want))
		}
	})
}

// closed returns the start of the closed interval that holds at t.
func (m model) closed(t customer.Instant) *customer.Instant {
	if m.at(billing.FacetStatus, t) != billing.StatusClosed {
		return nil
	}
	for m.at(billing.FacetStatus, t-day) == billing.StatusClosed {
		t -= day
	}
	return &t
}

func TestApplyIsPure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := append(history(t, 30, false), erasure(lastDay))
		var row *billing.Row
		for i, a := range all {
			at := billing.Position{Topic: "customer.events", Partition: 1, Offset: int64(i)}
			before, event := clone(row), *a.event
			first, err1 := billing.Apply(row, a.event, at, a.recorded)
			second, err2 := billing.Apply(row, a.event, at, a.recorded)
			if !reflect.DeepEqual(first, second) || !reflect.DeepEqual(err1, err2) {
				t.Fatal("a second call gives another result")
			}
			if !reflect.DeepEqual(before, row) || !reflect.DeepEqual(&event, a.event) {
				t.Fatal("an argument is changed")
			}
			if first.Row != nil {
				row = first.Row
			}
		}
	})
}

func TestTheHorizonTakesThePastAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := history(t, 120, true)
		row := run(t, all, nil)
		m := modelOf(all)
		for f := range facets {
			line := row.Timelines[f]
			for at := range instants {
				full := line.Truncated || len(line.Versions) == billing.Horizon
				if full && at < line.Versions[0].EffectiveFrom {
					continue
				}
				if want := m.at(f, at); !billing.Equal(row.At(f, at), want) {
					t.Fatalf("%s at %s is %s, want %s", f, at, printValue(row.At(f, at)), printValue(want))
				}
			}
			if line.Truncated && line.Versions[0].EffectiveFrom > row.RecordedAt {
				t.Fatalf("%s: the version in force was dropped", f)
			}
		}
	})
}

func TestRunRateOfUpdatesIsThatOfTheAccounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var announced, held int64
		for range rapid.IntRange(1, 4).Draw(t, "customers") {
			row := run(t, history(t, 14, false), func(_ arrival, res billing.Result, _ error) {
				if res.Update == nil {
					return
				}
				for _, c := range res.Update.Changes {
					if c.Current && c.Facet == billing.FacetPlan {
						announced += annual(t, c.New) - annual(t, c.Old)
					}
				}
			})
			if plan := billing.AccountOf("c-1", row).Plan; plan != nil {
				held += annual(t, plan)
			}
		}
		if announced != held {
			t.Fatalf("run-rate is %d by the updates, want that of the accounts, %d", announced, held)
		}
	})
}

func annual(t *rapid.T, v billing.Value) int64 {
	if v == nil {
		return 0
	}
	n, err := billing.AnnualMinor(v.(*customer.Plan))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAnAccountChangesOnlyWithItsSeq(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := billing.AccountOf("c-1", nil)
		run(t, history(t, 14, false), func(_ arrival, res billing.Result, _ error) {
			if res.Row == nil {
				return
			}
			after := billing.AccountOf("c-1", res.Row)
			if res.Update == nil && !reflect.DeepEqual(before, after) {
				t.Fatalf("without an update the account\n%s\nbecomes\n%s", printAccount(before), printAccount(after))
			}
			if res.Update != nil && !reflect.DeepEqual(res.Update.Account, after) {
				t.Fatal("the update carries another account than the row announces")
			}
			before = after
		})
	})
}

// FuzzApply runs histories of every length, with equal keys, far beyond the
// horizon: no panic, and every row keeps its promises.
func FuzzApply(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		run(t, history(t, 60, false), nil)
	}))
}
