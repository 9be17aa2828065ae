package codecs

import (
	"billstream/internal/customer"
)

// dataReader reads an event's data, whose JSON is known to be sound, into the
// event: the change, when it takes effect, and the warnings.
type dataReader struct {
	d     document
	event *customer.Event
}

// The members of data, in the order in which they are checked.
const (
	dataKind = iota
	dataName
	dataBillingAddress
	dataShippingAddress
	dataAddress
	dataContact
	dataTax
	dataPaymentMethod
	dataPlan
	dataReason
	dataEffectiveFrom
	dataMembers
)

func dataNames() [dataMembers]string {
	return [...]string{
		"kind", "name", "billing_address", "shipping_address", "address", "contact", "tax",
		"payment_method", "plan", "reason", "effective_from",
	}
}

func (r *dataReader) read() error {
	names := dataNames()
	var at [dataMembers]int
	r.d.find(0, names[:], at[:])
	change, err := r.change(&at)
	if err != nil {
		return err
	}
	r.event.Change = change
	if r.event.Type == customer.TypeErased {
		return nil // it takes effect now, whatever it says
	}
	return r.effectiveFrom(at[dataEffectiveFrom])
}

func (r *dataReader) change(at *[dataMembers]int) (customer.Change, error) {
	switch r.event.Type {
	case customer.TypeRegistered:
		return r.registered(at)
	case customer.TypeRenamed:
		f, err := r.name("/name", at[dataName])
		return customer.Renamed{Name: f.Value}, required("/name", f.Stated, kindString, err)
	case customer.TypeAddressChanged:
		return r.addressChanged(at)
	case customer.TypeContactChanged:
		f, err := r.contact("/contact", at[dataContact])
		return customer.ContactChanged{Contact: f.Value}, required("/contact", f.Stated, kindObject, err)
	case customer.TypeTaxChanged:
		f, err := r.tax("/tax", at[dataTax])
		return customer.TaxChanged{Tax: f.Value}, required("/tax", f.Stated, kindObject, err)
	case customer.TypePaymentMethodChanged:
		f, err := r.paymentMethod("/payment_method", at[dataPaymentMethod])
		return customer.PaymentMethodChanged{PaymentMethod: f.Value}, required("/payment_method", f.Stated, kindObject, err)
	case customer.TypePlanChanged:
		f, err := r.plan("/plan", at[dataPlan])
		return customer.PlanChanged{Plan: f.Value}, required("/plan", f.Stated, kindObject, err)
	case customer.TypeClosed:
		reason, err := r.reason(at[dataReason])
		return customer.Closed{Reason: reason}, err
	default:
		reason, err := r.reason(at[dataReason])
		return customer.Erased{Reason: reason}, err
	}
}

func (r *dataReader) registered(at *[dataMembers]int) (customer.Change, error) {
	var c customer.Registered
	var err error
	if c.Name, err = r.name("/name", at[dataName]); err != nil {
		return nil, err
	}
	if c.BillingAddress, err = r.address(customer.BillingAddress, "/billing_address", at[dataBillingAddress]); err != nil {
		return nil, err
	}
	if c.ShippingAddress, err = r.address(customer.ShippingAddress, "/shipping_address", at[dataShippingAddress]); err != nil {
		return nil, err
	}
	if c.Contact, err = r.contact("/contact", at[dataContact]); err != nil {
		return nil, err
	}
	if c.Tax, err = r.tax("/tax", at[dataTax]); err != nil {
		return nil, err
	}
	if c.PaymentMethod, err = r.paymentMethod("/payment_method", at[dataPaymentMethod]); err != nil {
		return nil, err
	}
	c.Plan, err = r.plan("/plan", at[dataPlan])
	return c, err
}

func (r *dataReader) addressChanged(at *[dataMembers]int) (customer.Change, error) {
	const want = "billing or shipping"
	text, err := r.optionalText("/kind", at[dataKind], want)
	if err != nil {
		return nil, err
	}
	kind, ok := customer.ParseAddressKind(text)
	if !ok {
		return nil, customer.Invalid("/kind", customer.StringOf(text), want)
	}
	f, err := r.address(kind, "/address", at[dataAddress])
	return customer.AddressChanged{Kind: kind, Address: f.Value}, required("/address", f.Stated, kindObject, err)
}

// required returns err, or the refusal of a member that must be there and is
// not. Null is there: it states that there is no value.
func required(pointer string, stated bool, want kind, err error) error {
	if err == nil && !stated {
		return customer.Invalid(pointer, "absent", want.String()+" or null")
	}
	return err
}

// given reports whether the member at node i, which may be absent or null, has
// a value, and refuses one of another kind than wanted.
func (r *dataReader) given(pointer string, i int, want kind) (bool, error) {
	switch k := r.d.nodes[i].kind; {
	case i == 0 || k == kindNull:
		return false, nil
	case k != want:
		return false, customer.Invalid(pointer, k.String(), want.String()+" or null")
	}
	return true, nil
}

// effectiveFrom reads from when the fact holds; without it, from its time on.
func (r *dataReader) effectiveFrom(i int) error {
	const want = "an RFC 3339 date and time"
	if i == 0 || r.d.nodes[i].kind == kindNull {
		return nil
	}
	text, err := r.optionalText("/effective_from", i, want)
	if err != nil {
		return err
	}
	from, err := customer.ParseInstant(text)
	if err != nil {
		return customer.Invalid("/effective_from", stringOrEmpty(text), want)
	}
	r.event.EffectiveFrom = from
	return nil
}

func stringOrEmpty(s string) string {
	if s == "" {
		return "an empty string"
	}
	return customer.StringOf(s)
}

func (r *dataReader) reason(i int) (string, error) {
	text, err := r.optionalText("/reason", i, "a string")
	if err != nil {
		return "", err
	}
	text, warnings, err := customer.NormalReason("/reason", text)
	r.warn(warnings)
	return text, err
}

// optionalText reads a text member; absent and null are "".
func (r *dataReader) optionalText(pointer string, i int, want string) (string, error) {
	switch k := r.d.nodes[i].kind; {
	case i == 0 || k == kindNull:
		return "", nil
	case k != kindString:
		return "", customer.Invalid(pointer, k.String(), want)
	}
	return r.d.text(i), nil
}
