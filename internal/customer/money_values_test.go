package customer_test

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"billstream/internal/customer"
)

func TestNormalFormsOfTaxIdentities(t *testing.T) {
	in := customer.RawTax{Exempt: "reverse", TaxIDs: []customer.TaxID{
		{Type: "gb_vat", Value: "gb 123.456-789"},
		{Type: "eu_vat", Value: "GR/123 456"},
		{Type: "eu_vat", Value: "el123456"},
		{Type: "gb_vat", Value: "GB123456789"},
		{Type: "us_ein", Value: "12-\x013"},
	}}
	want := &customer.Tax{Exempt: customer.ExemptReverse, TaxIDs: []customer.TaxID{
		{Type: "eu_vat", Value: "EL123456"}, {Type: "gb_vat", Value: "GB123456789"}, {Type: "us_ein", Value: "123"},
	}}
	got, warnings, err := in.Normal("/tax")
	if err != nil || !reflect.DeepEqual(got, want) || !slices.Equal(warnings, warning("control_characters", "tax", "tax_ids")) {
		t.Errorf("got %+v %v %v, want %+v", got, warnings, err, want)
	}
	if got, _, err := (customer.RawTax{Exempt: "none"}).Normal("/tax"); got != nil || err != nil {
		t.Errorf("no id and no exemption is %v, %v, want none", got, err)
	}
	if got, _, err := (customer.RawTax{Exempt: "exempt"}).Normal("/tax"); err != nil || got.Exempt != customer.ExemptExempt {
		t.Errorf("exempt is %v, %v", got, err)
	}
}

func TestTaxIdentitiesThatAreRefused(t *testing.T) {
	var many []customer.TaxID
	for i := range 17 {
		many = append(many, customer.TaxID{Type: "eu_vat", Value: "DE" + strconv.Itoa(i)})
	}
	one := func(typ, value string) customer.RawTax {
		return customer.RawTax{TaxIDs: []customer.TaxID{{Type: typ, Value: value}}}
	}
	for _, c := range []struct {
		in   customer.RawTax
		want string
	}{
		{one("", "1"), "/tax/tax_ids/0/type is absent, want 1 to 32 of a-z, 0-9 and _"},
		{one("EU", "1"), "/tax/tax_ids/0/type is a string of 2 characters, want 1 to 32 of a-z, 0-9 and _"},
		{one("eu_vat", "- ."), "/tax/tax_ids/0/value is absent, want 1 to 64 characters"},
		{one("eu_vat", strings.Repeat("1", 65)), "/tax/tax_ids/0/value is a string of 65 characters, want 1 to 64 characters"},
		{customer.RawTax{TaxIDs: many}, "/tax/tax_ids is a list of 17 different ids, want at most 16"},
		{customer.RawTax{Exempt: "None"}, "/tax/exempt is a string of 4 characters, want none, exempt or reverse"},
	} {
		_, _, err := c.in.Normal("/tax")
		refused(t, err, customer.InvalidField, c.want)
	}
}

func TestNormalFormsOfPaymentMethods(t *testing.T) {
	in := customer.RawPaymentMethod{Ref: " pm_1 ", Type: "Card", Brand: " VISA  Debit", Last4: "4242", ExpMonth: new(int64(12)), ExpYear: new(int64(2199))}
	want := customer.PaymentMethod{Ref: " pm_1 ", Type: "card", Brand: "visa debit", Last4: "4242", ExpMonth: 12, ExpYear: 2199}
	got, warnings, err := in.Normal("/payment_method")
	if err != nil || *got != want || warnings != nil {
		t.Errorf("got %+v %v %v, want %+v", got, warnings, err, want)
	}
}

func TestPaymentMethodsThatAreRefused(t *testing.T) {
	ok := customer.RawPaymentMethod{Ref: "r", Type: "card"}
	for want, change := range map[string]func(*customer.RawPaymentMethod){
		"/p/ref is absent, want 1 to 255 bytes":                              func(p *customer.RawPaymentMethod) { p.Ref = "" },
		"/p/ref is a string of 256 characters, want 1 to 255 bytes":          func(p *customer.RawPaymentMethod) { p.Ref = strings.Repeat("r", 256) },
		"/p/type is absent, want 1 to 32 of a-z, 0-9 and _":                  func(p *customer.RawPaymentMethod) { p.Type = "" },
		"/p/type is a string of 1 character, want 1 to 32 of a-z, 0-9 and _": func(p *customer.RawPaymentMethod) { p.Type = "\u212a" }, // the Kelvin sign
		"/p/brand is a string of 33 characters, want at most 32 characters":  func(p *customer.RawPaymentMethod) { p.Brand = strings.Repeat("b", 33) },
		"/p/last4 is a string of 3 characters, want 4 digits":                func(p *customer.RawPaymentMethod) { p.Last4 = "424" },
		"/p/last4 is a string of 4 characters, want 4 digits":                func(p *customer.RawPaymentMethod) { p.Last4 = "424x" },
		"/p/exp_month is a number out of range, want 1 to 12":                func(p *customer.RawPaymentMethod) { p.ExpMonth = new(int64(0)) },
		"/p/exp_year is a number out of range, want 2000 to 2199":            func(p *customer.RawPaymentMethod) { p.ExpYear = new(int64(1 << 32)) },
	} {
		p := ok
		change(&p)
		_, _, err := p.Normal("/p")
		refused(t, err, customer.InvalidField, want)
	}
}

func TestNormalFormsOfPlans(t *testing.T) {
	raw := customer.RawPlan{Code: " pro  plus ", AmountMinor: new(int64(customer.MaxAmountMinor)), Currency: "eur", Interval: "half_year"}
	want := customer.Plan{Code: "pro plus", AmountMinor: 9007199254740991, Currency: "EUR", Interval: customer.IntervalHalfYear}
	if got, warnings, err := raw.Normal("/plan"); err != nil || *got != want || warnings != nil {
		t.Errorf("got %+v %v %v, want %+v", got, warnings, err, want)
	}
	raw.Currency = "abc"
	if _, warnings, err := raw.Normal("/plan"); err != nil || !slices.Equal(warnings, warning("currency_unknown", "plan", "currency")) {
		t.Errorf("ABC: got %v, %v", warnings, err)
	}
}

func TestPlansThatAreRefused(t *testing.T) {
	ok := customer.RawPlan{Code: "pro", AmountMinor: new(int64(1)), Currency: "EUR", Interval: "month"}
	for want, change := range map[string]func(*customer.RawPlan){
		"/plan/code is absent, want 1 to 64 characters":                                      func(p *customer.RawPlan) { p.Code = " " },
		"/plan/code is a string of 65 characters, want at most 64 characters":                func(p *customer.RawPlan) { p.Code = strings.Repeat("c", 65) },
		"/plan/amount_minor is absent, want an integer of 0 to 9007199254740991":             func(p *customer.RawPlan) { p.AmountMinor = nil },
		"/plan/amount_minor is a number out of range, want 0 to 9007199254740991":            func(p *customer.RawPlan) { p.AmountMinor = new(int64(1 << 53)) },
		"/plan/currency is absent, want three letters":                                       func(p *customer.RawPlan) { p.Currency = "" },
		"/plan/currency is a string of 2 characters, want three letters":                     func(p *customer.RawPlan) { p.Currency = "€1" },
		"/plan/interval is absent, want month, quarter, half_year or year":                   func(p *customer.RawPlan) { p.Interval = "" },
		"/plan/interval is a string of 5 characters, want month, quarter, half_year or year": func(p *customer.RawPlan) { p.Interval = "Month" },
	} {
		p := ok
		change(&p)
		_, _, err := p.Normal("/plan")
		refused(t, err, customer.InvalidField, want)
	}
}

func TestCardNumbersAreRecognised(t *testing.T) {
	for s, want := range map[string]bool{
		"4242424242424242":     true,
		"4242 4242-4242 4242":  true,
		"378282246310005":      true,
		"2223003122003222":     true,
		"6011111111111117":     true,
		"4222222222222":        true, // 13 digits
		"4242424242424241":     false,
		"422222222222":         false, // 12 digits
		"79927398713":          false,
		"1234567812345670":     false, // begins with 1
		"7000000000000005":     false, // begins with 7
		"6000000000000007":     true,  // begins with 6
		"7992739871300000":     false,
		"pm_4242424242424242":  false,
		"42424242424242424242": false, // 20 digits
		"":                     false,
		"-- --":                false,
		"４２４２４２４２４２４２４２４２": false,
	} {
		if customer.LooksLikeCard(s) != want {
			t.Errorf("%q: %v, want %v", s, !want, want)
		}
	}
}
