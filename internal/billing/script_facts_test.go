package billing_test

import (
	"fmt"
	"strconv"
	"strings"

	"billstream/internal/customer"
)

// facts are the values that a block states.
type facts struct {
	registered customer.Registered
	kind       customer.AddressKind
	reason     string
	warnings   []customer.Warning
}

// readFacts reads lines such as "name: Acme" and brings their values to normal
// form. The error is a refusal, or says that a line is none.
func readFacts(input string) (*facts, error) {
	f := &facts{}
	for line := range strings.Lines(input) {
		key, text, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			return nil, fmt.Errorf("line is %q, want <facet>: <value>", line)
		}
		if err := f.read(key, strings.TrimSpace(text)); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *facts) read(key, text string) error {
	r := &f.registered
	switch key {
	case "name":
		return state(f, &r.Name, text, func() (*string, []customer.Warning, error) { return customer.NormalName("/name", text) })
	case "billing address":
		f.kind = customer.BillingAddress
		return state(f, &r.BillingAddress, text, readAddress(f.kind, text))
	case "shipping address":
		f.kind = customer.ShippingAddress
		return state(f, &r.ShippingAddress, text, readAddress(f.kind, text))
	case "contact":
		return state(f, &r.Contact, text, readContact(text))
	case "tax":
		return state(f, &r.Tax, text, readTax(text))
	case "payment method":
		return state(f, &r.PaymentMethod, text, readPaymentMethod(text))
	case "plan":
		return state(f, &r.Plan, text, readPlan(text))
	case "reason":
		f.reason = text
		return nil
	}
	return fmt.Errorf("fact is %q, want the name of a facet", key)
}

func state[T any](f *facts, fact *customer.Fact[T], text string, read func() (*T, []customer.Warning, error)) error {
	if text == "none" {
		*fact = customer.State[T](nil)
		return nil
	}
	v, warnings, err := read()
	*fact = customer.State(v)
	f.warnings = append(f.warnings, warnings...)
	return err
}

// field returns the i-th of the parts that commas separate, "" if there are
// fewer.
func field(text string, i int) string {
	parts := strings.Split(text, ",")
	if i >= len(parts) {
		return ""
	}
	return strings.TrimSpace(parts[i])
}

// readAddress reads "<line1>, <city>, <postal code>, <country>, <subdivision>".
func readAddress(kind customer.AddressKind, text string) func() (*customer.Address, []customer.Warning, error) {
	return func() (*customer.Address, []customer.Warning, error) {
		return customer.Address{
			Line1: field(text, 0), City: field(text, 1), PostalCode: field(text, 2),
			Country: field(text, 3), Subdivision: field(text, 4),
		}.Normal(kind, "/"+kind.String()+"_address")
	}
}

// readContact reads "<email>, <phone>, <locale>, <time zone>, <recipient> …".
func readContact(text string) func() (*customer.Contact, []customer.Warning, error) {
	return func() (*customer.Contact, []customer.Warning, error) {
		return customer.Contact{
			Email: field(text, 0), Phone: field(text, 1), Locale: field(text, 2), TimeZone: field(text, 3),
			InvoiceRecipients: strings.Fields(field(text, 4)),
		}.Normal("/contact")
	}
}

// readTax reads "<exempt>, <type> <value>, <type> <value> …".
func readTax(text string) func() (*customer.Tax, []customer.Warning, error) {
	return func() (*customer.Tax, []customer.Warning, error) {
		raw := customer.RawTax{Exempt: field(text, 0)}
		for i := 1; field(text, i) != ""; i++ {
			typ, value, _ := strings.Cut(field(text, i), " ")
			raw.TaxIDs = append(raw.TaxIDs, customer.TaxID{Type: typ, Value: value})
		}
		return raw.Normal("/tax")
	}
}

// readPaymentMethod reads "<ref>, <type>, <brand>, <last4>, <month>, <year>".
func readPaymentMethod(text string) func() (*customer.PaymentMethod, []customer.Warning, error) {
	return func() (*customer.PaymentMethod, []customer.Warning, error) {
		return customer.RawPaymentMethod{
			Ref: field(text, 0), Type: field(text, 1), Brand: field(text, 2), Last4: field(text, 3),
			ExpMonth: integer(field(text, 4)), ExpYear: integer(field(text, 5)),
		}.Normal("/payment_method")
	}
}

// readPlan reads "<code> <amount> <currency> <interval>".
func readPlan(text string) func() (*customer.Plan, []customer.Warning, error) {
	return func() (*customer.Plan, []customer.Warning, error) {
		p := append(strings.Fields(text), "", "", "", "")
		return customer.RawPlan{Code: p[0], AmountMinor: integer(p[1]), Currency: p[2], Interval: p[3]}.Normal("/plan")
	}
}

func integer(s string) *int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// change returns what an event of the given type makes of the facts.
func (f *facts) change(typ customer.Type) customer.Change {
	r := f.registered
	switch typ {
	case customer.TypeRegistered:
		return r
	case customer.TypeRenamed:
		return customer.Renamed{Name: r.Name.Value}
	case customer.TypeAddressChanged:
		if f.kind == customer.ShippingAddress {
			return customer.AddressChanged{Kind: f.kind, Address: r.ShippingAddress.Value}
		}
		return customer.AddressChanged{Kind: customer.BillingAddress, Address: r.BillingAddress.Value}
	case customer.TypeContactChanged:
		return customer.ContactChanged{Contact: r.Contact.Value}
	case customer.TypeTaxChanged:
		return customer.TaxChanged{Tax: r.Tax.Value}
	case customer.TypePaymentMethodChanged:
		return customer.PaymentMethodChanged{PaymentMethod: r.PaymentMethod.Value}
	case customer.TypePlanChanged:
		return customer.PlanChanged{Plan: r.Plan.Value}
	case customer.TypeClosed:
		return customer.Closed{Reason: f.reason}
	default:
		return customer.Erased{Reason: f.reason}
	}
}
