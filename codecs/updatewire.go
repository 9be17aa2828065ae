package codecs

import (
	"errors"

	"billstream/internal/billing"
	"billstream/internal/customer"
)

// ErrUpdate says that bytes are no update.
var ErrUpdate = errors.New("update is broken, want a message AccountUpdated")

// AppendUpdate appends u with its account as a message AccountUpdated. Equal
// updates have equal bytes.
func AppendUpdate(dst []byte, u *billing.Update) []byte { return appendUpdate(dst, u, true) }

func appendUpdate(dst []byte, u *billing.Update, withAccount bool) []byte {
	dst = appendStr(dst, 1, u.Customer)
	dst = appendUint(dst, 2, u.Seq)
	dst = appendUint(dst, 3, uint64(u.Class))
	for i := range u.Changes {
		dst = appendChangeMessage(dst, 4, &u.Changes[i])
	}
	dst = appendCauseMessage(dst, 5, &u.Cause)
	dst = appendTime(dst, 6, u.RecordedAt)
	dst = appendStr(dst, 7, u.Reason)
	dst = appendWarnings(dst, 8, u.Warnings)
	if withAccount && u.Account != nil {
		dst = appendAccountMessage(dst, 9, u.Account)
	}
	return dst
}

func appendChangeMessage(dst []byte, num int, c *billing.Change) []byte {
	dst, start := openMessage(dst, num)
	dst = appendUint(dst, 1, uint64(c.Facet))
	dst = appendValueMessage(dst, 2, c.Old)
	dst = appendValueMessage(dst, 3, c.New)
	dst = appendTime(dst, 4, c.EffectiveFrom)
	dst = appendOptional(dst, 5, c.EffectiveTo)
	dst = appendFlag(dst, 6, c.Current)
	for _, name := range c.Fields {
		dst = appendEach(dst, 7, name)
	}
	if c.ScheduledBy != nil {
		dst = appendEventRef(dst, 8, c.ScheduledBy)
	}
	return closeMessage(dst, start)
}

func appendCauseMessage(dst []byte, num int, c *billing.Cause) []byte {
	dst, start := openMessage(dst, num)
	dst = appendStr(dst, 1, c.Source)
	dst = appendStr(dst, 2, c.ID)
	dst = appendStr(dst, 3, c.Type)
	dst = appendTime(dst, 4, c.Time)
	dst = appendStr(dst, 5, c.Position.Topic)
	dst = appendInt(dst, 6, int64(c.Position.Partition))
	dst = appendInt(dst, 7, c.Position.Offset)
	dst = appendStr(dst, 8, c.CorrelationID)
	return closeMessage(dst, start)
}

func appendWarnings(dst []byte, num int, ws []customer.Warning) []byte {
	for i := range ws {
		var start int
		dst, start = openMessage(dst, num)
		dst = appendStr(dst, 1, ws[i].Code)
		dst = appendUint(dst, 2, uint64(facetNamed(ws[i].Facet)))
		dst = appendStr(dst, 3, ws[i].Field)
		dst = closeMessage(dst, start)
	}
	return dst
}

// facetNamed returns the facet of that name, 0 when there is none.
func facetNamed(name string) billing.Facet {
	if name == "" {
		return 0
	}
	for f := billing.FacetStatus; f <= billing.FacetPlan; f++ {
		if f.String() == name {
			return f
		}
	}
	return 0
}

func appendAccountMessage(dst []byte, num int, a *billing.Account) []byte {
	dst, start := openMessage(dst, num)
	dst = appendStr(dst, 1, a.Customer)
	dst = appendUint(dst, 2, uint64(a.Status))
	dst = appendUint(dst, 3, a.Seq)
	dst = appendOptional(dst, 4, a.RegisteredAt)
	dst = appendOptional(dst, 5, a.ClosedAt)
	dst = appendOptional(dst, 6, a.ErasedAt)
	dst = appendTime(dst, 7, a.UpdatedAt)
	if a.Name != nil {
		dst = appendEach(dst, 8, *a.Name)
	}
	if a.BillingAddress != nil {
		dst = appendAddressMessage(dst, 9, a.BillingAddress)
	}
	if a.ShippingAddress != nil {
		dst = appendAddressMessage(dst, 10, a.ShippingAddress)
	}
	if a.Contact != nil {
		dst = appendContactMessage(dst, 11, a.Contact)
	}
	if a.Tax != nil {
		dst = appendTaxMessage(dst, 12, a.Tax)
	}
	if a.PaymentMethod != nil {
		dst = appendPaymentMethodMessage(dst, 13, a.PaymentMethod)
	}
	if a.Plan != nil {
		dst = appendPlanMessage(dst, 14, a.Plan)
	}
	for i := range a.Scheduled {
		s := &a.Scheduled[i]
		var at int
		dst, at = openMessage(dst, 15)
		dst = appendUint(dst, 1, uint64(s.Facet))
		dst = appendValueMessage(dst, 2, s.New)
		dst = appendTime(dst, 3, s.EffectiveFrom)
		dst = closeMessage(dst, at)
	}
	dst = appendWarnings(dst, 16, a.Warnings)
	return closeMessage(dst, start)
}

// ParseUpdate reads a message AccountUpdated; nothing in it refers to b. The
// error is ErrUpdate.
func ParseUpdate(b []byte) (*billing.Update, error) {
	u := new(billing.Update)
	f := fields{src: string(b)}
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireBytes:
			u.Customer = customer.ID(f.str)
		case 2<<keyBits | wireVarint:
			u.Seq = f.num
		case 3<<keyBits | wireVarint:
			u.Class = enum(&f, billing.ClassErased)
		case 4<<keyBits | wireBytes:
			u.Changes = append(u.Changes, parseChange(&f))
		case 5<<keyBits | wireBytes:
			u.Cause = parseCause(&f)
		case 6<<keyBits | wireVarint:
			u.RecordedAt = customer.Instant(f.num)
		case 7<<keyBits | wireBytes:
			u.Reason = f.str
		case 8<<keyBits | wireBytes:
			u.Warnings = append(u.Warnings, parseWarning(&f))
		case 9<<keyBits | wireBytes:
			u.Account = parseAccount(&f)
		}
	}
	if f.bad {
		return nil, ErrUpdate
	}
	return u, nil
}

func parseChange(outer *fields) (c billing.Change) {
	f := fields{src: outer.str}
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireVarint:
			c.Facet = enum(&f, billing.FacetPlan)
		case 2<<keyBits | wireBytes:
			c.Old = valueIn(&f)
		case 3<<keyBits | wireBytes:
			c.New = valueIn(&f)
		case 4<<keyBits | wireVarint:
			c.EffectiveFrom = customer.Instant(f.num)
		case 5<<keyBits | wireVarint:
			c.EffectiveTo = f.instant()
		case 6<<keyBits | wireVarint:
			c.Current = f.num != 0
		case 7<<keyBits | wireBytes:
			c.Fields = append(c.Fields, f.str)
		case 8<<keyBits | wireBytes:
			c.ScheduledBy = new(parseEventRef(&f))
		}
	}
	outer.bad = outer.bad || f.bad || !fits(c.Facet, c.Old) || !fits(c.Facet, c.New)
	return c
}

func valueIn(f *fields) billing.Value {
	v, ok := parseValue(f.str)
	f.bad = f.bad || !ok
	return v
}

func parseCause(outer *fields) (c billing.Cause) {
	f := fields{src: outer.str}
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireBytes:
			c.Source = f.str
		case 2<<keyBits | wireBytes:
			c.ID = f.str
		case 3<<keyBits | wireBytes:
			c.Type = f.str
		case 4<<keyBits | wireVarint:
			c.Time = customer.Instant(f.num)
		case 5<<keyBits | wireBytes:
			c.Position.Topic = f.str
		case 6<<keyBits | wireVarint:
			c.Position.Partition = int32(f.num)
		case 7<<keyBits | wireVarint:
			c.Position.Offset = int64(f.num)
		case 8<<keyBits | wireBytes:
			c.CorrelationID = f.str
		}
	}
	outer.bad = outer.bad || f.bad
	return c
}

func parseWarning(outer *fields) (w customer.Warning) {
	f := fields{src: outer.str}
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireBytes:
			w.Code = f.str
		case 2<<keyBits | wireVarint:
			if facet := enum(&f, billing.FacetPlan); facet != 0 {
				w.Facet = facet.String()
			}
		case 3<<keyBits | wireBytes:
			w.Field = f.str
		}
	}
	outer.bad = outer.bad || f.bad
	return w
}

func parseAccount(outer *fields) *billing.Account {
	a := new(billing.Account)
	f := fields{src: outer.str}
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireBytes:
			a.Customer = customer.ID(f.str)
		case 2<<keyBits | wireVarint:
			a.Status = enum(&f, billing.StatusErased)
		case 3<<keyBits | wireVarint:
			a.Seq = f.num
		case 4<<keyBits | wireVarint:
			a.RegisteredAt = f.instant()
		case 5<<keyBits | wireVarint:
			a.ClosedAt = f.instant()
		case 6<<keyBits | wireVarint:
			a.ErasedAt = f.instant()
		case 7<<keyBits | wireVarint:
			a.UpdatedAt = customer.Instant(f.num)
		case 8<<keyBits | wireBytes:
			a.Name = new(f.str)
		case 9<<keyBits | wireBytes:
			a.BillingAddress = parseAddress(&f)
		case 10<<keyBits | wireBytes:
			a.ShippingAddress = parseAddress(&f)
		case 11<<keyBits | wireBytes:
			a.Contact = parseContact(&f)
		case 12<<keyBits | wireBytes:
			a.Tax = parseTax(&f)
		case 13<<keyBits | wireBytes:
			a.PaymentMethod = parsePaymentMethod(&f)
		case 14<<keyBits | wireBytes:
			a.Plan = parsePlan(&f)
		case 15<<keyBits | wireBytes:
			a.Scheduled = append(a.Scheduled, parseScheduled(&f))
		case 16<<keyBits | wireBytes:
			a.Warnings = append(a.Warnings, parseWarning(&f))
		}
	}
	outer.bad = outer.bad || f.bad
	return a
}

func parseScheduled(outer *fields) (s billing.Scheduled) {
	f := fields{src: outer.str}
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireVarint:
			s.Facet = enum(&f, billing.FacetPlan)
		case 2<<keyBits | wireBytes:
			s.New = valueIn(&f)
		case 3<<keyBits | wireVarint:
			s.EffectiveFrom = customer.Instant(f.num)
		}
	}
	outer.bad = outer.bad || f.bad || !fits(s.Facet, s.New)
	return s
}
