package codecs

import (
	"strconv"

	"billstream/internal/customer"
)

// The readers below read the member at node i of an event's data, 0 when it is
// absent: what it says about one value.

func (r *dataReader) name(pointer string, i int) (f customer.Fact[string], err error) {
	f.Stated = i != 0
	if ok, err := r.given(pointer, i, kindString); !ok {
		return f, err
	}
	v, warnings, err := customer.NormalName(pointer, r.d.text(i))
	r.warn(warnings)
	f.Value = v
	return f, err
}

func (r *dataReader) address(kind customer.AddressKind, pointer string, i int) (f customer.Fact[customer.Address], err error) {
	f.Stated = i != 0
	if ok, err := r.given(pointer, i, kindObject); !ok {
		return f, err
	}
	m := r.members(pointer, i, []string{"line1", "line2", "city", "postal_code", "country", "subdivision"})
	raw := customer.Address{
		Line1: m.text(0), Line2: m.text(1), City: m.text(2),
		PostalCode: m.text(3), Country: m.text(4), Subdivision: m.text(5),
	}
	v, warnings, err := raw.Normal(kind, pointer)
	r.warn(warnings)
	f.Value = v
	return f, m.first(err)
}

func (r *dataReader) contact(pointer string, i int) (f customer.Fact[customer.Contact], err error) {
	f.Stated = i != 0
	if ok, err := r.given(pointer, i, kindObject); !ok {
		return f, err
	}
	m := r.members(pointer, i, []string{"email", "phone", "locale", "time_zone", "invoice_recipients"})
	raw := customer.Contact{Email: m.text(0), Phone: m.text(1), Locale: m.text(2), TimeZone: m.text(3)}
	m.each(4, kindString, func(_, i int) {
		raw.InvoiceRecipients = append(raw.InvoiceRecipients, r.d.text(i))
	})
	v, warnings, err := raw.Normal(pointer)
	r.warn(warnings)
	f.Value = v
	return f, m.first(err)
}

func (r *dataReader) tax(pointer string, i int) (f customer.Fact[customer.Tax], err error) {
	f.Stated = i != 0
	if ok, err := r.given(pointer, i, kindObject); !ok {
		return f, err
	}
	m := r.members(pointer, i, []string{"tax_ids", "exempt"})
	var raw customer.RawTax
	m.each(0, kindObject, func(index, i int) {
		id := r.members(pointer+"/tax_ids/"+strconv.Itoa(index), i, []string{"type", "value"})
		t := customer.TaxID{Type: id.text(0), Value: id.text(1)}
		if id.fault != nil {
			m.fault, m.rank = id.fault, 0
			return
		}
		raw.TaxIDs = append(raw.TaxIDs, t)
	})
	raw.Exempt = m.text(1)
	v, warnings, err := raw.Normal(pointer)
	r.warn(warnings)
	f.Value = v
	return f, m.first(err)
}

func (r *dataReader) paymentMethod(pointer string, i int) (f customer.Fact[customer.PaymentMethod], err error) {
	f.Stated = i != 0
	if ok, err := r.given(pointer, i, kindObject); !ok {
		return f, err
	}
	m := r.members(pointer, i, []string{"ref", "type", "brand", "last4", "exp_month", "exp_year"})
	raw := customer.RawPaymentMethod{Ref: m.text(0), Type: m.text(1), Brand: m.text(2), Last4: m.text(3)}
	if month, ok := m.integer(4); ok {
		raw.ExpMonth = &month
	}
	if year, ok := m.integer(5); ok {
		raw.ExpYear = &year
	}
	v, warnings, err := raw.Normal(pointer)
	r.warn(warnings)
	f.Value = v
	return f, m.first(err)
}

func (r *dataReader) plan(pointer string, i int) (f customer.Fact[customer.Plan], err error) {
	f.Stated = i != 0
	if ok, err := r.given(pointer, i, kindObject); !ok {
		return f, err
	}
	m := r.members(pointer, i, []string{"code", "amount_minor", "currency", "interval"})
	raw := customer.RawPlan{Code: m.text(0)}
	if amount, ok := m.integer(1); ok {
		raw.AmountMinor = &amount
	}
	raw.Currency, raw.Interval = m.text(2), m.text(3)
	v, warnings, err := raw.Normal(pointer)
	r.warn(warnings)
	f.Value = v
	return f, m.first(err)
}

func (r *dataReader) warn(ws []customer.Warning) {
	if len(ws) > 0 {
		r.event.Warnings = append(r.event.Warnings, ws...)
	}
}
