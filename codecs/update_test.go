package codecs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"billstream/codecs"
	billingv1 "billstream/codecs/proto/billing/v1"
	"billstream/internal/billing"
	"billstream/internal/customer"
)

func TestUpdateComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := updates().Draw(t, "update")
		b := codecs.AppendUpdate(nil, want)
		got, err := codecs.ParseUpdate(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("update comes back as %+v, %v, want %+v", got, err, want)
		}
		if ok, again, err := schemaKnows(b, new(billingv1.AccountUpdated)); !ok {
			t.Fatalf("generated code writes %x, %v, want our\n%x", again, err, b)
		}
		fast := new(billingv1.AccountUpdated)
		if err := fast.UnmarshalVT(b); err != nil {
			t.Fatalf("generated fast code reads our bytes with %v", err)
		}
	})
}

func TestBrokenUpdateIsRefused(t *testing.T) {
	for _, b := range []string{
		"{}", "\x22\x05", "\x18\x06", "\x22\x04\x08\x02\x12\x00\x07",
		"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x10\x80", "\x00\x01", "\x13\x14",
	} {
		if _, err := codecs.ParseUpdate([]byte(b)); !errors.Is(err, codecs.ErrUpdate) {
			t.Errorf("%q gives %v, want ErrUpdate", b, err)
		}
	}
}

func instant(tb testing.TB, s string) customer.Instant {
	tb.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		tb.Fatal(err)
	}
	return customer.InstantOf(at)
}

// moved is the update of a customer who moved, as the documents show it.
func moved(tb testing.TB) *billing.Update {
	was := &customer.Address{Line1: "Lindenstrasse 12", City: "Berlin", PostalCode: "10969", Country: "DE"}
	is := &customer.Address{Line1: "Torstrasse 5", City: "Berlin", PostalCode: "10119", Country: "DE"}
	at := instant(tb, "2026-03-10T08:30:00.25Z")
	return &billing.Update{
		Customer: "c-1001", Seq: 2, Class: billing.ClassApplied, RecordedAt: at,
		Changes: []billing.Change{{
			Facet: billing.FacetBillingAddress, Old: was, New: is, Fields: []string{"line1", "postal_code"},
			EffectiveFrom: instant(tb, "2026-03-10T08:30:00Z"), Current: true,
		}},
		Cause: billing.Cause{
			Source: "/crm", ID: "evt-2", Type: "customer.address_changed.v1", Time: instant(tb, "2026-03-10T08:30:00Z"),
			Position: billing.Position{Topic: "customer.events", Partition: 3, Offset: 131},
		},
		Account: &billing.Account{
			Customer: "c-1001", Status: billing.StatusActive, Seq: 2, RegisteredAt: new(instant(tb, "2026-03-01T09:00:00Z")), UpdatedAt: at,
			Name: new("Acme Widgets GmbH"), BillingAddress: is,
			Contact: &customer.Contact{Email: "ap@acme.example", Locale: "de-DE", TimeZone: "Europe/Berlin"},
			Tax:     &customer.Tax{TaxIDs: []customer.TaxID{{Type: "eu_vat", Value: "DE123456789"}}},
			Plan:    &customer.Plan{Code: "pro", AmountMinor: 4900, Currency: "EUR", Interval: customer.IntervalMonth},
		},
	}
}

const movedJSON = `{"customer_id":"c-1001","seq":2,"class":"applied","changes":[{"facet":"address.billing","old":{"line1":"Lindenstrasse 12","city":"Berlin","postal_code":"10969","country":"DE"},"new":{"line1":"Torstrasse 5","city":"Berlin","postal_code":"10119","country":"DE"},"fields":["line1","postal_code"],"effective_from":"2026-03-10T08:30:00Z","effective_to":null,"current":true}],"cause":{"source":"/crm","id":"evt-2","type":"customer.address_changed.v1","time":"2026-03-10T08:30:00Z","topic":"customer.events","partition":3,"offset":131},"recorded_at":"2026-03-10T08:30:00.25Z","warnings":[],"account":{"customer_id":"c-1001","status":"active","seq":2,"registered_at":"2026-03-01T09:00:00Z","closed_at":null,"erased_at":null,"updated_at":"2026-03-10T08:30:00.25Z","name":"Acme Widgets GmbH","billing_address":{"line1":"Torstrasse 5","city":"Berlin","postal_code":"10119","country":"DE"},"shipping_address":null,"contact":{"email":"ap@acme.example","locale":"de-DE","time_zone":"Europe/Berlin"},"tax":{"tax_ids":[{"type":"eu_vat","value":"DE123456789"}],"exempt":"none"},"payment_method":null,"plan":{"code":"pro","amount_minor":4900,"currency":"EUR","interval":"month"},"scheduled":[],"warnings":[]}}`

func TestUpdateJSONIsTheDocumentedOne(t *testing.T) {
	if got := string(codecs.AppendUpdateJSON(nil, moved(t), true)); got != movedJSON {
		t.Errorf("update is\n%s, want\n%s", got, movedJSON)
	}
}

func TestUpdateJSONLeavesOutWhatDoesNotApply(t *testing.T) {
	plan := func(amount int64) *customer.Plan {
		return &customer.Plan{Code: "pro", AmountMinor: amount, Currency: "EUR", Interval: customer.IntervalMonth}
	}
	scheduled := &billing.Update{
		Customer: "c-1001", Seq: 5, Class: billing.ClassApplied, RecordedAt: instant(t, "2026-04-01T00:00:00.6Z"),
		Changes: []billing.Change{{
			Facet: billing.FacetPlan, Old: plan(4900), New: plan(5900), Fields: []string{"amount_minor"},
			EffectiveFrom: instant(t, "2026-04-01T00:00:00Z"), EffectiveTo: new(instant(t, "2026-05-01T00:00:00Z")), Current: true,
			ScheduledBy: &billing.EventRef{Source: "/crm", ID: "evt-3"},
		}},
		Cause: billing.Cause{
			Source: "/crm", ID: "evt-7", Type: "customer.renamed.v1", Time: instant(t, "2026-04-01T00:00:00Z"),
			Position: billing.Position{Topic: "customer.events", Partition: 3, Offset: 160}, CorrelationID: "call-9",
		},
		Warnings: []customer.Warning{{Code: "account_closed"}, {Code: "subdivision_missing", Facet: "address.billing", Field: "subdivision"}},
	}
	closed := &billing.Update{
		Customer: "c-1001", Seq: 6, Class: billing.ClassClosed, RecordedAt: instant(t, "2026-06-30T22:00:00.3Z"), Reason: "contract ended",
		Changes: []billing.Change{{
			Facet: billing.FacetStatus, Old: billing.StatusActive, New: billing.StatusClosed,
			EffectiveFrom: instant(t, "2026-06-30T22:00:00Z"), Current: true,
		}},
		Cause: billing.Cause{
			Source: "/crm", ID: "evt-5", Type: "customer.closed.v1", Time: instant(t, "2026-06-30T22:00:00Z"),
			Position: billing.Position{Topic: "customer.events", Partition: 3, Offset: 201},
		},
		Account: moved(t).Account,
	}
	for _, c := range []struct {
		update *billing.Update
		want   string
	}{
		{scheduled, `{"customer_id":"c-1001","seq":5,"class":"applied","changes":[{"facet":"plan","old":{"code":"pro","amount_minor":4900,"currency":"EUR","interval":"month"},"new":{"code":"pro","amount_minor":5900,"currency":"EUR","interval":"month"},"fields":["amount_minor"],"effective_from":"2026-04-01T00:00:00Z","effective_to":"2026-05-01T00:00:00Z","current":true,"scheduled_by":{"source":"/crm","id":"evt-3"}}],"cause":{"source":"/crm","id":"evt-7","type":"customer.renamed.v1","time":"2026-04-01T00:00:00Z","topic":"customer.events","partition":3,"offset":160,"correlation_id":"call-9"},"recorded_at":"2026-04-01T00:00:00.6Z","warnings":[{"code":"account_closed"},{"code":"subdivision_missing","facet":"address.billing","field":"subdivision"}]}`},
		{closed, `{"customer_id":"c-1001","seq":6,"class":"closed","changes":[{"facet":"status","old":"active","new":"closed","effective_from":"2026-06-30T22:00:00Z","effective_to":null,"current":true}],"cause":{"source":"/crm","id":"evt-5","type":"customer.closed.v1","time":"2026-06-30T22:00:00Z","topic":"customer.events","partition":3,"offset":201},"recorded_at":"2026-06-30T22:00:00.3Z","reason":"contract ended","warnings":[]}`},
	} {
		if got := string(codecs.AppendUpdateJSON(nil, c.update, false)); got != c.want {
			t.Errorf("update is\n%s, want\n%s", got, c.want)
		}
	}
}

func TestAccountJSONShowsScheduledChangesAndEveryField(t *testing.T) {
	a := &billing.Account{
		Customer: "a\"b\n\u2028", Status: billing.StatusErased, Seq: 3, ErasedAt: new(instant(t, "2026-12-01T10:00:00.000001Z")),
		ClosedAt: new(customer.Instant(0)), ShippingAddress: &customer.Address{Line2: "x", Subdivision: "US-DC", Country: "US"},
		Contact:       &customer.Contact{Phone: "+49301234567", InvoiceRecipients: []string{"a@b.c", "d@e.f"}},
		Tax:           &customer.Tax{Exempt: customer.ExemptReverse},
		PaymentMethod: &customer.PaymentMethod{Ref: "pm_1", Type: "card", Brand: "visa", Last4: "4242", ExpMonth: 11, ExpYear: 2028},
		Scheduled: []billing.Scheduled{
			{Facet: billing.FacetName, EffectiveFrom: 0, New: billing.Name("<Æ>")},
			{Facet: billing.FacetPlan, EffectiveFrom: 1_000_000},
		},
	}
	const want = `{"customer_id":"a\"b\n` + "\u2028" + `","status":"erased","seq":3,"registered_at":null,"closed_at":"1970-01-01T00:00:00Z","erased_at":"2026-12-01T10:00:00.000001Z","updated_at":"1970-01-01T00:00:00Z","name":null,"billing_address":null,"shipping_address":{"line2":"x","subdivision":"US-DC","country":"US"},"contact":{"phone":"+49301234567","invoice_recipients":["a@b.c","d@e.f"]},"tax":{"tax_ids":[],"exempt":"reverse"},"payment_method":{"ref":"pm_1","type":"card","brand":"visa","last4":"4242","exp_month":11,"exp_year":2028},"plan":null,"scheduled":[{"facet":"name","effective_from":"1970-01-01T00:00:00Z","new":"<Æ>"},{"facet":"plan","effective_from":"1970-01-01T00:00:01Z","new":null}],"warnings":[]}`
	if got := string(codecs.AppendAccountJSON(nil, a)); got != want {
		t.Errorf("account is\n%s, want\n%s", got, want)
	}
}

func TestJSONIsValidForAnyUpdate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := updates().Draw(t, "update")
		b := codecs.AppendUpdateJSON(nil, u, true)
		var m struct {
			CustomerID string `json:"customer_id"`
			Seq        uint64
		}
		if err := json.Unmarshal(b, &m); err != nil || m.CustomerID != string(u.Customer) || m.Seq != u.Seq {
			t.Fatalf("%s is read as %+v, %v, want id %q and seq %d", b, m, err, u.Customer, u.Seq)
		}
	})
}

func TestStringsAreEscapedAsEncodingJSONReadsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes"))
		var got string
		if err := json.Unmarshal(codecs.AppendString(nil, s), &got); err != nil || got != valid(s) {
			t.Fatalf("%q is read as %q, %v, want %q", s, got, err, valid(s))
		}
	})
}

// valid replaces each byte that is no UTF-8.
func valid(s string) string { return string([]rune(s)) }

func TestUpdateRecordHasItsHeadersInOrder(t *testing.T) {
	u := moved(t)
	u.Customer, u.Account.Customer = "c/1 ä~", "c/1 ä~"
	for _, c := range []struct {
		enc         codecs.Encoding
		correlation string
		contentType string
	}{
		{codecs.Protobuf, "", "application/protobuf"},
		{codecs.JSON, "call-9", "application/json"},
	} {
		u.Cause.CorrelationID = c.correlation
		want := "ce_specversion=1.0 ce_id=c/1 ä~.2 ce_source=/billing/accounts/c%2F1%20%C3%A4~ ce_type=billing.account.updated.v1" +
			" ce_subject=c/1 ä~ ce_time=2026-03-10T08:30:00.25Z ce_sequence=00000000000000000002 ce_causationid=evt-2" +
			" ce_causeposition=customer.events/3@131"
		if c.correlation != "" {
			want += " ce_correlationid=" + c.correlation
		}
		want += " content-type=" + c.contentType
		r := codecs.UpdateRecord(u, 3, c.enc, true)
		if got := headersText(r.Headers); got != want {
			t.Errorf("headers are\n%s, want\n%s", got, want)
		}
		value := codecs.AppendUpdate(nil, u)
		if c.enc == codecs.JSON {
			value = codecs.AppendUpdateJSON(nil, u, true)
		}
		if string(r.Key) != "c/1 ä~" || r.Partition != 3 || r.Timestamp != 0 || !bytes.Equal(r.Value, value) {
			t.Errorf("record is %+v, want key c/1 ä~, partition 3, timestamp 0 and value %x", r, value)
		}
	}
}

func headersText(hs []codecs.Header) string {
	var parts []string
	for _, h := range hs {
		parts = append(parts, fmt.Sprintf("%s=%s", h.Key, h.Value))
	}
	return strings.Join(parts, " ")
}

func TestUpdateRecordWithoutAccountHasNone(t *testing.T) {
	r := codecs.UpdateRecord(moved(t), 0, codecs.Protobuf, false)
	u, err := codecs.ParseUpdate(r.Value)
	if err != nil || u.Account != nil || u.Seq != 2 {
		t.Errorf("value is %+v, %v, want update 2 without an account", u, err)
	}
	if r := codecs.UpdateRecord(moved(t), 0, codecs.JSON, false); bytes.Contains(r.Value, []byte(`"account":`)) {
		t.Errorf("value is %s, want no account", r.Value)
	}
}

func TestUpdateRecordHasTheSameBytesAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := updates().Draw(t, "update")
		a, b := codecs.UpdateRecord(u, 1, codecs.Protobuf, true), codecs.UpdateRecord(u, 1, codecs.Protobuf, true)
		if !bytes.Equal(codecs.AppendFrame(nil, &a), codecs.AppendFrame(nil, &b)) {
			t.Fatal("two records of one update differ")
		}
	})
}

func TestEncodingsAreNamed(t *testing.T) {
	for _, e := range []codecs.Encoding{codecs.Protobuf, codecs.JSON} {
		if got, err := codecs.ParseEncoding(e.String()); got != e || err != nil {
			t.Errorf("%s is read as %v, %v", e, got, err)
		}
	}
	if _, err := codecs.ParseEncoding("xml"); err == nil || err.Error() != `updates encoding is "xml", want protobuf or json` {
		t.Errorf("error is %v, want one that names both", err)
	}
}

func TestUpdateFieldsStandWhereTheSchemaPutsThem(t *testing.T) {
	u := moved(t)
	u.Reason, u.Warnings = "r", []customer.Warning{{Code: "w", Facet: "plan", Field: "f"}}
	u.Changes[0].ScheduledBy = &billing.EventRef{Source: "/s", ID: "i"}
	got := new(billingv1.AccountUpdated)
	if err := proto.Unmarshal(codecs.AppendUpdate(nil, u), got); err != nil {
		t.Fatal(err)
	}
	was, is := got.Changes[0].Old.GetAddress(), got.Changes[0].New.GetAddress()
	a := got.Account
	text := fmt.Sprint(got.CustomerId, got.Seq, got.Class, got.RecordedAtUs == int64(u.RecordedAt), got.Reason, got.Warnings[0].Code, got.Warnings[0].Facet, got.Warnings[0].Field,
		got.Changes[0].Facet, was.Line1, is.PostalCode, is.Country, got.Changes[0].Fields, got.Changes[0].Current, got.Changes[0].EffectiveToUs == nil, got.Changes[0].ScheduledBy.Id,
		got.Cause.Source, got.Cause.Id, got.Cause.Type, got.Cause.Topic, got.Cause.Partition, got.Cause.Offset,
		a.Status, a.GetName(), a.BillingAddress.City, a.ShippingAddress == nil, a.Contact.TimeZone, a.Tax.TaxIds[0].Value, a.Tax.Exempt, a.Plan.AmountMinor, a.Plan.Interval, a.GetRegisteredAtUs() == int64(*u.Account.RegisteredAt), a.ClosedAtUs == nil)
	const want = "c-1001 2 CLASS_APPLIED true r w FACET_PLAN f FACET_ADDRESS_BILLING Lindenstrasse 12 10119 DE [line1 postal_code] true true i" +
		" /crm evt-2 customer.address_changed.v1 customer.events 3 131 STATUS_ACTIVE Acme Widgets GmbH Berlin true Europe/Berlin DE123456789 EXEMPT_NONE 4900 INTERVAL_MONTH true true"
	if strings.Join(strings.Fields(text), "") != strings.Join(strings.Fields(want), "") {
		t.Errorf("update is\n%s, want\n%s", text, want)
	}
}

func FuzzParseUpdate(f *testing.F) {
	f.Add(codecs.AppendUpdate(nil, moved(f)))
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := codecs.ParseUpdate(b)
		if err != nil {
			return
		}
		again, err := codecs.ParseUpdate(codecs.AppendUpdate(nil, u))
		if err != nil || !reflect.DeepEqual(again, u) {
			t.Errorf("update comes back as %+v, %v, want %+v", again, err, u)
		}
		codecs.AppendUpdateJSON(nil, u, true)
	})
}
