// Package billing turns customer events into billing updates. It is pure: no
// clock, no I/O, no randomness; "now" comes from the records.
//
// Apply is the whole of it. The other files say what a row remembers (row.go,
// timeline.go), what goes out (update.go) and what a reader sees (account.go).
package billing

import "billstream/internal/customer"

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
