package customer_test

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"billstream/internal/customer"
)

// words draws texts that are likely to need a normal form.
func words(t *rapid.T, name string) string {
	parts := rapid.SliceOfN(rapid.SampledFrom([]string{
		"a", "B", "us", "-", "CA", " ", "  ", "\t", "\x00", "\u0085", "\u00a0", "é", "K", "İ", "@", ".", "x.DE", "+", "49", "1", "/", "(", "GR", "_",
	}), 0, 8).Draw(t, name)
	return strings.Join(parts, "")
}

func TestNormalFormsAreNormal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		once, _, _ := customer.NormalText(words(t, "text"), 256)
		if twice, cleaned, ok := customer.NormalText(once, 256); twice != once || cleaned || !ok {
			t.Fatalf("%q becomes %q", once, twice)
		}
		normalAddress(t)
		normalContact(t)
		normalTax(t)
		normalPayment(t)
	})
}

func normalAddress(t *rapid.T) {
	country := rapid.SampledFrom([]string{"us", "DE", "zz"}).Draw(t, "country")
	raw := customer.Address{Line1: words(t, "line1"), City: words(t, "city"), PostalCode: words(t, "code"), Subdivision: words(t, "subdivision"), Country: country}
	once, warnings, err := raw.Normal(customer.BillingAddress, "")
	if err != nil {
		t.Fatal(err)
	}
	again(t, once, warnings, func() (*customer.Address, []customer.Warning, error) { return once.Normal(customer.BillingAddress, "") })
}

func normalContact(t *rapid.T) {
	raw := customer.Contact{Email: words(t, "email"), Phone: words(t, "phone"), InvoiceRecipients: []string{words(t, "one"), words(t, "two"), words(t, "three")}}
	once, warnings, err := raw.Normal("")
	if err != nil {
		t.Fatal(err)
	}
	if once != nil {
		again(t, once, warnings, func() (*customer.Contact, []customer.Warning, error) { return once.Normal("") })
	}
}

func normalTax(t *rapid.T) {
	raw := customer.RawTax{TaxIDs: []customer.TaxID{{Type: "eu_vat", Value: words(t, "vat")}, {Type: "us_ein", Value: words(t, "ein")}}}
	once, warnings, err := raw.Normal("")
	if err == nil {
		again(t, once, warnings, func() (*customer.Tax, []customer.Warning, error) {
			return customer.RawTax{TaxIDs: once.TaxIDs, Exempt: once.Exempt.String()}.Normal("")
		})
	}
}

func normalPayment(t *rapid.T) {
	raw := customer.RawPaymentMethod{Ref: "r", Type: "Card", Brand: words(t, "brand")}
	once, warnings, err := raw.Normal("")
	if err == nil {
		again(t, once, warnings, func() (*customer.PaymentMethod, []customer.Warning, error) {
			return customer.RawPaymentMethod{Ref: once.Ref, Type: once.Type, Brand: once.Brand}.Normal("")
		})
	}
}

// again brings a normal form to normal form: it stays, and so do the warnings
// that one can still see in it.
func again[T any](t *rapid.T, once *T, warnings []customer.Warning, normal func() (*T, []customer.Warning, error)) {
	twice, second, err := normal()
	if err != nil || !reflect.DeepEqual(once, twice) {
		t.Fatalf("%+v becomes %+v, %v", once, twice, err)
	}
	var visible []customer.Warning
	for _, w := range warnings {
		if w.Code != customer.ControlCharacters {
			visible = append(visible, w)
		}
	}
	if !reflect.DeepEqual(visible, second) {
		t.Fatalf("%+v has warnings %v, then %v", once, visible, second)
	}
}

func TestANormalFormCostsOneAllocation(t *testing.T) {
	a := customer.Address{Line1: "1 Main St", City: "Köln", PostalCode: "50667", Subdivision: "DE-NW", Country: "DE"}
	p := customer.RawPlan{Code: "pro", AmountMinor: new(int64(1)), Currency: "EUR", Interval: "month"}
	for what, f := range map[string]func() error{
		"address": func() error { _, _, err := a.Normal(customer.BillingAddress, "/billing_address"); return err },
		"plan":    func() error { _, _, err := p.Normal("/plan"); return err },
		"name":    func() error { _, _, err := customer.NormalName("/name", "Acme Widgets"); return err },
		"contact": func() error { _, _, err := (customer.Contact{Email: "a@b.example"}).Normal("/contact"); return err },
	} {
		if n := testing.AllocsPerRun(100, func() {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		}); n > 1 {
			t.Errorf("%s: %v allocations, want one, for the value", what, n)
		}
	}
}

func FuzzNormalText(f *testing.F) {
	f.Add(" Acme \x00 ")
	f.Add("\xff\u0085é")
	f.Fuzz(func(t *testing.T, s string) {
		once, _, _ := customer.NormalText(s, 256)
		if twice, cleaned, _ := customer.NormalText(once, 256); twice != once || cleaned {
			t.Fatalf("%q becomes %q, then %q", s, once, twice)
		}
		if utf8.ValidString(s) && !utf8.ValidString(once) {
			t.Fatalf("%q becomes invalid", s)
		}
	})
}

func FuzzValues(f *testing.F) {
	f.Add("us", "US-Puerto Rico", "a@B.de")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		_, _, _ = customer.Address{Country: a, Subdivision: b, PostalCode: c}.Normal(customer.ShippingAddress, "/address")
		_, _, _ = customer.Contact{Email: a, Phone: b, Locale: c, TimeZone: a, InvoiceRecipients: []string{a, b, c}}.Normal("/contact")
		_, _, _ = customer.RawTax{TaxIDs: []customer.TaxID{{Type: "eu_vat", Value: b}, {Type: a, Value: c}}, Exempt: a}.Normal("/tax")
		_, _, _ = customer.RawPaymentMethod{Ref: a, Type: b, Brand: c, Last4: a}.Normal("/payment_method")
		_, _, _ = customer.RawPlan{Code: a, AmountMinor: new(int64(len(b))), Currency: c, Interval: b}.Normal("/plan")
		_ = customer.LooksLikeCard(a)
		_, _ = customer.ParseType(a)
	})
}

func FuzzParseID(f *testing.F) {
	f.Add([]byte("c-1001"))
	f.Add([]byte("~\xff"))
	f.Fuzz(func(t *testing.T, key []byte) {
		id, err := customer.ParseID(key)
		if err == nil && (string(id) != string(key) || len(id) == 0 || len(id) > customer.MaxIDBytes || !utf8.ValidString(string(id))) {
			t.Fatalf("%q is taken for an id", key)
		}
	})
}
