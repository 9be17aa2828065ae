// Package customer is the Customer system's language as billing reads it: the
// nine facts that can happen to a customer, the values they state, and the
// reasons to refuse one. It is pure and knows nothing of billing.
package customer

// Event is one fact about one customer, as the Customer system published it.
// Source and ID together name it: the same pair again is the same event.
type Event struct {
	Customer      ID
	Source        string  // 1 to 512 bytes, no control characters
	ID            string  // 1 to 256 bytes, no control characters
	Type          Type    // which of the nine
	Time          Instant // when the source says it happened
	Sequence      string  // orders events of equal Time, bytewise; "" is lowest
	CorrelationID string  // copied to the update; "" when absent
	EffectiveFrom Instant // from when the fact holds; Time unless stated
	Change        Change  // the values it states, in normal form
	Warnings      []Warning
}

// Type names one of the nine kinds of event. Its text is the CloudEvents type
// without the version suffix.
type Type uint8

// The closed set of event types; the zero Type is none of them.
const (
	TypeRegistered Type = iota + 1
	TypeRenamed
	TypeAddressChanged
	TypeContactChanged
	TypeTaxChanged
	TypePaymentMethodChanged
	TypePlanChanged
	TypeClosed
	TypeErased
)

// Change is the closed set of things that can happen to a customer. Every
// change carries the whole new value of a facet, never a patch, so that a
// repeat, a late event or a skipped one cannot corrupt anything.
type Change interface{ change() }

// Fact is what an event says about one value: nothing (not Stated), that there
// is none (Stated, nil Value), or the value itself.
type Fact[T any] struct {
	Stated bool
	Value  *T
}

// State returns the fact that v holds; nil states that there is no value.
func State[T any](v *T) Fact[T] { return Fact[T]{Stated: true, Value: v} }

// Registered makes the customer active and states whichever facts it carries.
type Registered struct {
	Name            Fact[string]
	BillingAddress  Fact[Address]
	ShippingAddress Fact[Address]
	Contact         Fact[Contact]
	Tax             Fact[Tax]
	PaymentMethod   Fact[PaymentMethod]
	Plan            Fact[Plan]
}

// Renamed states the name; nil removes it.
type Renamed struct{ Name *string }

// AddressChanged states the address of one kind; nil removes it.
type AddressChanged struct {
	Kind    AddressKind
	Address *Address
}

// ContactChanged states the contact; nil removes it.
type ContactChanged struct{ Contact *Contact }

// TaxChanged states the tax identity; nil removes it.
type TaxChanged struct{ Tax *Tax }

// PaymentMethodChanged states the payment method; nil removes it.
type PaymentMethodChanged struct{ PaymentMethod *PaymentMethod }

// PlanChanged states the plan; nil means cancelled.
type PlanChanged struct{ Plan *Plan }

// Closed ends the customer's account.
type Closed struct{ Reason string }

// Erased removes the customer's personal data for good.
type Erased struct{ Reason string }

func (Registered) change()           {}
func (Renamed) change()              {}
func (AddressChanged) change()       {}
func (ContactChanged) change()       {}
func (TaxChanged) change()           {}
func (PaymentMethodChanged) change() {}
func (PlanChanged) change()          {}
func (Closed) change()               {}
func (Erased) change()               {}

// AddressKind says which of a customer's addresses is meant.
type AddressKind uint8

// The closed set of address kinds.
const (
	BillingAddress AddressKind = iota + 1
	ShippingAddress
)
