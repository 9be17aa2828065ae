package codecs_test

import (
	"pgregory.net/rapid"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
)

// Generators of domain values. They need not make sense: a codec carries
// whatever it is given.

func text() *rapid.Generator[string] {
	return rapid.OneOf(rapid.Just(""), rapid.StringN(1, 8, 40), rapid.SampledFrom([]string{"Ærø", "\"\\/\b", "Łódź", "a\u2028b", "😀"}))
}

func some() *rapid.Generator[string] { return rapid.StringN(1, 12, 60) }

func instants() *rapid.Generator[customer.Instant] {
	return rapid.OneOf(
		rapid.Just(customer.Instant(0)),
		rapid.Custom(func(t *rapid.T) customer.Instant {
			return customer.Instant(rapid.Int64Range(-1e15, 4e15).Draw(t, "us"))
		}))
}

func maybe[T any](g *rapid.Generator[T]) *rapid.Generator[*T] {
	return rapid.Custom(func(t *rapid.T) *T {
		if rapid.Bool().Draw(t, "absent") {
			return nil
		}
		return new(g.Draw(t, "value"))
	})
}

// listOf gives nil for an empty list, as the codecs do.
func listOf[T any](g *rapid.Generator[T], most int) *rapid.Generator[[]T] {
	return rapid.Custom(func(t *rapid.T) []T {
		if vs := rapid.SliceOfN(g, 0, most).Draw(t, "list"); len(vs) > 0 {
			return vs
		}
		return nil
	})
}

func addresses() *rapid.Generator[customer.Address] {
	return rapid.Custom(func(t *rapid.T) customer.Address {
		return customer.Address{
			Line1: text().Draw(t, "line1"), Line2: text().Draw(t, "line2"), City: text().Draw(t, "city"),
			PostalCode: text().Draw(t, "postal code"), Subdivision: text().Draw(t, "subdivision"), Country: text().Draw(t, "country"),
		}
	})
}

func contacts() *rapid.Generator[customer.Contact] {
	return rapid.Custom(func(t *rapid.T) customer.Contact {
		return customer.Contact{
			Email: text().Draw(t, "email"), Phone: text().Draw(t, "phone"), Locale: text().Draw(t, "locale"),
			TimeZone: text().Draw(t, "time zone"), InvoiceRecipients: listOf(text(), 3).Draw(t, "recipients"),
		}
	})
}

func taxes() *rapid.Generator[customer.Tax] {
	id := rapid.Custom(func(t *rapid.T) customer.TaxID {
		return customer.TaxID{Type: text().Draw(t, "type"), Value: text().Draw(t, "value")}
	})
	return rapid.Custom(func(t *rapid.T) customer.Tax {
		return customer.Tax{TaxIDs: listOf(id, 3).Draw(t, "ids"), Exempt: customer.Exempt(rapid.Uint8Max(2).Draw(t, "exempt"))}
	})
}

func paymentMethods() *rapid.Generator[customer.PaymentMethod] {
	return rapid.Custom(func(t *rapid.T) customer.PaymentMethod {
		return customer.PaymentMethod{
			Ref: text().Draw(t, "ref"), Type: text().Draw(t, "type"), Brand: text().Draw(t, "brand"), Last4: text().Draw(t, "last4"),
			ExpMonth: rapid.Uint32().Draw(t, "month"), ExpYear: rapid.Uint32().Draw(t, "year"),
		}
	})
}

func plans() *rapid.Generator[customer.Plan] {
	return rapid.Custom(func(t *rapid.T) customer.Plan {
		return customer.Plan{
			Code: text().Draw(t, "code"), AmountMinor: rapid.Int64().Draw(t, "amount"),
			Currency: text().Draw(t, "currency"), Interval: customer.Interval(rapid.Uint8Max(4).Draw(t, "interval")),
		}
	})
}

// values gives values of one facet, also none.
func values(f billing.Facet) *rapid.Generator[billing.Value] {
	return rapid.Custom(func(t *rapid.T) billing.Value {
		if rapid.IntRange(0, 3).Draw(t, "none") == 0 {
			return nil
		}
		switch f {
		case billing.FacetStatus:
			return billing.Status(rapid.Uint8Max(3).Draw(t, "status"))
		case billing.FacetName:
			return billing.Name(some().Draw(t, "name"))
		case billing.FacetContact:
			return new(contacts().Draw(t, "contact"))
		case billing.FacetTax:
			return new(taxes().Draw(t, "tax"))
		case billing.FacetPaymentMethod:
			return new(paymentMethods().Draw(t, "payment method"))
		case billing.FacetPlan:
			return new(plans().Draw(t, "plan"))
		}
		return new(addresses().Draw(t, "address"))
	})
}

func facets() *rapid.Generator[billing.Facet] {
	return rapid.Custom(func(t *rapid.T) billing.Facet {
		return billing.Facet(rapid.Uint8Range(uint8(billing.FacetStatus), uint8(billing.FacetPlan)).Draw(t, "facet"))
	})
}

func eventRefs() *rapid.Generator[billing.EventRef] {
	return rapid.Custom(func(t *rapid.T) billing.EventRef {
		return billing.EventRef{Source: text().Draw(t, "source"), ID: text().Draw(t, "id")}
	})
}

func versions(f billing.Facet) *rapid.Generator[billing.Version] {
	return rapid.Custom(func(t *rapid.T) billing.Version {
		return billing.Version{
			EffectiveFrom: instants().Draw(t, "from"), Time: instants().Draw(t, "time"), Sequence: text().Draw(t, "sequence"),
			Event: rapid.Uint64().Draw(t, "event"), Value: values(f).Draw(t, "value"),
		}
	})
}

func rows() *rapid.Generator[*billing.Row] {
	pending := rapid.Custom(func(t *rapid.T) billing.Pending {
		return billing.Pending{EffectiveFrom: instants().Draw(t, "from"), Event: eventRefs().Draw(t, "event")}
	})
	return rapid.Custom(func(t *rapid.T) *billing.Row {
		r := &billing.Row{
			Seq: rapid.Uint64().Draw(t, "seq"), RecordedAt: instants().Draw(t, "recorded"), UpdatedAt: instants().Draw(t, "updated"),
			AppliedPartition: rapid.Int32Min(0).Draw(t, "partition"), AppliedOffset: rapid.Int64Min(-1).Draw(t, "offset"),
			RegisteredAt: maybe(instants()).Draw(t, "registered"), ErasedAt: maybe(instants()).Draw(t, "erased"),
			Pending: listOf(pending, 3).Draw(t, "pending"),
		}
		for f := billing.FacetStatus; f <= billing.FacetPlan; f++ {
			vs := listOf(versions(f), 4).Draw(t, "versions")
			if len(vs) > 1 && rapid.Bool().Draw(t, "repeat") {
				vs[1].Value = vs[0].Value
			}
			r.Timelines[f] = billing.Timeline{Truncated: rapid.Bool().Draw(t, "truncated"), Versions: vs}
		}
		return r
	})
}

func warnings() *rapid.Generator[customer.Warning] {
	return rapid.Custom(func(t *rapid.T) customer.Warning {
		w := customer.Warning{Code: text().Draw(t, "code"), Field: text().Draw(t, "field")}
		if rapid.Bool().Draw(t, "about a facet") {
			w.Facet = facets().Draw(t, "facet").String()
		}
		return w
	})
}

func accountsOf() *rapid.Generator[*billing.Account] {
	scheduled := rapid.Custom(func(t *rapid.T) billing.Scheduled {
		f := facets().Draw(t, "facet")
		return billing.Scheduled{Facet: f, EffectiveFrom: instants().Draw(t, "from"), New: values(f).Draw(t, "new")}
	})
	return rapid.Custom(func(t *rapid.T) *billing.Account {
		return &billing.Account{
			Customer: customer.ID(some().Draw(t, "id")), Status: billing.Status(rapid.Uint8Max(3).Draw(t, "status")),
			Seq: rapid.Uint64().Draw(t, "seq"), RegisteredAt: maybe(instants()).Draw(t, "registered"),
			ClosedAt: maybe(instants()).Draw(t, "closed"), ErasedAt: maybe(instants()).Draw(t, "erased"),
			UpdatedAt: instants().Draw(t, "updated"), Name: maybe(text()).Draw(t, "name"),
			BillingAddress: maybe(addresses()).Draw(t, "billing"), ShippingAddress: maybe(addresses()).Draw(t, "shipping"),
			Contact: maybe(contacts()).Draw(t, "contact"), Tax: maybe(taxes()).Draw(t, "tax"),
			PaymentMethod: maybe(paymentMethods()).Draw(t, "payment"), Plan: maybe(plans()).Draw(t, "plan"),
			Scheduled: listOf(scheduled, 2).Draw(t, "scheduled"), Warnings: listOf(warnings(), 2).Draw(t, "warnings"),
		}
	})
}

func updates() *rapid.Generator[*billing.Update] {
	change := rapid.Custom(func(t *rapid.T) billing.Change {
		f := facets().Draw(t, "facet")
		return billing.Change{
			Facet: f, Old: values(f).Draw(t, "old"), New: values(f).Draw(t, "new"), Fields: listOf(some(), 3).Draw(t, "fields"),
			EffectiveFrom: instants().Draw(t, "from"), EffectiveTo: maybe(instants()).Draw(t, "to"),
			Current: rapid.Bool().Draw(t, "current"), ScheduledBy: maybe(eventRefs()).Draw(t, "scheduled by"),
		}
	})
	return rapid.Custom(func(t *rapid.T) *billing.Update {
		u := &billing.Update{
			Customer: customer.ID(some().Draw(t, "id")), Seq: rapid.Uint64().Draw(t, "seq"),
			Class: billing.Class(rapid.Uint8Range(1, 5).Draw(t, "class")), Changes: listOf(change, 3).Draw(t, "changes"),
			Cause: billing.Cause{
				Source: text().Draw(t, "source"), ID: text().Draw(t, "id"), Type: text().Draw(t, "type"), Time: instants().Draw(t, "time"),
				Position: billing.Position{
					Topic: some().Draw(t, "topic"), Partition: rapid.Int32Min(0).Draw(t, "partition"), Offset: rapid.Int64Min(0).Draw(t, "offset"),
				},
				CorrelationID: text().Draw(t, "correlation"),
			},
			RecordedAt: instants().Draw(t, "recorded"), Reason: text().Draw(t, "reason"), Warnings: listOf(warnings(), 2).Draw(t, "warnings"),
		}
		if rapid.Bool().Draw(t, "with account") {
			u.Account = accountsOf().Draw(t, "account")
		}
		return u
	})
}

func byteStrings() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		if rapid.Bool().Draw(t, "null") {
			return nil
		}
		return rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "bytes")
	})
}

func records() *rapid.Generator[codecs.Record] {
	header := rapid.Custom(func(t *rapid.T) codecs.Header {
		return codecs.Header{Key: text().Draw(t, "key"), Value: byteStrings().Draw(t, "value")}
	})
	return rapid.Custom(func(t *rapid.T) codecs.Record {
		return codecs.Record{
			Partition: rapid.Int32().Draw(t, "partition"), Timestamp: rapid.Int64().Draw(t, "timestamp"),
			Key: byteStrings().Draw(t, "key"), Headers: listOf(header, 4).Draw(t, "headers"), Value: byteStrings().Draw(t, "value"),
		}
	})
}
