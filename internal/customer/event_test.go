package customer_test

import (
	"strings"
	"testing"
	"time"

	"billstream/internal/customer"
)

func TestCustomerIDs(t *testing.T) {
	for _, good := range []string{"c-1001", " c ", "ü", "a~", strings.Repeat("x", 512), "c/1", "\u200b"} {
		if id, err := customer.ParseID([]byte(good)); err != nil || string(id) != good {
			t.Errorf("%q: got %q, %v, want it as it is", good, id, err)
		}
	}
	for bad, want := range map[string]string{
		"~position.0":            "key is one with the reserved prefix ~, want another first character",
		"a\x00":                  "key is a string with a control character, want none",
		"a\u0085b":               "key is a string with a control character, want none",
		"\xff":                   "key is no valid UTF-8, want UTF-8",
		strings.Repeat("x", 513): "key is 513 bytes, want at most 512",
	} {
		_, err := customer.ParseID([]byte(bad))
		refused(t, err, customer.BadKey, want)
	}
	for _, none := range [][]byte{nil, {}} {
		_, err := customer.ParseID(none)
		refused(t, err, customer.NoKey, "key is empty, want a customer id")
	}
}

func TestTypesHaveTheirTexts(t *testing.T) {
	want := []string{
		"registered", "renamed", "address_changed", "contact_changed", "tax_changed",
		"payment_method_changed", "plan_changed", "closed", "erased",
	}
	for i, typ := range customer.Types() {
		if typ.String() != "customer."+want[i] || typ.CloudEvent() != "customer."+want[i]+".v1" {
			t.Errorf("%d is %s, %s, want customer.%s", typ, typ, typ.CloudEvent(), want[i])
		}
		if got, err := customer.ParseType(typ.CloudEvent()); got != typ || err != nil {
			t.Errorf("%s: got %v, %v", typ.CloudEvent(), got, err)
		}
	}
	if len(customer.Types()) != 9 || customer.Type(0).String() != "" || customer.Type(10).CloudEvent() != "" {
		t.Error("there are not nine types")
	}
}

func TestUnknownTypesAndVersionsAreToldApart(t *testing.T) {
	for s, want := range map[string]customer.Code{
		"customer.renamed.v2": customer.UnknownVersion, "customer.renamed.v10": customer.UnknownVersion,
		"customer.renamed": customer.UnknownType, "customer.renamed.v": customer.UnknownType,
		"customer.renamed.vx": customer.UnknownType, "customer.merged.v1": customer.UnknownType,
		"Customer.renamed.v1": customer.UnknownType, "": customer.UnknownType, ".v1": customer.UnknownType,
	} {
		_, err := customer.ParseType(s)
		if r, ok := err.(*customer.Refusal); !ok || r.Code != want {
			t.Errorf("%q: %v, want %s", s, err, want)
		}
	}
	_, err := customer.ParseType("customer.renamed.v2")
	refused(t, err, customer.UnknownVersion, "type is customer.renamed in another version, want customer.renamed.v1")
}

func TestClosedSetsReadWhatTheyWrite(t *testing.T) {
	for _, k := range []customer.AddressKind{customer.BillingAddress, customer.ShippingAddress} {
		if got, ok := customer.ParseAddressKind(k.String()); got != k || !ok {
			t.Errorf("%s: got %v", k, got)
		}
	}
	for _, e := range []customer.Exempt{customer.ExemptNone, customer.ExemptExempt, customer.ExemptReverse} {
		if got, ok := customer.ParseExempt(e.String()); got != e || !ok {
			t.Errorf("%s: got %v", e, got)
		}
	}
	for i := customer.IntervalMonth; i <= customer.IntervalYear; i++ {
		if got, ok := customer.ParseInterval(i.String()); got != i || !ok {
			t.Errorf("%s: got %v", i, got)
		}
	}
	if _, ok := customer.ParseInterval(""); ok {
		t.Error("an empty text is an interval")
	}
	if customer.Interval(9).String() != "" || customer.BillingAddress.Facet() != "address.billing" || customer.ShippingAddress.Facet() != "address.shipping" {
		t.Error("a name is wrong")
	}
}

func TestTimesAreComparedWithTheRecord(t *testing.T) {
	const day = 24 * time.Hour
	at := customer.InstantOf(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	for _, c := range []struct {
		ahead, effective time.Duration
		code             customer.Code
		text             string
	}{
		{ahead: 5 * time.Minute},
		{ahead: -1000 * day},
		{5*time.Minute + time.Microsecond, 0, customer.TimeInFuture, "time is after the record's timestamp, want at most 5 minutes after it"},
		{effective: -3653 * day},
		{effective: 731 * day},
		{0, -3653*day - time.Microsecond, customer.EffectiveOutOfRange, "/effective_from is too long before the event's time, want at most 3653 days"},
		{0, 731*day + time.Microsecond, customer.EffectiveOutOfRange, "/effective_from is too long after the event's time, want at most 731 days"},
		{time.Hour, 9999 * day, customer.TimeInFuture, "time is after the record's timestamp, want at most 5 minutes after it"},
	} {
		e := customer.Event{Time: at, EffectiveFrom: at.Add(c.effective)}
		err := e.Check(at.Add(-c.ahead))
		if c.code == "" {
			if err != nil {
				t.Errorf("%v, %v: %v, want none", c.ahead, c.effective, err)
			}
			continue
		}
		refused(t, err, c.code, c.text)
	}
	if got := customer.MinTime.String(); got != "2000-01-01T00:00:00Z" {
		t.Errorf("the earliest time is %s", got)
	}
}
