package billing

// Texts of the closed sets, by value; "" where there is none.
var (
	facets = [...]string{
		FacetStatus: "status", FacetName: "name",
		FacetBillingAddress: "address.billing", FacetShippingAddress: "address.shipping",
		FacetContact: "contact", FacetTax: "tax", FacetPaymentMethod: "payment_method", FacetPlan: "plan",
	}
	statuses = [...]string{
		StatusUnregistered: "unregistered", StatusActive: "active", StatusClosed: "closed", StatusErased: "erased",
	}
	classes = [...]string{
		ClassApplied: "applied", ClassScheduled: "scheduled", ClassCorrected: "corrected", ClassClosed: "closed", ClassErased: "erased",
	}
	outcomes = [...]string{Updated: "updated", Unchanged: "unchanged", Duplicate: "duplicate"}
)

// String returns the facet's name: "status", "name", "address.billing",
// "address.shipping", "contact", "tax", "payment_method" or "plan".
func (f Facet) String() string { return nameOf(facets[:], int(f)) }

// ParseFacet returns the facet named s.
func ParseFacet(s string) (Facet, bool) {
	f, ok := indexOf(facets[:], s)
	return Facet(f), ok
}

// String returns "unregistered", "active", "closed" or "erased".
func (s Status) String() string { return nameOf(statuses[:], int(s)) }

// ParseStatus returns the status named s.
func ParseStatus(s string) (Status, bool) {
	v, ok := indexOf(statuses[:], s)
	return Status(v), ok
}

// String returns "applied", "scheduled", "corrected", "closed" or "erased".
func (c Class) String() string { return nameOf(classes[:], int(c)) }

// ParseClass returns the class named s.
func ParseClass(s string) (Class, bool) {
	c, ok := indexOf(classes[:], s)
	return Class(c), ok
}

// String returns "updated", "unchanged" or "duplicate".
func (o Outcome) String() string { return nameOf(outcomes[:], int(o)) }

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
