package codecs

import (
	"billstream/internal/billing"
	"billstream/internal/customer"
)

// The members of message Value, by kind.
const (
	valueStatus = iota + 1
	valueName
	valueAddress
	valueContact
	valueTax
	valuePaymentMethod
	valuePlan
)

// appendValueMessage writes v as a message Value in field num; nil is absent.
func appendValueMessage(dst []byte, num int, v billing.Value) []byte {
	if v == nil {
		return dst
	}
	dst, start := openMessage(dst, num)
	switch v := v.(type) {
	case billing.Status:
		// A member of a oneof has presence: also the status 0 is written.
		dst = append(appendKey(dst, valueStatus, wireVarint), byte(v))
	case billing.Name:
		dst = appendEach(dst, valueName, v)
	case *customer.Address:
		dst = appendAddressMessage(dst, valueAddress, v)
	case *customer.Contact:
		dst = appendContactMessage(dst, valueContact, v)
	case *customer.Tax:
		dst = appendTaxMessage(dst, valueTax, v)
	case *customer.PaymentMethod:
		dst = appendPaymentMethodMessage(dst, valuePaymentMethod, v)
	case *customer.Plan:
		dst = appendPlanMessage(dst, valuePlan, v)
	}
	return closeMessage(dst, start)
}

// parseValue reads a message Value; nil when none of its members is set.
func parseValue(s string) (v billing.Value, ok bool) {
	f := fields{src: s}
	for f.next() {
		switch f.key {
		case valueStatus<<keyBits | wireVarint:
			v = enum(&f, billing.StatusErased)
		case valueName<<keyBits | wireBytes:
			v = billing.Name(f.str)
		case valueAddress<<keyBits | wireBytes:
			v = parseAddress(&f)
		case valueContact<<keyBits | wireBytes:
			v = parseContact(&f)
		case valueTax<<keyBits | wireBytes:
			v = parseTax(&f)
		case valuePaymentMethod<<keyBits | wireBytes:
			v = parsePaymentMethod(&f)
		case valuePlan<<keyBits | wireBytes:
			v = parsePlan(&f)
		}
	}
	return v, !f.bad
}

// fits reports whether v is a value of the facet, so that readers of a row may
// rely on the type.
func fits(facet billing.Facet, v billing.Value) bool {
	switch v.(type) {
	case nil:
		return true
	case billing.Status:
		return facet == billing.FacetStatus
	case billing.Name:
		return facet == billing.FacetName
	case *customer.Address:
		return facet == billing.FacetBillingAddress || facet == billing.FacetShippingAddress
	case *customer.Contact:
		return facet == billing.FacetContact
	case *customer.Tax:
		return facet == billing.FacetTax
	case *customer.PaymentMethod:
		return facet == billing.FacetPaymentMethod
	case *customer.Plan:
		return facet == billing.FacetPlan
	}
	return false
}

func appendAddressMessage(dst []byte, num int, a *customer.Address) []byte {
	dst, start := openMessage(dst, num)
	dst = appendStr(dst, 1, a.Line1)
	dst = appendStr(dst, 2, a.Line2)
	dst = appendStr(dst, 3, a.City)
	dst = appendStr(dst, 4, a.PostalCode)
	dst = appendStr(dst, 5, a.Subdivision)
	dst = appendStr(dst, 6, a.Country)
	return closeMessage(dst, start)
}

// parseAddress reads the message in outer's current field, as do its siblings;
// a broken one marks outer. Those that begin with read do so into memory of the
// caller's.
func parseAddress(outer *fields) *customer.Address { return readAddress(outer, new(customer.Address)) }

func readAddress(outer *fields, a *customer.Address) *customer.Address {
	*a = customer.Address{}
	f := fields{src: outer.str}
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireBytes:
			a.Line1 = f.str
		case 2<<keyBits | wireBytes:
			a.Line2 = f.str
		case 3<<keyBits | wireBytes:
			a.City = f.str
		case 4<<keyBits | wireBytes:
			a.PostalCode = f.str
		case 5<<keyBits | wireBytes:
			a.Subdivision = f.str
		case 6<<keyBits | wireBytes:
			a.Country = f.str
		}
	}
	outer.bad = outer.bad || f.bad
	return a
}

func appendContactMessage(dst []byte, num int, c *customer.Contact) []byte {
	dst, start := openMessage(dst, num)
	dst = appendStr(dst, 1, c.Email)
	dst = appendStr(dst, 2, c.Phone)
	dst = appendStr(dst, 3, c.Locale)
	dst = appendStr(dst, 4, c.TimeZone)
	for _, r := range c.InvoiceRecipients {
		dst = appendEach(dst, 5, r)
	}
	return closeMessage(dst, start)
}

func parseContact(outer *fields) *customer.Contact { return readContact(outer, new(customer.Contact)) }

func readContact(outer *fields, c *customer.Contact) *customer.Contact {
	recipients := c.InvoiceRecipients[:0]
	*c = customer.Contact{}
	f := fields{src: outer.str}
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireBytes:
			c.Email = f.str
		case 2<<keyBits | wireBytes:
			c.Phone = f.str
		case 3<<keyBits | wireBytes:
			c.Locale = f.str
		case 4<<keyBits | wireBytes:
			c.TimeZone = f.str
		case 5<<keyBits | wireBytes:
			recipients = append(recipients, f.str)
			c.InvoiceRecipients = recipients
		}
	}
	outer.bad = outer.bad || f.bad
	return c
}

func appendTaxMessage(dst []byte, num int, t *customer.Tax) []byte {
	dst, start := openMessage(dst, num)
	for i := range t.TaxIDs {
		var id int
		dst, id = openMessage(dst, 1)
		dst = appendStr(dst, 1, t.TaxIDs[i].Type)
		dst = appendStr(dst, 2, t.TaxIDs[i].Value)
		dst = closeMessage(dst, id)
	}
	dst = appendUint(dst, 2, uint64(t.Exempt))
	return closeMessage(dst, start)
}

func parseTax(outer *fields) *customer.Tax { return readTax(outer, new(customer.Tax)) }

func readTax(outer *fields, t *customer.Tax) *customer.Tax {
	ids := t.TaxIDs[:0]
	*t = customer.Tax{}
	f := fields{src: outer.str}
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireBytes:
			ids = append(ids, parseTaxID(&f))
			t.TaxIDs = ids
		case 2<<keyBits | wireVarint:
			t.Exempt = enum(&f, customer.ExemptReverse)
		}
	}
	outer.bad = outer.bad || f.bad
	return t
}

func parseTaxID(outer *fields) (id customer.TaxID) {
	f := fields{src: outer.str}
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireBytes:
			id.Type = f.str
		case 2<<keyBits | wireBytes:
			id.Value = f.str
		}
	}
	outer.bad = outer.bad || f.bad
	return id
}

func appendPaymentMethodMessage(dst []byte, num int, m *customer.PaymentMethod) []byte {
	dst, start := openMessage(dst, num)
	dst = appendStr(dst, 1, m.Ref)
	dst = appendStr(dst, 2, m.Type)
	dst = appendStr(dst, 3, m.Brand)
	dst = appendStr(dst, 4, m.Last4)
	dst = appendUint(dst, 5, uint64(m.ExpMonth))
	dst = appendUint(dst, 6, uint64(m.ExpYear))
	return closeMessage(dst, start)
}

func parsePaymentMethod(outer *fields) *customer.PaymentMethod {
	return readPaymentMethod(outer, new(customer.PaymentMethod))
}

func readPaymentMethod(outer *fields, m *customer.PaymentMethod) *customer.PaymentMethod {
	*m = customer.PaymentMethod{}
	f := fields{src: outer.str}
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireBytes:
			m.Ref = f.str
		case 2<<keyBits | wireBytes:
			m.Type = f.str
		case 3<<keyBits | wireBytes:
			m.Brand = f.str
		case 4<<keyBits | wireBytes:
			m.Last4 = f.str
		case 5<<keyBits | wireVarint:
			m.ExpMonth = uint32(f.num)
		case 6<<keyBits | wireVarint:
			m.ExpYear = uint32(f.num)
		}
	}
	outer.bad = outer.bad || f.bad
	return m
}

func appendPlanMessage(dst []byte, num int, p *customer.Plan) []byte {
	dst, start := openMessage(dst, num)
	dst = appendStr(dst, 1, p.Code)
	dst = appendInt(dst, 2, p.AmountMinor)
	dst = appendStr(dst, 3, p.Currency)
	dst = appendUint(dst, 4, uint64(p.Interval))
	return closeMessage(dst, start)
}

func parsePlan(outer *fields) *customer.Plan { return readPlan(outer, new(customer.Plan)) }

func readPlan(outer *fields, p *customer.Plan) *customer.Plan {
	*p = customer.Plan{}
	f := fields{src: outer.str}
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireBytes:
			p.Code = f.str
		case 2<<keyBits | wireVarint:
			p.AmountMinor = int64(f.num)
		case 3<<keyBits | wireBytes:
			p.Currency = f.str
		case 4<<keyBits | wireVarint:
			p.Interval = enum(&f, customer.IntervalYear)
		}
	}
	outer.bad = outer.bad || f.bad
	return p
}
