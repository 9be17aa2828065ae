package codecs_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"billstream/codecs"
	"billstream/internal/customer"
)

// inBinary returns the headers of an event in binary mode about customer c-1.
func inBinary(typ string, more ...string) []codecs.Header {
	hs := []codecs.Header{
		{Key: "ce_specversion", Value: []byte("1.0")},
		{Key: "ce_id", Value: []byte("evt-1")},
		{Key: "ce_source", Value: []byte("/crm")},
		{Key: "ce_type", Value: []byte(typ)},
		{Key: "ce_subject", Value: []byte("c-1")},
		{Key: "ce_time", Value: []byte("2026-03-10T08:30:00Z")},
	}
	for i := 0; i < len(more); i += 2 {
		hs = append(hs, codecs.Header{Key: more[i], Value: []byte(more[i+1])})
	}
	return hs
}

func at(tb testing.TB) customer.Instant { return instant(tb, "2026-03-10T08:30:00Z") }

func event(tb testing.TB, typ customer.Type, c customer.Change) *customer.Event {
	return &customer.Event{
		Customer: "c-1", Source: "/crm", ID: "evt-1", Type: typ, Time: at(tb), EffectiveFrom: at(tb), Change: c,
	}
}

func TestDocumentedEventsAreRead(t *testing.T) {
	plan := &customer.Plan{Code: "pro", AmountMinor: 4900, Currency: "EUR", Interval: customer.IntervalMonth}
	from := func(e *customer.Event, s string) *customer.Event {
		e.EffectiveFrom = instant(t, s)
		return e
	}
	for _, c := range []struct {
		typ, data string
		want      *customer.Event
	}{
		{
			"customer.registered.v1", `{"name":"Acme Widgets GmbH","billing_address":{"line1":"Lindenstrasse 12","city":"Berlin","postal_code":"10969","country":"DE"},"contact":{"email":"ap@acme.example","phone":"+49301234567","locale":"de-DE","time_zone":"Europe/Berlin","invoice_recipients":["cfo@acme.example"]},"tax":{"tax_ids":[{"type":"eu_vat","value":"DE 123456789"}],"exempt":"none"},"payment_method":{"ref":"pm_8Xc1","type":"card","brand":"visa","last4":"4242","exp_month":11,"exp_year":2028},"plan":{"code":"pro","amount_minor":4900,"currency":"EUR","interval":"month"}}`,
			event(t, customer.TypeRegistered, customer.Registered{
				Name:           customer.State(new("Acme Widgets GmbH")),
				BillingAddress: customer.State(&customer.Address{Line1: "Lindenstrasse 12", City: "Berlin", PostalCode: "10969", Country: "DE"}),
				Contact:        customer.State(&customer.Contact{Email: "ap@acme.example", Phone: "+49301234567", Locale: "de-DE", TimeZone: "Europe/Berlin", InvoiceRecipients: []string{"cfo@acme.example"}}),
				Tax:            customer.State(&customer.Tax{TaxIDs: []customer.TaxID{{Type: "eu_vat", Value: "DE123456789"}}}),
				PaymentMethod:  customer.State(&customer.PaymentMethod{Ref: "pm_8Xc1", Type: "card", Brand: "visa", Last4: "4242", ExpMonth: 11, ExpYear: 2028}),
				Plan:           customer.State(plan),
			}),
		},
		{"customer.renamed.v1", `{"name":"Acme Holding GmbH"}`, event(t, customer.TypeRenamed, customer.Renamed{Name: new("Acme Holding GmbH")})},
		{
			"customer.address_changed.v1", `{"kind":"shipping","address":null,"effective_from":"2026-03-31T22:00:00Z"}`,
			from(event(t, customer.TypeAddressChanged, customer.AddressChanged{Kind: customer.ShippingAddress}), "2026-03-31T22:00:00Z"),
		},
		{"customer.contact_changed.v1", `{"contact":{"email":"billing@acme.example"}}`, event(t, customer.TypeContactChanged, customer.ContactChanged{Contact: &customer.Contact{Email: "billing@acme.example"}})},
		{"customer.tax_changed.v1", `{"tax":{"tax_ids":[{"type":"gb_vat","value":"GB123456789"}],"exempt":"reverse"}}`, event(t, customer.TypeTaxChanged, customer.TaxChanged{Tax: &customer.Tax{TaxIDs: []customer.TaxID{{Type: "gb_vat", Value: "GB123456789"}}, Exempt: customer.ExemptReverse}})},
		{"customer.payment_method_changed.v1", `{"payment_method":null}`, event(t, customer.TypePaymentMethodChanged, customer.PaymentMethodChanged{})},
		{
			"customer.plan_changed.v1", `{"plan":{"code":"pro","amount_minor":5900,"currency":"EUR","interval":"month"},"effective_from":"2026-04-01T00:00:00Z"}`,
			from(event(t, customer.TypePlanChanged, customer.PlanChanged{Plan: &customer.Plan{Code: "pro", AmountMinor: 5900, Currency: "EUR", Interval: customer.IntervalMonth}}), "2026-04-01T00:00:00Z"),
		},
		{"customer.closed.v1", `{"reason":"contract ended"}`, event(t, customer.TypeClosed, customer.Closed{Reason: "contract ended"})},
		{"customer.erased.v1", `{"reason":"request 4711","effective_from":5}`, event(t, customer.TypeErased, customer.Erased{Reason: "request 4711"})},
		{"customer.erased.v1", `{}`, event(t, customer.TypeErased, customer.Erased{})},
		{"customer.registered.v1", `{"name":null,"contact":{},"plan":null}`, event(t, customer.TypeRegistered, customer.Registered{Name: customer.State[string](nil), Contact: customer.State[customer.Contact](nil), Plan: customer.State[customer.Plan](nil)})},
		{"customer.renamed.v1", ` { "n\u0061me" : "\u0041\ud83d\ude00" , "unknown" : [ 1.5e3 , { "a" : true } ] } `, event(t, customer.TypeRenamed, customer.Renamed{Name: new("A😀")})},
		{"customer.contact_changed.v1", `{"contact":{"email":null,"phone":"1","invoice_recipients":null},"effective_from":null}`, warned(event(t, customer.TypeContactChanged, customer.ContactChanged{Contact: &customer.Contact{Phone: "1"}}), customer.Warning{Code: "phone_format", Facet: "contact", Field: "phone"})},
	} {
		got, err := codecs.DecodeEvent("c-1", []byte(c.data), inBinary(c.typ))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s %s is\n%+v, %v, want\n%+v", c.typ, c.data, got, err, c.want)
			continue
		}
		sameInEveryMode(t, c.typ, c.data, got)
	}
}

func warned(e *customer.Event, ws ...customer.Warning) *customer.Event {
	e.Warnings = ws
	return e
}

// structured returns the event of inBinary in structured mode.
func structured(typ, data string) string {
	return `{"specversion":"1.0","id":"evt-1","source":"/crm","type":"` + typ + `","subject":"c-1","time":"2026-03-10T08:30:00Z","datacontenttype":"application/json","data":` + data + `}`
}

func sameInEveryMode(t *testing.T, typ, data string, want *customer.Event) {
	t.Helper()
	line := []byte(structured(typ, data))
	got, err := codecs.DecodeEvent("c-1", line, []codecs.Header{{Key: "content-type", Value: []byte("application/cloudevents+json; charset=UTF-8")}})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("structured event is\n%+v, %v, want\n%+v", got, err, want)
	}
	if got, err := codecs.DecodeEvent("c-1", line, nil); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("structured event without headers is\n%+v, %v, want\n%+v", got, err, want)
	}
	envelope, err := codecs.ParseStructured(line)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := envelope.Event(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("event to be emitted is\n%+v, %v, want\n%+v", got, err, want)
	}
	r := envelope.Record(17)
	if got, err := codecs.DecodeEvent(customer.ID(r.Key), r.Value, r.Headers); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("emitted event is\n%+v, %v, want\n%+v", got, err, want)
	}
}

func TestEventKeepsNothingOfItsRecord(t *testing.T) {
	value := []byte(`{"name":"Acme"}`)
	headers := inBinary("customer.renamed.v1", "ce_sequence", "0007", "ce_correlationid", "call-9")
	got, err := codecs.DecodeEvent("c-1", value, headers)
	if err != nil {
		t.Fatal(err)
	}
	clear(value)
	for _, h := range headers {
		clear(h.Value)
	}
	want := event(t, customer.TypeRenamed, customer.Renamed{Name: new("Acme")})
	want.Sequence, want.CorrelationID = "0007", "call-9"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("event is %+v after its bytes were used again, want %+v", got, want)
	}
}

func TestLastOfARepeatedHeaderCounts(t *testing.T) {
	got, err := codecs.DecodeEvent("c-1", []byte(`{}`), inBinary("customer.closed.v1", "ce_id", "evt-2", "Ce_Id", "evt-3"))
	if err != nil || got.ID != "evt-2" {
		t.Errorf("event is %+v, %v, want one of id evt-2", got, err)
	}
}

func TestModeIsDecidedByTheHeaders(t *testing.T) {
	line := []byte(structured("customer.closed.v1", `{}`))
	for _, c := range []struct {
		what    string
		value   []byte
		headers []codecs.Header
		want    string
	}{
		{"structured wins over binary", line, inBinary("customer.renamed.v1", "content-type", "Application/CloudEvents+JSON"), ""},
		{"binary with parameters", []byte(`{}`), inBinary("customer.closed.v1", "content-type", "application/json; charset=utf-8"), ""},
		{"batch", line, inBinary("customer.closed.v1", "content-type", "application/cloudevents-batch+json"), "not_cloudevent: content-type is another format of CloudEvents, want application/cloudevents+json"},
		{"binary, other content", []byte(`{}`), inBinary("customer.closed.v1", "content-type", "text/xml"), "bad_data: data is of another content type, want application/json"},
		{"plain JSON", []byte(`{"name":"x"}`), nil, "not_cloudevent: specversion is absent, want 1.0"},
		{"no JSON", []byte(`name=x`), nil, "not_cloudevent: value is no JSON, want a CloudEvent"},
		{"array", []byte(`[]`), nil, "not_cloudevent: value is an array, want a CloudEvent"},
	} {
		if _, err := codecs.DecodeEvent("c-1", c.value, c.headers); errorText(err) != c.want {
			t.Errorf("%s gives %q, want %q", c.what, errorText(err), c.want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestBrokenEnvelopesAreRefused(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"ce_specversion", "0.3", "not_cloudevent: specversion is another one, want 1.0"},
		{"ce_id", "", "not_cloudevent: id is absent, want 1 to 256 bytes"},
		{"ce_id", strings.Repeat("i", 257), "not_cloudevent: id is 257 bytes, want at most 256"},
		{"ce_id", "a\u0085b", "not_cloudevent: id is a string with a control character, want none"},
		{"ce_source", "a\xffb", "not_cloudevent: source is no valid UTF-8, want UTF-8"},
		{"ce_source", "", "not_cloudevent: source is absent, want 1 to 512 bytes"},
		{"ce_source", strings.Repeat("s", 513), "not_cloudevent: source is 513 bytes, want at most 512"},
		{"ce_type", "", "not_cloudevent: type is absent, want 1 to 256 bytes"},
		{"ce_type", "customer.renamed.v2", "unknown_version: type is customer.renamed in another version, want customer.renamed.v1"},
		{"ce_type", "customer.merged.v1", "unknown_type: type is not one of ours, want customer.<event>.v1"},
		{"ce_subject", "", "not_cloudevent: subject is absent, want 1 to 512 bytes"},
		{"ce_subject", "c-2", "key_mismatch: subject is another one than the record's key, want the key"},
		{"ce_time", "", "not_cloudevent: time is absent, want 1 to 64 bytes"},
		{"ce_time", "2026-03-10", "not_cloudevent: time is a string of 10 characters, want an RFC 3339 date and time"},
		{"ce_time", "1999-12-31T23:59:59.999999Z", "invalid_field: time is before 2000-01-01T00:00:00Z, want a later one"},
		{"ce_sequence", strings.Repeat("0", 65), "not_cloudevent: sequence is 65 bytes, want at most 64"},
		{"ce_correlationid", strings.Repeat("c", 257), "not_cloudevent: correlationid is 257 bytes, want at most 256"},
	} {
		_, err := codecs.DecodeEvent("c-1", []byte(`{"name":"x"}`), inBinary("customer.renamed.v1", c.name, c.value))
		if errorText(err) != c.want {
			t.Errorf("%s %.20q gives %q, want %q", c.name, c.value, errorText(err), c.want)
		}
	}
}

func TestBrokenStructuredEnvelopesAreRefused(t *testing.T) {
	good := structured("customer.renamed.v1", `{"name":"x"}`)
	for _, c := range []struct{ old, new, want string }{
		{`"id":"evt-1"`, `"id":1`, "not_cloudevent: id is a number, want a string"},
		{`"id":"evt-1"`, `"id":null`, "not_cloudevent: id is absent, want 1 to 256 bytes"},
		{`"id":"evt-1"`, `"ID":"evt-1"`, "not_cloudevent: id is absent, want 1 to 256 bytes"},
		{`"id":"evt-1"`, `"id":"evt-1","id":"evt-1"`, "bad_data: event is an object with a repeated member, want each name once"},
		{`"id":"evt-1"`, `"id":"evt-1","x":{"a":1,"a":2}`, "bad_data: event is an object with a repeated member, want each name once"},
		{`"id":"evt-1"`, `"id":"evt-1","sequence":7`, "not_cloudevent: sequence is a number, want a string"},
		{`"data":`, `"payload":`, "bad_data: data is absent, want an object"},
		{`"data":`, `"data_base64":"e30=","data":`, "bad_data: data is base64, want a JSON object in the member data"},
		{`"data":{"name":"x"}`, `"data":"{}"`, "bad_data: data is a string, want an object"},
		{`"data":{"name":"x"}`, `"data":null`, "bad_data: data is null, want an object"},
		{`application/json`, `text/plain`, "bad_data: data is of another content type, want application/json"},
		{`{"name":"x"}`, `{"name":"x","name":"y"}`, "bad_data: data is an object with a repeated member, want each name once"},
		{`{"name":"x"}`, `{"name":"x`, "not_cloudevent: value is no JSON, want a CloudEvent"},
	} {
		_, err := codecs.DecodeEvent("c-1", []byte(strings.Replace(good, c.old, c.new, 1)), nil)
		if errorText(err) != c.want {
			t.Errorf("%s gives %q, want %q", c.new, errorText(err), c.want)
		}
	}
}

func TestSizesAreBounded(t *testing.T) {
	fill := func(n int) []byte { return []byte(`{"x":"` + strings.Repeat("x", n-8) + `"}`) }
	headers := inBinary("customer.closed.v1")
	for _, c := range []struct {
		value []byte
		want  string
	}{
		{nil, "no_value: value is empty, want an event"},
		{[]byte{}, "no_value: value is empty, want an event"},
		{fill(codecs.MaxValueBytes), ""},
		{fill(codecs.MaxValueBytes + 1), "too_large: value is 65537 bytes, want at most 65536"},
	} {
		if _, err := codecs.DecodeEvent("c-1", c.value, headers); errorText(err) != c.want {
			t.Errorf("%d bytes give %q, want %q", len(c.value), errorText(err), c.want)
		}
	}
}

func TestBadDataIsRefused(t *testing.T) {
	for _, c := range []struct{ data, want string }{
		{`{`, "data is no JSON, want an object"},
		{`{"name":"x"} {}`, "data is no JSON, want an object"},
		{`{"name":01}`, "data is no JSON, want an object"},
		{`[]`, "data is an array, want an object"},
		{`null`, "data is null, want an object"},
		{`12`, "data is a number, want an object"},
		{"{\"name\":\"\xff\"}", "data is no valid UTF-8, want UTF-8"},
		{`{"name":"\ud800"}`, "/name is a string with half a surrogate pair, want whole characters"},
		{`{"x":["\udc00\ud800"]}`, "data is a string with half a surrogate pair, want whole characters"},
		{`{"name":"\udc00\udc00"}`, "/name is a string with half a surrogate pair, want whole characters"},
		{`{"name":"x","n\u0061me":"y"}`, "data is an object with a repeated member, want each name once"},
		{`{"plan":{"code":"a","code":"a"}}`, "/plan is an object with a repeated member, want each name once"},
		{`{"tax":{"tax_ids":[{},{"type":"a","type":"b"}]}}`, "/tax/tax_ids/1 is an object with a repeated member, want each name once"},
		{`{"secret 4711":{"a":1,"a":1}}`, "data is an object with a repeated member, want each name once"},
		{manyMembers(40) + `,"m7":1}`, "data is an object with a repeated member, want each name once"},
		{strings.Repeat(`{"plan":`, 70) + `1` + strings.Repeat(`}`, 70), "data is no JSON, want an object"},
	} {
		_, err := codecs.DecodeEvent("c-1", []byte(c.data), inBinary("customer.renamed.v1"))
		if want := "bad_data: " + c.want; errorText(err) != want {
			t.Errorf("%s gives %q, want %q", c.data, errorText(err), want)
		}
	}
}

// manyMembers returns an object of n members that is not closed.
func manyMembers(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = `"m` + string(rune('0'+i%10)) + strings.Repeat("x", i/10) + `":1`
	}
	return "{" + strings.Join(parts, ",")
}

func TestCardNumbersAreRefusedWhereverTheyHide(t *testing.T) {
	const card = "4242 4242-4242 4242"
	for _, c := range []struct{ typ, data, pointer string }{
		{"customer.payment_method_changed.v1", `{"payment_method":{"ref":"` + card + `","type":"card"}}`, "/payment_method/ref"},
		{"customer.payment_method_changed.v1", `{"payment_method":{"ref":"\u0034242424242424242","type":"card"}}`, "/payment_method/ref"},
		{"customer.registered.v1", `{"name":5,"payment_method":{"ref":"pm","note":["x",{"n":"` + card + `"}]}}`, "/payment_method"},
		{"customer.payment_method_changed.v1", `{"payment_method":"` + card + `"}`, "/payment_method"},
		{"customer.payment_method_changed.v1", `{"payment_method":{"` + card + `":1}}`, "/payment_method"},
		{"customer.renamed.v1", `{"name":"x","payment_method":{"ref":"` + card + `"}}`, "/payment_method/ref"},
	} {
		_, err := codecs.DecodeEvent("c-1", []byte(c.data), inBinary(c.typ))
		refusal, ok := errors.AsType[*customer.Refusal](err)
		if !ok || refusal.Code != customer.CardNumber || refusal.Text() != c.pointer+" is a card number, want the provider's token" {
			t.Errorf("%s gives %v, want card_number at %s", c.data, err, c.pointer)
		}
	}
	if _, err := codecs.DecodeEvent("c-1", []byte(`{"name":"4242424242424242"}`), inBinary("customer.renamed.v1")); err != nil {
		t.Errorf("a name of digits gives %v, want it to pass", err)
	}
}

func TestInvalidFieldsAreRefused(t *testing.T) {
	const address, contact, tax, payment, plan, renamed, closed, registered = "address_changed", "contact_changed", "tax_changed", "payment_method_changed", "plan_changed", "renamed", "closed", "registered"
	for _, c := range []struct{ typ, data, want string }{
		{renamed, `{}`, "/name is absent, want a string or null"},
		{renamed, `{"Name":"x"}`, "/name is absent, want a string or null"},
		{renamed, `{"name":7}`, "/name is a number, want a string or null"},
		{renamed, `{"name":"` + strings.Repeat("ä", 257) + `"}`, "/name is a string of 257 characters, want at most 256 characters"},
		{registered, `{"billing_address":{"line1":"x","country":"United States"}}`, "/billing_address/country is a string of 13 characters, want two letters"},
		{registered, `{"billing_address":[]}`, "/billing_address is an array, want an object or null"},
		{registered, `{"plan":{},"contact":{"email":true}}`, "/contact/email is a boolean, want a string"},
		{registered, `{"effective_from":"yesterday","shipping_address":{"country":null}}`, "/shipping_address/country is absent, want two letters"},
		{address, `{"address":null}`, "/kind is absent, want billing or shipping"},
		{address, `{"kind":"home","address":5}`, "/kind is a string of 4 characters, want billing or shipping"},
		{address, `{"kind":5,"address":null}`, "/kind is a number, want billing or shipping"},
		{address, `{"kind":"billing"}`, "/address is absent, want an object or null"},
		{address, `{"kind":"billing","address":{"country":"DE","city":5,"line1":7}}`, "/address/line1 is a number, want a string"},
		{address, `{"kind":"billing","address":{"country":"DEU","subdivision":[]}}`, "/address/country is a string of 3 characters, want two letters"},
		{address, `{"kind":"billing","address":{"country":"DEU","city":{}}}`, "/address/city is an object, want a string"},
		{contact, `{}`, "/contact is absent, want an object or null"},
		{contact, `{"contact":{"invoice_recipients":["a@b.c",null]}}`, "/contact/invoice_recipients/1 is null, want a string"},
		{contact, `{"contact":{"invoice_recipients":{}}}`, "/contact/invoice_recipients is an object, want an array"},
		{tax, `{"tax":{"tax_ids":[{"type":"eu_vat","value":5}],"exempt":"maybe"}}`, "/tax/tax_ids/0/value is a number, want a string"},
		{tax, `{"tax":{"tax_ids":[{"type":"EU","value":"1"},5]}}`, "/tax/tax_ids/0/type is a string of 2 characters, want 1 to 32 of a-z, 0-9 and _"},
		{tax, `{"tax":{"tax_ids":[{"type":"eu_vat","value":"1"},5]}}`, "/tax/tax_ids/1 is a number, want an object"},
		{tax, `{"tax":{"exempt":"maybe"}}`, "/tax/exempt is a string of 5 characters, want none, exempt or reverse"},
		{payment, `{"payment_method":{"ref":"r","type":"card","exp_month":0}}`, "/payment_method/exp_month is a number out of range, want 1 to 12"},
		{payment, `{"payment_method":{"ref":"r","type":"card","exp_year":"2028"}}`, "/payment_method/exp_year is a string, want an integer"},
		{plan, `{"plan":{"code":"p","amount_minor":1.0,"currency":"EUR","interval":"month"}}`, "/plan/amount_minor is a number with a fraction or exponent, want an integer"},
		{plan, `{"plan":{"code":"p","amount_minor":1e2,"currency":"EUR","interval":"month"}}`, "/plan/amount_minor is a number with a fraction or exponent, want an integer"},
		{plan, `{"plan":{"code":"p","amount_minor":9007199254740992,"currency":"EUR","interval":"month"}}`, "/plan/amount_minor is a number out of range, want 0 to 9007199254740991"},
		{plan, `{"plan":{"code":"p","amount_minor":-99999999999999999999,"currency":"EUR","interval":"month"}}`, "/plan/amount_minor is a number out of range, want 0 to 9007199254740991"},
		{plan, `{"plan":{"code":"p","currency":"EUR","interval":"month"}}`, "/plan/amount_minor is absent, want an integer of 0 to 9007199254740991"},
		{closed, `{"reason":{}}`, "/reason is an object, want a string"},
		{closed, `{"effective_from":"2026-03-10"}`, "/effective_from is a string of 10 characters, want an RFC 3339 date and time"},
		{closed, `{"effective_from":1773131400}`, "/effective_from is a number, want an RFC 3339 date and time"},
		{closed, `{"effective_from":""}`, "/effective_from is an empty string, want an RFC 3339 date and time"},
	} {
		_, err := codecs.DecodeEvent("c-1", []byte(c.data), inBinary("customer."+c.typ+".v1"))
		if want := "invalid_field: " + c.want; errorText(err) != want {
			t.Errorf("%s %s gives\n%q, want\n%q", c.typ, c.data, errorText(err), want)
		}
	}
}

func TestFirstBrokenRuleGivesTheCode(t *testing.T) {
	// One more rule is broken in each line than in the one below.
	const broken, card = `{"name":5,"payment_method":{"ref":"4242424242424242"}`, `{"name":5,"payment_method":{"ref":"4242424242424242"}}`
	for _, c := range []struct {
		value   string
		headers []codecs.Header
		want    customer.Code
	}{
		{broken + strings.Repeat(" ", 1<<16), inBinary("customer.renamed.v2", "ce_subject", "c-2", "ce_id", ""), customer.TooLarge},
		{broken, inBinary("customer.renamed.v2", "ce_subject", "c-2", "ce_id", ""), customer.NotCloudEvent},
		{broken, inBinary("customer.renamed.v2", "ce_subject", "c-2"), customer.UnknownVersion},
		{broken, inBinary("customer.renamed.v1", "ce_subject", "c-2"), customer.KeyMismatch},
		{broken, inBinary("customer.renamed.v1"), customer.BadData},
		{card, inBinary("customer.renamed.v1"), customer.CardNumber},
		{`{"name":5}`, inBinary("customer.renamed.v1"), customer.InvalidField},
	} {
		_, err := codecs.DecodeEvent("c-1", []byte(c.value), c.headers)
		if refusal, ok := errors.AsType[*customer.Refusal](err); !ok || refusal.Code != c.want {
			t.Errorf("%.60s gives %v, want %s", c.value, err, c.want)
		}
	}
}

func TestRefusalsNeverShowTheValue(t *testing.T) {
	const canary = "c4n4ry"
	for _, data := range []string{
		`{"name":"` + strings.Repeat(canary, 60) + `"}`, `{"` + canary + `":{"` + canary + `":1,"` + canary + `":1}}`,
		`{"name":["` + canary + `"]}`, `{"name":"x","effective_from":"` + canary + `"}`, `{"payment_method":{"` + canary + `":"4242424242424242"}}`, canary,
	} {
		_, err := codecs.DecodeEvent("c-1", []byte(data), inBinary("customer.renamed.v1"))
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%.40s gives %v, want a refusal without the value", data, err)
		}
	}
}

func FuzzDecodeEvent(f *testing.F) {
	for _, typ := range customer.Types() {
		f.Add([]byte(`{"name":"x","kind":"billing","address":{"country":"DE"},"contact":{"email":"a@b.c"},"tax":{"exempt":"reverse"},"payment_method":{"ref":"r","type":"card"},"plan":{"code":"p","amount_minor":1,"currency":"EUR","interval":"year"}}`), typ.CloudEvent(), true)
	}
	f.Add([]byte(structured("customer.renamed.v1", `{"name":"x"}`)), "", false)
	f.Fuzz(func(t *testing.T, value []byte, typ string, binaryMode bool) {
		var headers []codecs.Header
		if binaryMode {
			headers = inBinary(typ)
		}
		e, err := codecs.DecodeEvent("c-1", value, headers)
		if _, ok := errors.AsType[*customer.Refusal](err); err != nil && !ok {
			t.Errorf("error is a %T, want a refusal", err)
		}
		if (e == nil) == (err == nil) {
			t.Errorf("event is %v and error %v, want exactly one of them", e, err)
		}
	})
}
