package codecs

import (
	"strconv"
	"strings"

	"billstream/internal/customer"
)

// dataReader reads an event's data, whose JSON is known to be sound, into the
// event: the change, when it takes effect, and the warnings.
type dataReader struct {
	d     *document
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
		v, err := required(r, "/name", at[dataName], kindString, (*dataReader).name)
		return customer.Renamed{Name: v}, err
	case customer.TypeAddressChanged:
		return r.addressChanged(at)
	case customer.TypeContactChanged:
		v, err := required(r, "/contact", at[dataContact], kindObject, (*dataReader).contact)
		return customer.ContactChanged{Contact: v}, err
	case customer.TypeTaxChanged:
		v, err := required(r, "/tax", at[dataTax], kindObject, (*dataReader).tax)
		return customer.TaxChanged{Tax: v}, err
	case customer.TypePaymentMethodChanged:
		v, err := required(r, "/payment_method", at[dataPaymentMethod], kindObject, (*dataReader).paymentMethod)
		return customer.PaymentMethodChanged{PaymentMethod: v}, err
	case customer.TypePlanChanged:
		v, err := required(r, "/plan", at[dataPlan], kindObject, (*dataReader).plan)
		return customer.PlanChanged{Plan: v}, err
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
	if c.Name, err = fact(r, "/name", at[dataName], kindString, (*dataReader).name); err != nil {
		return nil, err
	}
	if c.BillingAddress, err = fact(r, "/billing_address", at[dataBillingAddress], kindObject, (*dataReader).billingAddress); err != nil {
		return nil, err
	}
	if c.ShippingAddress, err = fact(r, "/shipping_address", at[dataShippingAddress], kindObject, (*dataReader).shippingAddress); err != nil {
		return nil, err
	}
	if c.Contact, err = fact(r, "/contact", at[dataContact], kindObject, (*dataReader).contact); err != nil {
		return nil, err
	}
	if c.Tax, err = fact(r, "/tax", at[dataTax], kindObject, (*dataReader).tax); err != nil {
		return nil, err
	}
	if c.PaymentMethod, err = fact(r, "/payment_method", at[dataPaymentMethod], kindObject, (*dataReader).paymentMethod); err != nil {
		return nil, err
	}
	c.Plan, err = fact(r, "/plan", at[dataPlan], kindObject, (*dataReader).plan)
	return c, err
}

func (r *dataReader) addressChanged(at *[dataMembers]int) (customer.Change, error) {
	text, err := r.optionalText("/kind", at[dataKind], "billing or shipping")
	if err != nil {
		return nil, err
	}
	kind, ok := customer.ParseAddressKind(text)
	if !ok {
		return nil, customer.Invalid("/kind", customer.StringOf(text), "billing or shipping")
	}
	read := (*dataReader).billingAddress
	if kind == customer.ShippingAddress {
		read = (*dataReader).shippingAddress
	}
	v, err := required(r, "/address", at[dataAddress], kindObject, read)
	return customer.AddressChanged{Kind: kind, Address: v}, err
}

// valueReader reads the value at a node that is of the right kind; pointer is
// where it stands.
type valueReader[T any] func(r *dataReader, pointer string, i int) (*T, error)

// required reads a member that must be there; null states that there is none.
func required[T any](r *dataReader, pointer string, i int, want kind, read valueReader[T]) (*T, error) {
	if i == 0 {
		return nil, customer.Invalid(pointer, "absent", want.String()+" or null")
	}
	f, err := fact(r, pointer, i, want, read)
	return f.Value, err
}

// fact reads a member that may be absent, and then says nothing.
func fact[T any](r *dataReader, pointer string, i int, want kind, read valueReader[T]) (customer.Fact[T], error) {
	if i == 0 {
		return customer.Fact[T]{}, nil
	}
	switch k := r.d.nodes[i].kind; {
	case k == kindNull:
		return customer.State[T](nil), nil
	case k != want:
		return customer.Fact[T]{}, customer.Invalid(pointer, k.String(), want.String()+" or null")
	}
	v, err := read(r, pointer, i)
	return customer.State(v), err
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

func (r *dataReader) warn(ws []customer.Warning) {
	if len(ws) > 0 {
		r.event.Warnings = append(r.event.Warnings, ws...)
	}
}

func (r *dataReader) name(pointer string, i int) (*string, error) {
	v, warnings, err := customer.NormalName(pointer, r.d.text(i))
	r.warn(warnings)
	return v, err
}

// members reads the members of one value. The first of a wrong kind ends the
// reading; whether a member before it is broken is then still to be asked.
type members struct {
	d       *document
	pointer string
	names   []string
	at      [6]int
	fault   *customer.Refusal
	rank    int // of the member at fault
}

func (r *dataReader) members(pointer string, i int, names []string) members {
	m := members{d: r.d, pointer: pointer, names: names}
	r.d.find(i, names, m.at[:])
	return m
}

// given returns the node of the k-th member, 0 when it is absent, null, or
// behind a fault.
func (m *members) given(k int) int {
	i := m.at[k]
	if m.fault != nil || m.d.nodes[i].kind == kindNull {
		return 0
	}
	return i
}

func (m *members) refuse(k int, path, got, want string) {
	if m.fault == nil {
		m.fault, m.rank = customer.Invalid(m.pointer+"/"+m.names[k]+path, got, want), k
	}
}

func (m *members) text(k int) string {
	i := m.given(k)
	if i == 0 {
		return ""
	}
	if kind := m.d.nodes[i].kind; kind != kindString {
		m.refuse(k, "", kind.String(), "a string")
		return ""
	}
	return m.d.text(i)
}

func (m *members) integer(k int) *int64 {
	i := m.given(k)
	if i == 0 {
		return nil
	}
	if kind := m.d.nodes[i].kind; kind != kindNumber {
		m.refuse(k, "", kind.String(), "an integer")
		return nil
	}
	v, ok := m.d.integer(i)
	if !ok {
		m.refuse(k, "", "a number with a fraction or exponent", "an integer")
		return nil
	}
	return &v
}

// each calls f for the elements of the k-th member, an array of the given kind,
// until there is a fault.
func (m *members) each(k int, want kind, f func(index, i int)) {
	i := m.given(k)
	if i == 0 {
		return
	}
	if kind := m.d.nodes[i].kind; kind != kindArray {
		m.refuse(k, "", kind.String(), "an array")
		return
	}
	index, end := 0, int(m.d.nodes[i].next)
	for i++; i < end && m.fault == nil; i = int(m.d.nodes[i].next) {
		if kind := m.d.nodes[i].kind; kind != want {
			m.refuse(k, "/"+strconv.Itoa(index), kind.String(), want.String())
			return
		}
		f(index, i)
		index++
	}
}

// first returns the error of the member that comes first: one of a wrong kind,
// or one that the value's normal form refuses.
func (m *members) first(err error) error {
	if m.fault == nil {
		return err
	}
	r, ok := err.(*customer.Refusal)
	if !ok || r == nil {
		return m.fault
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(r.Pointer, m.pointer+"/"), "/")
	for k, n := range m.names {
		if n == name && (k < m.rank || k == m.rank && r.Pointer != m.fault.Pointer && strings.HasPrefix(m.fault.Pointer, m.pointer+"/"+n+"/")) {
			return r
		}
	}
	return m.fault
}
