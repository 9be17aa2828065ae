package verify

import (
	"billstream/internal/billing"
	"billstream/internal/customer"

	billingv1 "billstream/codecs/proto/billing/v1"
)

// updateMessage returns the message that says u.
func updateMessage(u *billing.Update, withAccount bool) *billingv1.AccountUpdated {
	m := &billingv1.AccountUpdated{
		CustomerId:   string(u.Customer),
		Seq:          u.Seq,
		Class:        billingv1.Class(u.Class),
		Cause:        causeMessage(&u.Cause),
		RecordedAtUs: int64(u.RecordedAt),
		Reason:       u.Reason,
		Warnings:     warningMessages(u.Warnings),
	}
	for i := range u.Changes {
		m.Changes = append(m.Changes, changeMessage(&u.Changes[i]))
	}
	if withAccount {
		m.Account = accountMessage(u.Account)
	}
	return m
}

func causeMessage(c *billing.Cause) *billingv1.Cause {
	return &billingv1.Cause{
		Source: c.Source, Id: c.ID, Type: c.Type, TimeUs: int64(c.Time), CorrelationId: c.CorrelationID,
		Topic: c.Position.Topic, Partition: c.Position.Partition, Offset: c.Position.Offset,
	}
}

func changeMessage(c *billing.Change) *billingv1.Change {
	m := &billingv1.Change{
		Facet: billingv1.Facet(c.Facet), Old: valueMessage(c.Old), New: valueMessage(c.New),
		EffectiveFromUs: int64(c.EffectiveFrom), EffectiveToUs: optional(c.EffectiveTo),
		Current: c.Current, Fields: c.Fields,
	}
	if c.ScheduledBy != nil {
		m.ScheduledBy = refMessage(c.ScheduledBy)
	}
	return m
}

func refMessage(e *billing.EventRef) *billingv1.EventRef {
	return &billingv1.EventRef{Source: e.Source, Id: e.ID}
}

func optional(i *customer.Instant) *int64 {
	if i == nil {
		return nil
	}
	return new(int64(*i))
}

func warningMessages(ws []customer.Warning) []*billingv1.Warning {
	var ms []*billingv1.Warning
	for _, w := range ws {
		facet, _ := billing.ParseFacet(w.Facet)
		ms = append(ms, &billingv1.Warning{Code: w.Code, Facet: billingv1.Facet(facet), Field: w.Field})
	}
	return ms
}

func accountMessage(a *billing.Account) *billingv1.Account {
	m := &billingv1.Account{
		CustomerId: string(a.Customer), Status: billingv1.Status(a.Status), Seq: a.Seq,
		RegisteredAtUs: optional(a.RegisteredAt), ClosedAtUs: optional(a.ClosedAt), ErasedAtUs: optional(a.ErasedAt),
		UpdatedAtUs: int64(a.UpdatedAt), Name: a.Name, Warnings: warningMessages(a.Warnings),
	}
	if a.BillingAddress != nil {
		m.BillingAddress = addressMessage(a.BillingAddress)
	}
	if a.ShippingAddress != nil {
		m.ShippingAddress = addressMessage(a.ShippingAddress)
	}
	if a.Contact != nil {
		m.Contact = contactMessage(a.Contact)
	}
	if a.Tax != nil {
		m.Tax = taxMessage(a.Tax)
	}
	if a.PaymentMethod != nil {
		m.PaymentMethod = paymentMessage(a.PaymentMethod)
	}
	if a.Plan != nil {
		m.Plan = planMessage(a.Plan)
	}
	for _, s := range a.Scheduled {
		m.Scheduled = append(m.Scheduled, &billingv1.Scheduled{
			Facet: billingv1.Facet(s.Facet), New: valueMessage(s.New), EffectiveFromUs: int64(s.EffectiveFrom),
		})
	}
	return m
}

// valueMessage returns the message of a facet's value; nil for none.
func valueMessage(v billing.Value) *billingv1.Value {
	switch v := v.(type) {
	case billing.Status:
		return &billingv1.Value{Value: &billingv1.Value_Status{Status: billingv1.Status(v)}}
	case billing.Name:
		return &billingv1.Value{Value: &billingv1.Value_Name{Name: string(v)}}
	case *customer.Address:
		return &billingv1.Value{Value: &billingv1.Value_Address{Address: addressMessage(v)}}
	case *customer.Contact:
		return &billingv1.Value{Value: &billingv1.Value_Contact{Contact: contactMessage(v)}}
	case *customer.Tax:
		return &billingv1.Value{Value: &billingv1.Value_Tax{Tax: taxMessage(v)}}
	case *customer.PaymentMethod:
		return &billingv1.Value{Value: &billingv1.Value_PaymentMethod{PaymentMethod: paymentMessage(v)}}
	case *customer.Plan:
		return &billingv1.Value{Value: &billingv1.Value_Plan{Plan: planMessage(v)}}
	}
	return nil
}

func addressMessage(a *customer.Address) *billingv1.Address {
	return &billingv1.Address{
		Line1: a.Line1, Line2: a.Line2, City: a.City, PostalCode: a.PostalCode, Subdivision: a.Subdivision, Country: a.Country,
	}
}

func contactMessage(c *customer.Contact) *billingv1.Contact {
	return &billingv1.Contact{
		Email: c.Email, Phone: c.Phone, Locale: c.Locale, TimeZone: c.TimeZone, InvoiceRecipients: c.InvoiceRecipients,
	}
}

func taxMessage(t *customer.Tax) *billingv1.Tax {
	m := &billingv1.Tax{Exempt: billingv1.Exempt(t.Exempt)}
	for _, id := range t.TaxIDs {
		m.TaxIds = append(m.TaxIds, &billingv1.TaxId{Type: id.Type, Value: id.Value})
	}
	return m
}

func paymentMessage(p *customer.PaymentMethod) *billingv1.PaymentMethod {
	return &billingv1.PaymentMethod{
		Ref: p.Ref, Type: p.Type, Brand: p.Brand, Last4: p.Last4, ExpMonth: p.ExpMonth, ExpYear: p.ExpYear,
	}
}

func planMessage(p *customer.Plan) *billingv1.Plan {
	return &billingv1.Plan{
		Code: p.Code, AmountMinor: p.AmountMinor, Currency: p.Currency, Interval: billingv1.Interval(p.Interval),
	}
}

// rowMessage returns the message that says row.
func rowMessage(row *billing.Row) *billingv1.AccountRow {
	m := &billingv1.AccountRow{
		Format: billing.RowFormat, Seq: row.Seq,
		RecordedAtUs: int64(row.RecordedAt), UpdatedAtUs: int64(row.UpdatedAt),
		AppliedPartition: row.AppliedPartition, AppliedOffset: new(row.AppliedOffset),
		RegisteredAtUs: optional(row.RegisteredAt), ErasedAtUs: optional(row.ErasedAt),
	}
	for f := billing.FacetStatus; f <= billing.FacetPlan; f++ {
		if t := &row.Timelines[f]; len(t.Versions) > 0 || t.Truncated {
			m.Timelines = append(m.Timelines, timelineMessage(f, t))
		}
	}
	for i := range row.Pending {
		p := &row.Pending[i]
		m.Pending = append(m.Pending, &billingv1.Pending{EffectiveFromUs: int64(p.EffectiveFrom), Event: refMessage(&p.Event)})
	}
	return m
}

// timelineMessage leaves out the values that repeat the one before.
func timelineMessage(f billing.Facet, t *billing.Timeline) *billingv1.Timeline {
	m := &billingv1.Timeline{Facet: billingv1.Facet(f), Truncated: t.Truncated}
	var before billing.Value
	for i := range t.Versions {
		v := &t.Versions[i]
		version := &billingv1.Version{
			EffectiveFromUs: int64(v.EffectiveFrom), TimeDeltaUs: int64(v.Time - v.EffectiveFrom),
			Event: v.Event, Sequence: v.Sequence,
		}
		if version.Same = v.Value != nil && billing.Equal(before, v.Value); !version.Same {
			version.Value = valueMessage(v.Value)
		}
		m.Versions = append(m.Versions, version)
		before = v.Value
	}
	return m
}
