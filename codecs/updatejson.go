package codecs

import (
	"billstream/internal/billing"
)

// AppendUpdateJSON appends u as the JSON object that readers of updates see.
// Left out when there is none: fields, scheduled_by, reason, correlation_id;
// and account unless withAccount.
func AppendUpdateJSON(dst []byte, u *billing.Update, withAccount bool) []byte {
	o := openObject(dst)
	o.str("customer_id", string(u.Customer))
	o.uint("seq", u.Seq)
	o.str("class", u.Class.String())
	list(&o, "changes", u.Changes, appendChange)
	o.name("cause")
	o.dst = appendCause(o.dst, &u.Cause)
	o.instant("recorded_at", u.RecordedAt)
	o.given("reason", u.Reason)
	list(&o, "warnings", u.Warnings, appendWarning)
	if withAccount && u.Account != nil {
		o.name("account")
		o.dst = AppendAccountJSON(o.dst, u.Account)
	}
	return o.close()
}

func appendChange(dst []byte, c *billing.Change) []byte {
	o := openObject(dst)
	o.str("facet", c.Facet.String())
	o.name("old")
	o.dst = appendValue(o.dst, c.Old)
	o.name("new")
	o.dst = appendValue(o.dst, c.New)
	if len(c.Fields) > 0 {
		list(&o, "fields", c.Fields, appendText)
	}
	o.instant("effective_from", c.EffectiveFrom)
	o.instantOrNull("effective_to", c.EffectiveTo)
	o.bool("current", c.Current)
	if c.ScheduledBy != nil {
		o.name("scheduled_by")
		by := openObject(o.dst)
		by.str("source", c.ScheduledBy.Source)
		by.str("id", c.ScheduledBy.ID)
		o.dst = by.close()
	}
	return o.close()
}

func appendCause(dst []byte, c *billing.Cause) []byte {
	o := openObject(dst)
	o.str("source", c.Source)
	o.str("id", c.ID)
	o.str("type", c.Type)
	o.instant("time", c.Time)
	o.str("topic", c.Position.Topic)
	o.int("partition", int64(c.Position.Partition))
	o.int("offset", c.Position.Offset)
	o.given("correlation_id", c.CorrelationID)
	return o.close()
}
