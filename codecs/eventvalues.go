package codecs

import (
	"strconv"

	"billstream/internal/customer"
)

func (r *dataReader) billingAddress(pointer string, i int) (*customer.Address, error) {
	return r.address(customer.BillingAddress, pointer, i)
}

func (r *dataReader) shippingAddress(pointer string, i int) (*customer.Address, error) {
	return r.address(customer.ShippingAddress, pointer, i)
}

func (r *dataReader) address(kind customer.AddressKind, pointer string, i int) (*customer.Address, error) {
	m := r.members(pointer, i, []string{"line1", "line2", "city", "postal_code", "country", "subdivision"})
	raw := customer.Address{
		Line1: m.text(0), Line2: m.text(1), City: m.text(2),
		PostalCode: m.text(3), Country: m.text(4), Subdivision: m.text(5),
	}
	v, warnings, err := raw.Normal(kind, pointer)
	if err = m.first(err); err != nil {
		return nil, err
	}
	r.warn(warnings)
	return v, nil
}

func (r *dataReader) contact(pointer string, i int) (*customer.Contact, error) {
	m := r.members(pointer, i, []string{"email", "phone", "locale", "time_zone", "invoice_recipients"})
	raw := customer.Contact{Email: m.text(0), Phone: m.text(1), Locale: m.text(2), TimeZone: m.text(3)}
	m.each(4, kindString, func(_, i int) {
		raw.InvoiceRecipients = append(raw.InvoiceRecipients, r.d.text(i))
	})
	v, warnings, err := raw.Normal(pointer)
	if err = m.first(err); err != nil {
		return nil, err
	}
	r.warn(warnings)
	return v, nil
}

func (r *dataReader) tax(pointer string, i int) (*customer.Tax, error) {
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
	if err = m.first(err); err != nil {
		return nil, err
	}
	r.warn(warnings)
	return v, nil
}

func (r *dataReader) paymentMethod(pointer string, i int) (*customer.PaymentMethod, error) {
	m := r.members(pointer, i, []string{"ref", "type", "brand", "last4", "exp_month", "exp_year"})
	raw := customer.RawPaymentMethod{
		Ref: m.text(0), Type: m.text(1), Brand: m.text(2), Last4: m.text(3),
		ExpMonth: m.integer(4), ExpYear: m.integer(5),
	}
	v, warnings, err := raw.Normal(pointer)
	if err = m.first(err); err != nil {
		return nil, err
	}
	r.warn(warnings)
	return v, nil
}

func (r *dataReader) plan(pointer string, i int) (*customer.Plan, error) {
	m := r.members(pointer, i, []string{"code", "amount_minor", "currency", "interval"})
	raw := customer.RawPlan{Code: m.text(0), AmountMinor: m.integer(1), Currency: m.text(2), Interval: m.text(3)}
	v, warnings, err := raw.Normal(pointer)
	if err = m.first(err); err != nil {
		return nil, err
	}
	r.warn(warnings)
	return v, nil
}
