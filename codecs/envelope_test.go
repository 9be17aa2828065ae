package codecs_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"billstream/codecs"
	"billstream/internal/customer"
)

func TestEmittedRecordIsBinaryMode(t *testing.T) {
	const line = `{"specversion":"1.0","id":"evt-9","source":"/crm","type":"customer.renamed.v1","subject":"c-1001","time":"2026-05-02T10:00:00Z","sequence":"0001","correlationid":"call-9","traceparent":"00-aa-bb-01","other":{"x":[1]},"data": {"name" : "Acme Holding GmbH"} }`
	e, err := codecs.ParseStructured([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	r := e.Record(1777716000000)
	const want = "ce_specversion=1.0 ce_id=evt-9 ce_source=/crm ce_type=customer.renamed.v1 ce_subject=c-1001 ce_time=2026-05-02T10:00:00Z" +
		" ce_sequence=0001 ce_correlationid=call-9 traceparent=00-aa-bb-01 content-type=application/json"
	if got := headersText(r.Headers); got != want {
		t.Errorf("headers are\n%s, want\n%s", got, want)
	}
	if string(r.Key) != "c-1001" || string(r.Value) != `{"name" : "Acme Holding GmbH"}` || r.Partition != -1 || r.Timestamp != 1777716000000 {
		t.Errorf("record is %+v, want key c-1001, the data as it was sent, partition -1 and the timestamp", r)
	}
}

func TestBinaryModeOfHTTPIsTheSameEvent(t *testing.T) {
	attributes := map[string]string{
		"specversion": "1.0", "id": "evt%2D9", "source": "/crm", "type": "customer.renamed.v1", "subject": "caf%C3%A9", "time": "2026-05-02T10:00:00Z",
	}
	e, err := codecs.BinaryEnvelope(attributes, "application/json", []byte(`{"name":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.Event()
	from := instant(t, "2026-05-02T10:00:00Z")
	want := &customer.Event{
		Customer: "café", Source: "/crm", ID: "evt-9", Type: customer.TypeRenamed, Time: from, EffectiveFrom: from, Change: customer.Renamed{Name: new("x")},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("event is %+v, %v, want %+v", got, err, want)
	}
	attributes["id"] = "%zz"
	if _, err := codecs.BinaryEnvelope(attributes, "", nil); errorText(err) != "not_cloudevent: id is a string with a broken escape, want percent-encoding" {
		t.Errorf("error is %v, want not_cloudevent about id", err)
	}
}

func TestEventToEmitNeedsAnIDForItsKey(t *testing.T) {
	for _, c := range []struct {
		subject string
		want    customer.Code
	}{{"", customer.NotCloudEvent}, {"~c", customer.BadKey}, {"a\nb", customer.BadKey}} {
		e := codecs.Envelope{SpecVersion: "1.0", ID: "1", Source: "/s", Type: "customer.closed.v1", Time: "2026-05-02T10:00:00Z", Subject: c.subject, Data: "{}"}
		_, err := e.Event()
		if refusal, ok := errors.AsType[*customer.Refusal](err); !ok || refusal.Code != c.want {
			t.Errorf("subject %q gives %v, want %s", c.subject, err, c.want)
		}
	}
	e := codecs.Envelope{SpecVersion: "1.0", ID: "1", Source: "/s", Type: "customer.closed.v1", Time: "2026-05-02T10:00:00Z", Subject: "c", Data: string(make([]byte, codecs.MaxValueBytes+1))}
	_, err := e.Event()
	if refusal, ok := errors.AsType[*customer.Refusal](err); !ok || refusal.Code != customer.TooLarge {
		t.Errorf("too much data gives %v, want too_large", err)
	}
}

func TestPointersOfTheWholeEvent(t *testing.T) {
	for _, c := range []struct {
		refusal customer.Refusal
		want    string
	}{
		{customer.Refusal{Code: customer.InvalidField, Pointer: "/billing_address/country"}, "/data/billing_address/country"},
		{customer.Refusal{Code: customer.InvalidField}, "/time"},
		{customer.Refusal{Code: customer.BadData}, "/data"},
		{customer.Refusal{Code: customer.CardNumber, Pointer: "/payment_method/ref"}, "/data/payment_method/ref"},
		{customer.Refusal{Code: customer.EffectiveOutOfRange, Pointer: "/effective_from"}, "/data/effective_from"},
		{customer.Refusal{Code: customer.TimeInFuture}, "/time"},
		{customer.Refusal{Code: customer.UnknownType}, "/type"},
		{customer.Refusal{Code: customer.BadKey}, "/subject"},
		{customer.Refusal{Code: customer.NotCloudEvent}, ""},
	} {
		if got := codecs.EventPointer(&c.refusal); got != c.want {
			t.Errorf("pointer of %s %q is %q, want %q", c.refusal.Code, c.refusal.Pointer, got, c.want)
		}
	}
}

func TestBatchIsSplit(t *testing.T) {
	got, err := codecs.SplitBatch([]byte(` [ {"a":[1,{"b":2}]} ,{}, {"c":"]"} ] `))
	want := [][]byte{[]byte(`{"a":[1,{"b":2}]}`), []byte(`{}`), []byte(`{"c":"]"}`)}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("batch is %s, %v, want %s", bytes.Join(got, []byte(" | ")), err, bytes.Join(want, []byte(" | ")))
	}
	if got, err := codecs.SplitBatch([]byte(`[]`)); err != nil || len(got) != 0 {
		t.Errorf("empty batch is %s, %v, want nothing", got, err)
	}
	for _, body := range []string{``, `[`, `{}`, `[1]`, `[{}]x`, `[{},]`} {
		if _, err := codecs.SplitBatch([]byte(body)); !errors.Is(err, codecs.ErrMalformed) {
			t.Errorf("%s gives %v, want ErrMalformed", body, err)
		}
	}
}
