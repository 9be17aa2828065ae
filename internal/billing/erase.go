package billing

import "billstream/internal/customer"

// erase forgets the customer. What stays is what the books need and what names
// nobody: the plan, and of the billing address country and subdivision. A row
// is made even for a customer not seen before, so that late events are refused.
//
// Nothing is settled: an update about a change that fell due would carry what
// is to be forgotten.
func (f *fold) erase() Result {
	old := f.row.status(f.clock)
	row := Row{
		Seq:              f.row.Seq + 1,
		RecordedAt:       f.now,
		UpdatedAt:        f.now,
		AppliedPartition: f.at.Partition,
		AppliedOffset:    f.at.Offset,
		ErasedAt:         new(f.now),
	}
	row.Timelines[FacetPlan] = f.row.Timelines[FacetPlan]
	row.Timelines[FacetBillingAddress] = residue(f.row.Timelines[FacetBillingAddress])
	f.changes = []Change{{
		Facet: FacetStatus, Old: old, New: StatusErased,
		EffectiveFrom: f.now, Current: true,
	}}
	return Result{Outcome: Updated, Row: &row, Update: f.update(&row, old)}
}

// residue returns a timeline of addresses without what leads to a person.
func residue(t Timeline) Timeline {
	kept := Timeline{Truncated: t.Truncated}
	for _, v := range t.Versions {
		if a, ok := v.Value.(*customer.Address); ok {
			v.Value = &customer.Address{Subdivision: a.Subdivision, Country: a.Country}
		}
		kept.Versions = append(kept.Versions, v)
	}
	return kept
}
