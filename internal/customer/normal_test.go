package customer_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"billstream/internal/customer"
)

func TestTextsComeToTheirNormalForm(t *testing.T) {
	for _, c := range []struct {
		in, want string
		cleaned  bool
	}{
		{"", "", false},
		{"Acme", "Acme", false},
		{"  Acme \t\n Widgets\u00a0\u2003GmbH ", "Acme Widgets GmbH", false},
		{"Ac\x00me\x07", "Acme", true},
		{"a \x01 b", "a b", true},
		{"a\u0085b", "a b", false}, // NEL is white space and a control character
		{"a\u0080b\u009f", "ab", true},
		{" \t ", "", false},
		{"\x7f", "", true},
		{"Ärzte\u200bhaus", "Ärzte\u200bhaus", false}, // a format character is no control character
		{"e\u0301", "e\u0301", false},                 // no Unicode normalisation
		{"日本 ", "日本", false},
		{"日本  語", "日本 語", false},
	} {
		got, cleaned, ok := customer.NormalText(c.in, 256)
		if got != c.want || cleaned != c.cleaned || !ok {
			t.Errorf("%q: got %q, cleaned %v, ok %v, want %q, %v", c.in, got, cleaned, ok, c.want, c.cleaned)
		}
	}
}

func TestTextLimitsCountCodePointsOfTheNormalForm(t *testing.T) {
	for s, want := range map[string]bool{
		strings.Repeat("x", 4): true, strings.Repeat("x", 5): false,
		strings.Repeat("ß", 4): true, strings.Repeat("ß", 5): false,
		"  a  b  ": true, "a\x00b\x00c\x00": true,
	} {
		if _, _, ok := customer.NormalText(s, 4); ok != want {
			t.Errorf("%q within 4: %v, want %v", s, ok, want)
		}
	}
}

func TestNormalFormsOfNames(t *testing.T) {
	name, warnings, err := customer.NormalName("/name", " Acme\x00 Ltd")
	if err != nil || *name != "Acme Ltd" || !slices.Equal(warnings, []customer.Warning{{Code: "control_characters", Facet: "name"}}) {
		t.Errorf("got %v %v %v", *name, warnings, err)
	}
	if name, _, err := customer.NormalName("/name", " "); name != nil || err != nil {
		t.Errorf("a blank name is %v, %v, want none", name, err)
	}
	_, _, err = customer.NormalName("/name", strings.Repeat("x", 257))
	refused(t, err, customer.InvalidField, "/name is a string of 257 characters, want at most 256 characters")
}

// refused wants err to be a refusal with this code and text.
func refused(t *testing.T, err error, code customer.Code, text string) {
	t.Helper()
	r, ok := err.(*customer.Refusal)
	if !ok {
		t.Errorf("error is %v, want %s: %s", err, code, text)
	} else if r.Code != code || r.Text() != text {
		t.Errorf("refusal is %v, want %s: %s", err, code, text)
	}
}

func warning(code, facet, field string) []customer.Warning {
	return []customer.Warning{{Code: code, Facet: facet, Field: field}}
}

func TestNormalFormsOfAddresses(t *testing.T) {
	const facet = "address.shipping"
	for _, c := range []struct {
		in, want customer.Address
		warnings []customer.Warning
	}{
		{in: customer.Address{Line1: " 1 Main  St", PostalCode: "ab1 2cd", Country: "gb"}, want: customer.Address{Line1: "1 Main St", PostalCode: "AB1 2CD", Country: "GB"}},
		{in: customer.Address{Country: "us", Subdivision: "ca"}, want: customer.Address{Country: "US", Subdivision: "US-CA"}},
		{in: customer.Address{Country: "US", Subdivision: "us-ny"}, want: customer.Address{Country: "US", Subdivision: "US-NY"}},
		{in: customer.Address{Country: "DE", Subdivision: "be"}, want: customer.Address{Country: "DE", Subdivision: "DE-BE"}},
		{in: customer.Address{Country: "FR", Subdivision: "75"}, want: customer.Address{Country: "FR", Subdivision: "FR-75"}},
		{in: customer.Address{Country: "XK"}, want: customer.Address{Country: "XK"}},
		{in: customer.Address{Country: "XI"}, want: customer.Address{Country: "XI"}},
		{in: customer.Address{Country: "ZZ"}, want: customer.Address{Country: "ZZ"}, warnings: warning("country_unknown", facet, "country")},
		{in: customer.Address{Country: "US"}, want: customer.Address{Country: "US"}, warnings: warning("subdivision_missing", facet, "subdivision")},
		{in: customer.Address{Country: "US", Subdivision: "FM"}, want: customer.Address{Country: "US", Subdivision: "US-FM"}, warnings: warning("subdivision_unknown", facet, "subdivision")},
		{in: customer.Address{Country: "US", Subdivision: "US-Puerto  Rico"}, want: customer.Address{Country: "US", Subdivision: "US-Puerto Rico"}, warnings: warning("subdivision_unknown", facet, "subdivision")},
		{in: customer.Address{Country: "DE", Subdivision: "Bavaria"}, want: customer.Address{Country: "DE", Subdivision: "Bavaria"}, warnings: warning("subdivision_unknown", facet, "subdivision")},
		{in: customer.Address{Country: "DE", Subdivision: "us-ca"}, want: customer.Address{Country: "DE", Subdivision: "US-CA"}, warnings: warning("subdivision_country_mismatch", facet, "subdivision")},
		{in: customer.Address{Country: "DE", City: "B\x01onn", Line2: "\x02"}, want: customer.Address{Country: "DE", City: "Bonn"}, warnings: []customer.Warning{{Code: "control_characters", Facet: facet, Field: "line2"}, {Code: "control_characters", Facet: facet, Field: "city"}}},
	} {
		got, warnings, err := c.in.Normal(customer.ShippingAddress, "/address")
		if err != nil || *got != c.want || !slices.Equal(warnings, c.warnings) {
			t.Errorf("%+v: got %+v %v %v, want %+v %v", c.in, got, warnings, err, c.want, c.warnings)
		}
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		in   customer.Address
		want string
	}{
		{customer.Address{}, "/billing_address/country is absent, want two letters"},
		{customer.Address{Country: "D"}, "/billing_address/country is a string of 1 character, want two letters"},
		{customer.Address{Country: "United States"}, "/billing_address/country is a string of 13 characters, want two letters"},
		{customer.Address{Country: "ÄÖ"}, "/billing_address/country is a string of 2 characters, want two letters"},
		{customer.Address{Country: "D1"}, "/billing_address/country is a string of 2 characters, want two letters"},
		{customer.Address{Line1: long, Country: "?"}, "/billing_address/line1 is a string of 300 characters, want at most 256 characters"},
		{customer.Address{City: long[:129], Country: "DE"}, "/billing_address/city is a string of 129 characters, want at most 128 characters"},
		{customer.Address{PostalCode: long[:33], Country: "DE"}, "/billing_address/postal_code is a string of 33 characters, want at most 32 characters"},
		{customer.Address{Country: "DE", Subdivision: long[:65]}, "/billing_address/subdivision is a string of 65 characters, want at most 64 characters"},
	} {
		_, _, err := c.in.Normal(customer.BillingAddress, "/billing_address")
		refused(t, err, customer.InvalidField, c.want)
	}
}

func TestNormalFormsOfContacts(t *testing.T) {
	for _, c := range []struct {
		in, want customer.Contact
		warnings []customer.Warning
	}{
		{in: customer.Contact{Email: "Jo.Doe@EXAMPLE.Org"}, want: customer.Contact{Email: "Jo.Doe@example.org"}},
		{in: customer.Contact{Email: "a b@x.de"}, want: customer.Contact{Email: "a b@x.de"}, warnings: warning("email_format", "contact", "email")},
		{in: customer.Contact{Email: "a@localhost"}, want: customer.Contact{Email: "a@localhost"}, warnings: warning("email_format", "contact", "email")},
		{in: customer.Contact{Email: "a@b@C.de"}, want: customer.Contact{Email: "a@b@c.de"}, warnings: warning("email_format", "contact", "email")},
		{in: customer.Contact{Phone: "+49 (30) 12.34/56-7"}, want: customer.Contact{Phone: "+49301234567"}},
		{in: customer.Contact{Phone: "030 / 1234"}, want: customer.Contact{Phone: "030 / 1234"}, warnings: warning("phone_format", "contact", "phone")},
		{in: customer.Contact{Phone: "+0 123"}, want: customer.Contact{Phone: "+0 123"}, warnings: warning("phone_format", "contact", "phone")},
		{in: customer.Contact{Phone: "+1"}, want: customer.Contact{Phone: "+1"}, warnings: warning("phone_format", "contact", "phone")},
		{in: customer.Contact{Phone: "+1234567890123456"}, want: customer.Contact{Phone: "+1234567890123456"}, warnings: warning("phone_format", "contact", "phone")},
		{in: customer.Contact{Locale: "zh-Hans-CN"}, want: customer.Contact{Locale: "zh-Hans-CN"}},
		{in: customer.Contact{Locale: "de_DE"}, want: customer.Contact{Locale: "de_DE"}, warnings: warning("locale_format", "contact", "locale")},
		{in: customer.Contact{TimeZone: "America/Argentina/Buenos_Aires"}, want: customer.Contact{TimeZone: "America/Argentina/Buenos_Aires"}},
		{in: customer.Contact{TimeZone: "Etc/GMT+5"}, want: customer.Contact{TimeZone: "Etc/GMT+5"}},
		{in: customer.Contact{TimeZone: "+01:00"}, want: customer.Contact{TimeZone: "+01:00"}, warnings: warning("time_zone_format", "contact", "time_zone")},
		{in: customer.Contact{InvoiceRecipients: []string{"b@x.de", " ", "a@X.de", "b@X.DE"}}, want: customer.Contact{InvoiceRecipients: []string{"a@x.de", "b@x.de"}}},
		{in: customer.Contact{InvoiceRecipients: []string{"nobody", "no\x01one"}}, want: customer.Contact{InvoiceRecipients: []string{"nobody", "noone"}}, warnings: []customer.Warning{{Code: "control_characters", Facet: "contact", Field: "invoice_recipients"}, {Code: "email_format", Facet: "contact", Field: "invoice_recipients"}}},
	} {
		got, warnings, err := c.in.Normal("/contact")
		if err != nil || !reflect.DeepEqual(*got, c.want) || !slices.Equal(warnings, c.warnings) {
			t.Errorf("%+v: got %+v %v %v, want %+v %v", c.in, got, warnings, err, c.want, c.warnings)
		}
	}
}

func TestContactsOfNothingAreNone(t *testing.T) {
	got, _, err := customer.Contact{Email: " ", InvoiceRecipients: []string{""}}.Normal("/contact")
	if got != nil || err != nil {
		t.Errorf("got %v, %v, want none", got, err)
	}
}

func TestContactsThatAreRefused(t *testing.T) {
	var many []string
	for i := range 17 {
		many = append(many, string(rune('a'+i))+"@x.de")
	}
	_, _, err := customer.Contact{InvoiceRecipients: many}.Normal("/contact")
	refused(t, err, customer.InvalidField, "/contact/invoice_recipients is a list of 17 different addresses, want at most 16")
	many[16] = "a@X.DE"
	if _, _, err := (customer.Contact{InvoiceRecipients: many}).Normal("/contact"); err != nil {
		t.Errorf("16 different addresses are refused: %v", err)
	}
	_, _, err = customer.Contact{InvoiceRecipients: []string{"a@x.de", strings.Repeat("x", 255)}}.Normal("/contact")
	refused(t, err, customer.InvalidField, "/contact/invoice_recipients/1 is a string of 255 characters, want at most 254 characters")
}
