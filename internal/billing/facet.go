package billing

// Facet is one independently changing part of an account. Its order is the
// order of changes in an update.
type Facet uint8

// The eight facets; the zero Facet is none of them.
const (
	FacetStatus Facet = iota + 1
	FacetName
	FacetBillingAddress
	FacetShippingAddress
	FacetContact
	FacetTax
	FacetPaymentMethod
	FacetPlan
)

// Status is where a customer stands with billing.
type Status uint8

// The closed set of states. Unregistered is also the state before the first
// registration.
const (
	StatusUnregistered Status = iota
	StatusActive
	StatusClosed
	StatusErased
)

// Value is the value of a facet in normal form; nil means there is none. It is
// exactly one of Status, Name, *customer.Address, *customer.Contact,
// *customer.Tax, *customer.PaymentMethod and *customer.Plan, and never a nil
// pointer. What a Value points to is never changed: rows share it.
type Value any

// Name is the value of FacetName; it is never empty.
type Name string
