package billing

import (
	"slices"

	"billstream/internal/customer"
)

// Equal reports whether two values of one facet are the same. Values are in
// normal form, so it compares them byte for byte.
func Equal(a, b Value) bool {
	switch a := a.(type) {
	case *customer.Address:
		b, ok := b.(*customer.Address)
		return ok && (a == b || *a == *b)
	case *customer.Contact:
		b, ok := b.(*customer.Contact)
		return ok && (a == b || equalContacts(a, b))
	case *customer.Tax:
		b, ok := b.(*customer.Tax)
		return ok && (a == b || a.Exempt == b.Exempt && slices.Equal(a.TaxIDs, b.TaxIDs))
	case *customer.PaymentMethod:
		b, ok := b.(*customer.PaymentMethod)
		return ok && (a == b || *a == *b)
	case *customer.Plan:
		b, ok := b.(*customer.Plan)
		return ok && (a == b || *a == *b)
	default: // nil, Status and Name compare by value
		return a == b
	}
}

func equalContacts(a, b *customer.Contact) bool {
	return a.Email == b.Email && a.Phone == b.Phone && a.Locale == b.Locale && a.TimeZone == b.TimeZone &&
		slices.Equal(a.InvoiceRecipients, b.InvoiceRecipients)
}

// Fields returns the names of the leaves in which two values of one facet
// differ, in the order of their JSON members; nil unless both are objects.
func Fields(a, b Value) []string {
	switch a := a.(type) {
	case *customer.Address:
		if b, ok := b.(*customer.Address); ok {
			return addressFields(a, b)
		}
	case *customer.Contact:
		if b, ok := b.(*customer.Contact); ok {
			return contactFields(a, b)
		}
	case *customer.Tax:
		if b, ok := b.(*customer.Tax); ok {
			return differing(
				leaf{"tax_ids", !slices.Equal(a.TaxIDs, b.TaxIDs)},
				leaf{"exempt", a.Exempt != b.Exempt})
		}
	case *customer.PaymentMethod:
		if b, ok := b.(*customer.PaymentMethod); ok {
			return paymentFields(a, b)
		}
	case *customer.Plan:
		if b, ok := b.(*customer.Plan); ok {
			return differing(
				leaf{"code", a.Code != b.Code},
				leaf{"amount_minor", a.AmountMinor != b.AmountMinor},
				leaf{"currency", a.Currency != b.Currency},
				leaf{"interval", a.Interval != b.Interval})
		}
	}
	return nil
}

func addressFields(a, b *customer.Address) []string {
	return differing(
		leaf{"line1", a.Line1 != b.Line1},
		leaf{"line2", a.Line2 != b.Line2},
		leaf{"city", a.City != b.City},
		leaf{"postal_code", a.PostalCode != b.PostalCode},
		leaf{"subdivision", a.Subdivision != b.Subdivision},
		leaf{"country", a.Country != b.Country})
}

func contactFields(a, b *customer.Contact) []string {
	return differing(
		leaf{"email", a.Email != b.Email},
		leaf{"phone", a.Phone != b.Phone},
		leaf{"locale", a.Locale != b.Locale},
		leaf{"time_zone", a.TimeZone != b.TimeZone},
		leaf{"invoice_recipients", !slices.Equal(a.InvoiceRecipients, b.InvoiceRecipients)})
}

func paymentFields(a, b *customer.PaymentMethod) []string {
	return differing(
		leaf{"ref", a.Ref != b.Ref},
		leaf{"type", a.Type != b.Type},
		leaf{"brand", a.Brand != b.Brand},
		leaf{"last4", a.Last4 != b.Last4},
		leaf{"exp_month", a.ExpMonth != b.ExpMonth},
		leaf{"exp_year", a.ExpYear != b.ExpYear})
}

// leaf is a member of a value and whether two values differ in it.
type leaf struct {
	name    string
	differs bool
}

func differing(leaves ...leaf) []string {
	n := 0
	for _, l := range leaves {
		if l.differs {
			n++
		}
	}
	names := make([]string, 0, n)
	for _, l := range leaves {
		if l.differs {
			names = append(names, l.name)
		}
	}
	return names
}
