package billing

import (
	"slices"

	"billstream/internal/customer"
)

// settle brings into force what has fallen due since the clock of the row:
// every instant in turn, and at each every facet in order. Such a change is
// current even if the next instant has replaced it: a reader follows one after
// the other.
func (f *fold) settle() {
	due := 0
	for due < len(f.row.Pending) && f.row.Pending[due].EffectiveFrom <= f.now {
		at := f.row.Pending[due].EffectiveFrom
		if due == 0 || at > f.row.Pending[due-1].EffectiveFrom {
			f.settleAt(at)
		}
		due++
	}
	f.row.Pending = f.row.Pending[due:]
}

func (f *fold) settleAt(at customer.Instant) {
	for facet := FacetStatus; facet <= FacetPlan; facet++ {
		t := &f.row.Timelines[facet]
		last := t.after(at) - 1
		if last < 0 || t.Versions[last].EffectiveFrom != at {
			continue
		}
		old, v := facet.orUnset(t.before(t.after(at-1))), &t.Versions[last]
		if Equal(old, v.Value) {
			continue
		}
		f.changes = append(f.changes, Change{
			Facet: facet, Old: old, New: v.Value, Fields: Fields(old, v.Value),
			EffectiveFrom: at, EffectiveTo: t.end(last),
			Current: true, ScheduledBy: f.scheduledBy(v.Event),
		})
	}
}

// scheduledBy returns the pending event with this hash.
func (f *fold) scheduledBy(event uint64) *EventRef {
	for i := range f.row.Pending {
		if ref := &f.row.Pending[i].Event; EventHash(ref.Source, ref.ID) == event {
			return ref
		}
	}
	return nil
}

// schedule keeps the list of pending events true after an insertion: this
// event is one of them if it lies ahead, and those whose versions are gone are
// none any more. A version of the past touches nothing ahead of the clock.
func (f *fold) schedule() {
	own := Pending{f.event.EffectiveFrom, EventRef{f.event.Source, f.event.ID}}
	if own.EffectiveFrom <= f.now {
		return
	}
	next := make([]Pending, 0, len(f.row.Pending)+1)
	for _, p := range f.row.Pending {
		if p != own && f.liesAhead(p) {
			next = append(next, p)
		}
	}
	i := len(next)
	for i > 0 && next[i-1].EffectiveFrom > own.EffectiveFrom {
		i--
	}
	f.row.Pending = slices.Insert(next, i, own)
}

// liesAhead reports whether a pending event still has a version after the
// clock.
func (f *fold) liesAhead(p Pending) bool {
	hash := EventHash(p.Event.Source, p.Event.ID)
	for facet := FacetStatus; facet <= FacetPlan; facet++ {
		t := &f.row.Timelines[facet]
		for i := t.after(f.now); i < len(t.Versions); i++ {
			if v := &t.Versions[i]; v.Event == hash && v.EffectiveFrom == p.EffectiveFrom {
				return true
			}
		}
	}
	return false
}
