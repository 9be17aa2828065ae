package verify

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"billstream/internal/topics"

	billingv1 "billstream/codecs/proto/billing/v1"
)

// link is the newest update of a customer.
type link struct {
	seq     uint64
	account []byte // encoded; nil when the update has none
	sum     uint64 // of the record
}

// chain judges billing.updates alone, from the first update of each customer
// that is kept: each begins where the one before ended.
func (c *check) chain(ctx context.Context) error {
	bounds, err := c.log.Bounds(ctx, updatesTopic)
	if err != nil {
		return fmt.Errorf("list offsets of %s: %w", updatesTopic, err)
	}
	for p := range c.partitions {
		l := &chained{check: c, partition: p, newest: map[string]*link{}, cause: map[string]int64{}}
		l.stream = stream{walk: &walk{check: c, partition: p}, topic: updatesTopic, kind: &updates{}}
		for rec, err := range c.log.Read(ctx, updatesTopic, p, bounds[p]) {
			if err != nil {
				return err
			}
			c.report.Counts[updatesTopic]++
			if rec.Aborted {
				l.found(AbortedRead, rec, "", "record is visible, and its transaction was aborted")
			}
			l.add(rec)
		}
		c.report.Counts["customers"] += int64(len(l.newest))
		if bounds[p].Start > 0 {
			c.report.Counts["partitions that begin late"]++
		}
	}
	return nil
}

// chained is the way through one partition of the updates.
type chained struct {
	*check
	stream
	partition int32
	newest    map[string]*link
	cause     map[string]int64 // the highest offset so far, by input topic
}

func (l *chained) add(rec *Record) {
	var u billingv1.AccountUpdated
	if isJSON(rec) {
		l.report.Counts["updates in JSON, not judged"]++
		return
	}
	if proto.Unmarshal(rec.Value, &u) != nil || u.GetCause() == nil || u.GetCustomerId() != string(rec.Key) {
		l.stream.found(WrongValue, rec, "value", "update cannot be decoded, or is not that of its key")
		return
	}
	if topics.Partition(rec.Key, l.partitions) != l.partition {
		l.stream.found(WrongPartition, rec, "", "key belongs into another partition")
		return
	}
	before := l.newest[string(rec.Key)]
	if before != nil && u.GetSeq() <= before.seq {
		l.again(rec, &u, before)
		return
	}
	l.causes(rec, u.GetCause())
	if before != nil && u.GetSeq() > before.seq+1 {
		l.stream.found(Lost, rec, "seq", fmt.Sprintf("seq is %d, want %d", u.GetSeq(), before.seq+1))
	} else if before != nil {
		l.follows(rec, &u, before)
	}
	n := &link{seq: u.GetSeq(), sum: l.digest(rec)}
	if u.GetAccount() != nil {
		n.account, _ = proto.Marshal(u.GetAccount()) // it was decoded from bytes
	}
	l.newest[string(rec.Key)] = n
}

// again judges an update whose number was there before.
func (l *chained) again(rec *Record, u *billingv1.AccountUpdated, before *link) {
	switch {
	case !l.repeats && l.digest(rec) == before.sum:
		l.stream.found(Duplicate, rec, "seq", "update is there already")
	case !l.repeats:
		l.stream.found(Reordered, rec, "seq", fmt.Sprintf("seq is %d, want %d", u.GetSeq(), before.seq+1))
	case u.GetSeq() == before.seq && l.digest(rec) != before.sum:
		l.stream.found(WrongValue, rec, "", "repeat differs from the first record")
	default:
		l.report.Counts["repeats"]++
	}
}

func (l *chained) causes(rec *Record, c *billingv1.Cause) {
	last, ok := l.cause[c.GetTopic()]
	switch {
	case c.GetPartition() != l.partition:
		l.stream.found(WrongPartition, rec, "cause.partition", "cause lies in another partition")
	case ok && c.GetOffset() <= last:
		l.stream.found(Reordered, rec, "cause.offset", "cause lies before that of an earlier update")
	default:
		l.cause[c.GetTopic()] = c.GetOffset()
	}
}

// follows compares the old values of the changes in force with the account
// before, and the account after with what the changes make of it.
func (l *chained) follows(rec *Record, u *billingv1.AccountUpdated, before *link) {
	if before.account == nil || u.GetAccount() == nil {
		return
	}
	var account billingv1.Account
	if proto.Unmarshal(before.account, &account) != nil {
		return
	}
	for i, c := range u.GetChanges() {
		if !c.GetCurrent() {
			continue
		}
		old := facetOf(&account, c.GetFacet())
		if !proto.Equal(old, orEmpty(c.GetOld())) {
			l.stream.found(WrongValue, rec, fmt.Sprintf("changes[%d].old", i), "old value is not that of the update before")
		}
		setFacet(&account, c.GetFacet(), orEmpty(c.GetNew()))
	}
	if u.GetClass() == billingv1.Class_CLASS_ERASED {
		return
	}
	for f := billingv1.Facet_FACET_STATUS; f <= billingv1.Facet_FACET_PLAN; f++ {
		if !proto.Equal(facetOf(&account, f), facetOf(u.GetAccount(), f)) {
			l.stream.found(WrongValue, rec, "account", "account is not what the changes make of the one before")
			return
		}
	}
}

func orEmpty(v *billingv1.Value) *billingv1.Value {
	if v == nil {
		return &billingv1.Value{}
	}
	return v
}

// facetOf returns the value of a facet of an account; an empty one for none.
func facetOf(a *billingv1.Account, f billingv1.Facet) *billingv1.Value {
	v := &billingv1.Value{}
	switch {
	case f == billingv1.Facet_FACET_STATUS:
		v.Value = &billingv1.Value_Status{Status: a.GetStatus()}
	case f == billingv1.Facet_FACET_NAME && a.Name != nil:
		v.Value = &billingv1.Value_Name{Name: a.GetName()}
	case f == billingv1.Facet_FACET_ADDRESS_BILLING && a.BillingAddress != nil:
		v.Value = &billingv1.Value_Address{Address: a.BillingAddress}
	case f == billingv1.Facet_FACET_ADDRESS_SHIPPING && a.ShippingAddress != nil:
		v.Value = &billingv1.Value_Address{Address: a.ShippingAddress}
	case f == billingv1.Facet_FACET_CONTACT && a.Contact != nil:
		v.Value = &billingv1.Value_Contact{Contact: a.Contact}
	case f == billingv1.Facet_FACET_TAX && a.Tax != nil:
		v.Value = &billingv1.Value_Tax{Tax: a.Tax}
	case f == billingv1.Facet_FACET_PAYMENT_METHOD && a.PaymentMethod != nil:
		v.Value = &billingv1.Value_PaymentMethod{PaymentMethod: a.PaymentMethod}
	case f == billingv1.Facet_FACET_PLAN && a.Plan != nil:
		v.Value = &billingv1.Value_Plan{Plan: a.Plan}
	}
	return v
}

func setFacet(a *billingv1.Account, f billingv1.Facet, v *billingv1.Value) {
	switch f {
	case billingv1.Facet_FACET_STATUS:
		a.Status = v.GetStatus()
	case billingv1.Facet_FACET_NAME:
		a.Name = nil
		if _, ok := v.GetValue().(*billingv1.Value_Name); ok {
			a.Name = new(v.GetName())
		}
	case billingv1.Facet_FACET_ADDRESS_BILLING:
		a.BillingAddress = v.GetAddress()
	case billingv1.Facet_FACET_ADDRESS_SHIPPING:
		a.ShippingAddress = v.GetAddress()
	case billingv1.Facet_FACET_CONTACT:
		a.Contact = v.GetContact()
	case billingv1.Facet_FACET_TAX:
		a.Tax = v.GetTax()
	case billingv1.Facet_FACET_PAYMENT_METHOD:
		a.PaymentMethod = v.GetPaymentMethod()
	case billingv1.Facet_FACET_PLAN:
		a.Plan = v.GetPlan()
	}
}
