package billing_test

import (
	"hash/fnv"
	"slices"
	"testing"

	"billstream/internal/billing"
	"billstream/internal/customer"
)

func TestValuesDifferInTheLeavesThatAreNamed(t *testing.T) {
	for _, c := range []struct {
		a, b billing.Value
		want []string
	}{
		{&customer.Address{}, &customer.Address{Line1: "x", Line2: "x", City: "x", PostalCode: "x", Subdivision: "x", Country: "x"}, []string{"line1", "line2", "city", "postal_code", "subdivision", "country"}},
		{&customer.Contact{}, &customer.Contact{Email: "x", Phone: "x", Locale: "x", TimeZone: "x", InvoiceRecipients: []string{"x"}}, []string{"email", "phone", "locale", "time_zone", "invoice_recipients"}},
		{&customer.Tax{}, &customer.Tax{TaxIDs: []customer.TaxID{{Type: "x", Value: "x"}}, Exempt: customer.ExemptReverse}, []string{"tax_ids", "exempt"}},
		{&customer.PaymentMethod{}, &customer.PaymentMethod{Ref: "x", Type: "x", Brand: "x", Last4: "x", ExpMonth: 1, ExpYear: 1}, []string{"ref", "type", "brand", "last4", "exp_month", "exp_year"}},
		{&customer.Plan{}, &customer.Plan{Code: "x", AmountMinor: 1, Currency: "x", Interval: 1}, []string{"code", "amount_minor", "currency", "interval"}},
	} {
		if got := billing.Fields(c.a, c.b); !slices.Equal(got, c.want) {
			t.Errorf("%T: got %v, want %v", c.a, got, c.want)
		}
		if billing.Equal(c.a, c.b) || !billing.Equal(c.a, c.a) || billing.Equal(c.a, nil) || billing.Equal(nil, c.a) {
			t.Errorf("%T: equality is wrong", c.a)
		}
		if billing.Fields(c.a, nil) != nil || billing.Fields(nil, c.a) != nil {
			t.Errorf("%T and none differ in leaves, want none named", c.a)
		}
	}
}

func TestEveryLeafMakesADifference(t *testing.T) {
	base := customer.Contact{Email: "e", Phone: "p", Locale: "l", TimeZone: "t", InvoiceRecipients: []string{"a", "b"}}
	same := base
	same.InvoiceRecipients = slices.Clone(base.InvoiceRecipients)
	if !billing.Equal(&base, &same) {
		t.Error("contacts are not compared by value")
	}
	for leaf, change := range map[string]func(*customer.Contact){
		"email": func(c *customer.Contact) { c.Email = "x" }, "phone": func(c *customer.Contact) { c.Phone = "x" },
		"locale": func(c *customer.Contact) { c.Locale = "x" }, "time_zone": func(c *customer.Contact) { c.TimeZone = "x" },
		"invoice_recipients": func(c *customer.Contact) { c.InvoiceRecipients = []string{"a", "c"} },
	} {
		other := base
		change(&other)
		if billing.Equal(&base, &other) || !slices.Equal(billing.Fields(&base, &other), []string{leaf}) {
			t.Errorf("contacts that differ in %s: equal %v, fields %v", leaf, billing.Equal(&base, &other), billing.Fields(&base, &other))
		}
	}
	one := customer.Tax{TaxIDs: []customer.TaxID{{Type: "a", Value: "1"}}}
	two := customer.Tax{TaxIDs: []customer.TaxID{{Type: "a", Value: "1"}}}
	if !billing.Equal(&one, &two) {
		t.Error("tax identities are not compared by their ids")
	}
	if !billing.Equal(billing.Name("a"), billing.Name("a")) || billing.Equal(billing.Name("a"), billing.Name("b")) || !billing.Equal(nil, nil) ||
		billing.Equal(billing.StatusActive, billing.StatusClosed) || billing.Fields(billing.Name("a"), billing.Name("b")) != nil {
		t.Error("names or states are not compared by value")
	}
}

func TestNamesAreReadAsTheyAreWritten(t *testing.T) {
	for f := range facets {
		if got, ok := billing.ParseFacet(f.String()); got != f || !ok {
			t.Errorf("facet %s: got %v", f, got)
		}
	}
	for s := billing.StatusUnregistered; s <= billing.StatusErased; s++ {
		if got, ok := billing.ParseStatus(s.String()); got != s || !ok {
			t.Errorf("status %s: got %v", s, got)
		}
	}
	for c := billing.ClassApplied; c <= billing.ClassErased; c++ {
		if got, ok := billing.ParseClass(c.String()); got != c || !ok {
			t.Errorf("class %s: got %v", c, got)
		}
	}
	if _, ok := billing.ParseFacet(""); ok || billing.Facet(99).String() != "" || billing.Updated.String() != "updated" {
		t.Error("a name is wrong")
	}
}

// TestEventHashIsFNV1a compares with the published hash of a lone zero byte
// and with the standard library.
func TestEventHashIsFNV1a(t *testing.T) {
	for _, c := range []struct {
		source, id string
		want       uint64
	}{
		{"", "", 0xaf63bd4c8601b7df},
		{"a", "b", fnv1a("a\x00b")},
		{"/crm", "evt-1", fnv1a("/crm\x00evt-1")},
	} {
		if got := billing.EventHash(c.source, c.id); got != c.want {
			t.Errorf("%q %q: got %x, want %x", c.source, c.id, got, c.want)
		}
	}
}

func fnv1a(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return h.Sum64()
}

func TestAnUnknownChangeIsRefused(t *testing.T) {
	e := &customer.Event{Source: "/crm", ID: "1", Time: 1, EffectiveFrom: 1}
	if res, err := billing.Apply(nil, e, billing.Position{}, 1); err == nil || err.(*customer.Refusal).Code != customer.ApplyFailed {
		t.Errorf("got %+v, %v, want %s", res, err, customer.ApplyFailed)
	}
}

func TestNothingIsKnownOfAnUnknownCustomer(t *testing.T) {
	a := billing.AccountOf("c-1", nil)
	if a.Customer != "c-1" || a.Status != billing.StatusUnregistered || a.Seq != 0 {
		t.Errorf("got %+v", a)
	}
}
