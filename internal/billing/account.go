package billing

import (
	"cmp"
	"slices"

	"billstream/internal/customer"
)

// Account is a customer as billing sees it: what its updates have announced up
// to Seq. Nothing in it may change without Seq.
type Account struct {
	Customer        customer.ID
	Status          Status
	Seq             uint64
	RegisteredAt    *customer.Instant // start of the first active interval
	ClosedAt        *customer.Instant // start of the closed interval in force
	ErasedAt        *customer.Instant
	UpdatedAt       customer.Instant
	Name            *string
	BillingAddress  *customer.Address
	ShippingAddress *customer.Address
	Contact         *customer.Contact
	Tax             *customer.Tax
	PaymentMethod   *customer.PaymentMethod
	Plan            *customer.Plan
	Scheduled       []Scheduled        // by EffectiveFrom, then Facet
	Warnings        []customer.Warning // of the values in force
}

// Scheduled is a change of value that lies ahead of the account's clock.
type Scheduled struct {
	Facet         Facet
	EffectiveFrom customer.Instant
	New           Value
}

// AccountOf returns the account that row announces for the customer id: what
// holds at the row's clock. A nil row is a customer of whom nothing is known.
// The account shares the row's values.
func AccountOf(id customer.ID, row *Row) *Account {
	if row == nil {
		return &Account{Customer: id}
	}
	return accountAt(id, row, row.RecordedAt)
}

// accountAt returns what holds at t by all that row knows.
func accountAt(id customer.ID, row *Row, t customer.Instant) *Account {
	a := &Account{
		Customer:     id,
		Status:       row.status(t),
		Seq:          row.Seq,
		RegisteredAt: row.registeredAt(t),
		ClosedAt:     row.closedAt(t),
		ErasedAt:     row.ErasedAt,
		UpdatedAt:    row.UpdatedAt,
	}
	if name, ok := row.Timelines[FacetName].At(t).(Name); ok {
		a.Name = new(string(name))
	}
	a.BillingAddress, _ = row.Timelines[FacetBillingAddress].At(t).(*customer.Address)
	a.ShippingAddress, _ = row.Timelines[FacetShippingAddress].At(t).(*customer.Address)
	a.Contact, _ = row.Timelines[FacetContact].At(t).(*customer.Contact)
	a.Tax, _ = row.Timelines[FacetTax].At(t).(*customer.Tax)
	a.PaymentMethod, _ = row.Timelines[FacetPaymentMethod].At(t).(*customer.PaymentMethod)
	a.Plan, _ = row.Timelines[FacetPlan].At(t).(*customer.Plan)
	a.Scheduled = row.scheduled(t)
	a.Warnings = a.warnings()
	return a
}

// warnings returns what is doubtful about the values in force. It is computed
// on every read, so that a better table of codes needs no rewritten rows.
func (a *Account) warnings() []customer.Warning {
	var w []customer.Warning
	if a.BillingAddress != nil {
		w = a.BillingAddress.AppendWarnings(w, customer.BillingAddress)
	}
	if a.ShippingAddress != nil {
		w = a.ShippingAddress.AppendWarnings(w, customer.ShippingAddress)
	}
	if a.Contact != nil {
		w = a.Contact.AppendWarnings(w)
	}
	if a.Plan != nil {
		w = a.Plan.AppendWarnings(w)
	}
	return w
}

// At returns the value of facet f at instant t by all that r knows now: nil if
// there is none, for FacetStatus never nil. Before the oldest version of a
// truncated timeline the answer is unknown, and nil.
func (r *Row) At(f Facet, t customer.Instant) Value {
	if f == FacetStatus {
		return r.status(t)
	}
	return r.Timelines[f].At(t)
}

// orUnset returns v, or for a status that was never stated what that means.
func (f Facet) orUnset(v Value) Value {
	if f == FacetStatus && v == nil {
		return StatusUnregistered
	}
	return v
}

// status returns the status that holds at t. An erased customer is that at all
// times: what was before is forgotten.
func (r *Row) status(t customer.Instant) Status {
	if r.ErasedAt != nil {
		return StatusErased
	}
	s, _ := r.Timelines[FacetStatus].At(t).(Status)
	return s
}

// registeredAt returns the start of the first active interval that begins at t
// or before, nil if there is none.
func (r *Row) registeredAt(t customer.Instant) *customer.Instant {
	if r.RegisteredAt != nil {
		return r.RegisteredAt
	}
	s := &r.Timelines[FacetStatus]
	for i := range s.Versions[:s.after(t)] {
		if s.Versions[i].Value == StatusActive && s.shows(i) {
			return &s.Versions[i].EffectiveFrom
		}
	}
	return nil
}

// remember keeps what a status version that the horizon took was needed for.
func (r *Row) remember(dropped, next *Version) {
	shown := dropped.EffectiveFrom < next.EffectiveFrom
	if r.RegisteredAt == nil && dropped.Value == StatusActive && shown {
		r.RegisteredAt = &dropped.EffectiveFrom
	}
}

// closedAt returns the start of the closed interval that holds at t, nil if
// the status is another. A closing that is stated again starts no new one.
func (r *Row) closedAt(t customer.Instant) *customer.Instant {
	s := &r.Timelines[FacetStatus]
	var start *customer.Instant
	for i := s.after(t) - 1; i >= 0; i-- {
		if !s.shows(i) {
			continue
		}
		if s.Versions[i].Value != StatusClosed {
			break
		}
		start = &s.Versions[i].EffectiveFrom
	}
	return start
}

// scheduled returns the changes of value after t.
func (r *Row) scheduled(t customer.Instant) []Scheduled {
	var all []Scheduled
	for f := FacetStatus; f <= FacetPlan; f++ {
		line := &r.Timelines[f]
		first := line.after(t)
		now := f.orUnset(line.before(first))
		for i := first; i < len(line.Versions); i++ {
			v := &line.Versions[i]
			if !line.shows(i) || Equal(now, v.Value) {
				continue
			}
			all = append(all, Scheduled{f, v.EffectiveFrom, v.Value})
			now = v.Value
		}
	}
	slices.SortStableFunc(all, func(a, b Scheduled) int { return cmp.Compare(a.EffectiveFrom, b.EffectiveFrom) })
	return all
}
