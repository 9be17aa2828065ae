package billing

import (
	"fmt"

	"billstream/internal/customer"
)

// statement is one fact of an event: the new value of a facet.
type statement struct {
	facet Facet
	value Value
}

// statements is what an event states, in facet order. An event of the closed
// set states each facet at most once.
type statements struct {
	list [FacetPlan]statement
	n    int
}

func (s *statements) all() []statement { return s.list[:s.n] }

func (s *statements) add(f Facet, v Value) {
	s.list[s.n] = statement{f, v}
	s.n++
}

// read lists what change states. An erasure is no statement: it takes facts
// away.
func (s *statements) read(change customer.Change) error {
	switch c := change.(type) {
	case customer.Registered:
		s.registered(&c)
	case customer.Renamed:
		s.add(FacetName, nameValue(c.Name))
	case customer.AddressChanged:
		f := FacetBillingAddress
		if c.Kind == customer.ShippingAddress {
			f = FacetShippingAddress
		}
		s.add(f, valueOf(c.Address))
	case customer.ContactChanged:
		s.add(FacetContact, valueOf(c.Contact))
	case customer.TaxChanged:
		s.add(FacetTax, valueOf(c.Tax))
	case customer.PaymentMethodChanged:
		s.add(FacetPaymentMethod, valueOf(c.PaymentMethod))
	case customer.PlanChanged:
		s.add(FacetPlan, valueOf(c.Plan))
	case customer.Closed:
		s.add(FacetStatus, StatusClosed)
	default:
		return &customer.Refusal{Code: customer.ApplyFailed, Detail: fmt.Sprintf("change is a %T, want one of the nine", change)}
	}
	return nil
}

func (s *statements) registered(c *customer.Registered) {
	s.add(FacetStatus, StatusActive)
	if c.Name.Stated {
		s.add(FacetName, nameValue(c.Name.Value))
	}
	stated(s, FacetBillingAddress, c.BillingAddress)
	stated(s, FacetShippingAddress, c.ShippingAddress)
	stated(s, FacetContact, c.Contact)
	stated(s, FacetTax, c.Tax)
	stated(s, FacetPaymentMethod, c.PaymentMethod)
	stated(s, FacetPlan, c.Plan)
}

func stated[T any](s *statements, f Facet, fact customer.Fact[T]) {
	if fact.Stated {
		s.add(f, valueOf(fact.Value))
	}
}

// valueOf returns v as a Value, which is never a nil pointer.
func valueOf[T any](v *T) Value {
	if v == nil {
		return nil
	}
	return v
}

func nameValue(name *string) Value {
	if name == nil {
		return nil
	}
	return Name(*name)
}
