package codecs

import (
	"billstream/internal/billing"
	"billstream/internal/customer"
)

// AppendAccountJSON appends a as the JSON object that lookups and updates show.
// Its members always stand in the same order and are all there, null when not
// set; inside a value, what is absent is left out.
func AppendAccountJSON(dst []byte, a *billing.Account) []byte {
	o := openObject(dst)
	o.str("customer_id", string(a.Customer))
	o.str("status", a.Status.String())
	o.uint("seq", a.Seq)
	o.instantOrNull("registered_at", a.RegisteredAt)
	o.instantOrNull("closed_at", a.ClosedAt)
	o.instantOrNull("erased_at", a.ErasedAt)
	o.instant("updated_at", a.UpdatedAt)
	if a.Name == nil {
		o.null("name")
	} else {
		o.str("name", *a.Name)
	}
	optional(&o, "billing_address", a.BillingAddress, appendAddress)
	optional(&o, "shipping_address", a.ShippingAddress, appendAddress)
	optional(&o, "contact", a.Contact, appendContact)
	optional(&o, "tax", a.Tax, appendTax)
	optional(&o, "payment_method", a.PaymentMethod, appendPaymentMethod)
	optional(&o, "plan", a.Plan, appendPlan)
	list(&o, "scheduled", a.Scheduled, appendScheduled)
	list(&o, "warnings", a.Warnings, appendWarning)
	return o.close()
}

// optional writes a member that is null when v is nil.
func optional[T any](o *object, name string, v *T, appendTo func([]byte, *T) []byte) {
	if v == nil {
		o.null(name)
		return
	}
	o.name(name)
	o.dst = appendTo(o.dst, v)
}

// list writes a member that is an array, also when it is empty.
func list[T any](o *object, name string, vs []T, appendTo func([]byte, *T) []byte) {
	o.name(name)
	o.dst = append(o.dst, '[')
	for i := range vs {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		o.dst = appendTo(o.dst, &vs[i])
	}
	o.dst = append(o.dst, ']')
}

func appendText(dst []byte, s *string) []byte { return AppendString(dst, *s) }

func appendAddress(dst []byte, a *customer.Address) []byte {
	o := openObject(dst)
	o.given("line1", a.Line1)
	o.given("line2", a.Line2)
	o.given("city", a.City)
	o.given("postal_code", a.PostalCode)
	o.given("subdivision", a.Subdivision)
	o.given("country", a.Country)
	return o.close()
}

func appendContact(dst []byte, c *customer.Contact) []byte {
	o := openObject(dst)
	o.given("email", c.Email)
	o.given("phone", c.Phone)
	o.given("locale", c.Locale)
	o.given("time_zone", c.TimeZone)
	if len(c.InvoiceRecipients) > 0 {
		list(&o, "invoice_recipients", c.InvoiceRecipients, appendText)
	}
	return o.close()
}

func appendTax(dst []byte, t *customer.Tax) []byte {
	o := openObject(dst)
	list(&o, "tax_ids", t.TaxIDs, appendTaxID)
	o.str("exempt", t.Exempt.String())
	return o.close()
}

func appendTaxID(dst []byte, id *customer.TaxID) []byte {
	o := openObject(dst)
	o.str("type", id.Type)
	o.str("value", id.Value)
	return o.close()
}

func appendPaymentMethod(dst []byte, m *customer.PaymentMethod) []byte {
	o := openObject(dst)
	o.str("ref", m.Ref)
	o.str("type", m.Type)
	o.given("brand", m.Brand)
	o.given("last4", m.Last4)
	if m.ExpMonth != 0 {
		o.uint("exp_month", uint64(m.ExpMonth))
	}
	if m.ExpYear != 0 {
		o.uint("exp_year", uint64(m.ExpYear))
	}
	return o.close()
}

func appendPlan(dst []byte, p *customer.Plan) []byte {
	o := openObject(dst)
	o.str("code", p.Code)
	o.int("amount_minor", p.AmountMinor)
	o.str("currency", p.Currency)
	o.str("interval", p.Interval.String())
	return o.close()
}

func appendScheduled(dst []byte, s *billing.Scheduled) []byte {
	o := openObject(dst)
	o.str("facet", s.Facet.String())
	o.instant("effective_from", s.EffectiveFrom)
	o.name("new")
	o.dst = appendValue(o.dst, s.New)
	return o.close()
}

func appendWarning(dst []byte, w *customer.Warning) []byte {
	o := openObject(dst)
	o.str("code", w.Code)
	o.given("facet", w.Facet)
	o.given("field", w.Field)
	return o.close()
}

// appendValue appends the value of any facet; nil is null.
func appendValue(dst []byte, v billing.Value) []byte {
	switch v := v.(type) {
	case billing.Status:
		return AppendString(dst, v.String())
	case billing.Name:
		return AppendString(dst, string(v))
	case *customer.Address:
		return appendAddress(dst, v)
	case *customer.Contact:
		return appendContact(dst, v)
	case *customer.Tax:
		return appendTax(dst, v)
	case *customer.PaymentMethod:
		return appendPaymentMethod(dst, v)
	case *customer.Plan:
		return appendPlan(dst, v)
	}
	return append(dst, "null"...)
}
