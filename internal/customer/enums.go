package customer

// Texts of the closed sets, by value; "" where there is none.
var (
	addressKinds = [...]string{BillingAddress: "billing", ShippingAddress: "shipping"}
	exemptions   = [...]string{ExemptNone: "none", ExemptExempt: "exempt", ExemptReverse: "reverse"}
	intervals    = [...]string{IntervalMonth: "month", IntervalQuarter: "quarter", IntervalHalfYear: "half_year", IntervalYear: "year"}
)

// Names of the facets as warnings show them.
const (
	facetStatus   = "status"
	facetName     = "name"
	facetBilling  = "address.billing"
	facetShipping = "address.shipping"
	facetContact  = "contact"
	facetTax      = "tax"
	facetPayment  = "payment_method"
	facetPlan     = "plan"
)

// String returns "billing" or "shipping".
func (k AddressKind) String() string { return nameOf(addressKinds[:], int(k)) }

// Facet returns the name that warnings give to an address of this kind:
// "address.billing" or "address.shipping".
func (k AddressKind) Facet() string {
	if k == ShippingAddress {
		return facetShipping
	}
	return facetBilling
}

// ParseAddressKind returns the kind of address named s.
func ParseAddressKind(s string) (AddressKind, bool) {
	k, ok := indexOf(addressKinds[:], s)
	return AddressKind(k), ok
}

// String returns "none", "exempt" or "reverse".
func (e Exempt) String() string { return nameOf(exemptions[:], int(e)) }

// ParseExempt returns the exemption named s.
func ParseExempt(s string) (Exempt, bool) {
	e, ok := indexOf(exemptions[:], s)
	return Exempt(e), ok
}

// String returns "month", "quarter", "half_year" or "year".
func (i Interval) String() string { return nameOf(intervals[:], int(i)) }

// ParseInterval returns the interval named s.
func ParseInterval(s string) (Interval, bool) {
	i, ok := indexOf(intervals[:], s)
	return Interval(i), ok
}

func nameOf(names []string, i int) string {
	if i >= len(names) {
		return ""
	}
	return names[i]
}

// indexOf returns the place of s in names; "" is never one of them.
func indexOf(names []string, s string) (int, bool) {
	for i, name := range names {
		if name == s && s != "" {
			return i, true
		}
	}
	return 0, false
}
