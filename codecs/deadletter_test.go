package codecs_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"billstream/codecs"
	"billstream/internal/customer"
)

func letter() codecs.DeadLetter {
	return codecs.DeadLetter{
		Code: customer.InvalidField, Stage: "validate", Detail: "/billing_address/country is a string of 13 characters, want two letters",
		Topic: "customer.events", Partition: 3, Offset: 131, Timestamp: 1773131400250,
		Key: []byte("c-1001"), Value: []byte(`{"x":1}`),
		Headers: []codecs.Header{{Key: "ce_id", Value: []byte("evt-2")}, {Key: "ce_id", Value: []byte("evt-3")}, {Key: "empty"}},
		Version: "1.2.3", Attempt: 1,
	}
}

func TestDeadLetterKeepsTheRecordAndSaysWhy(t *testing.T) {
	l := letter()
	r := l.Record()
	const want = "ce_id=evt-2 ce_id=evt-3 empty= dlq_code=invalid_field dlq_stage=validate" +
		" dlq_detail=/billing_address/country is a string of 13 characters, want two letters" +
		" dlq_topic=customer.events dlq_partition=3 dlq_offset=131 dlq_timestamp=1773131400250 dlq_version=1.2.3 dlq_attempt=1"
	if got := headersText(r.Headers); got != want {
		t.Errorf("headers are\n%s, want\n%s", got, want)
	}
	if string(r.Key) != "c-1001" || string(r.Value) != `{"x":1}` || r.Partition != 3 || r.Headers[2].Value != nil {
		t.Errorf("record is %+v, want key, value and headers as they came, on partition 3", r)
	}
}

func TestDeadLetterComesBack(t *testing.T) {
	for _, change := range []func(*codecs.DeadLetter){
		func(*codecs.DeadLetter) {},
		func(l *codecs.DeadLetter) { l.Key, l.Code, l.Stage = nil, customer.NoKey, "decode" },
		func(l *codecs.DeadLetter) { l.Attempt, l.Headers = 3, []codecs.Header{} },
		func(l *codecs.DeadLetter) { l.Withheld, l.Value = true, nil },
		func(l *codecs.DeadLetter) { // a letter that was replayed and failed again
			l.Headers = append(l.Headers, codecs.Header{Key: "dlq_code", Value: []byte("bad_data")}, codecs.Header{Key: "dlq_hold", Value: []byte("1")})
		},
	} {
		want := letter()
		change(&want)
		r := want.Record()
		got, err := codecs.ParseDeadLetter(&r)
		if err != nil || !reflect.DeepEqual(got, &want) {
			t.Errorf("letter comes back as %+v, %v, want %+v", got, err, &want)
		}
	}
}

func TestWithheldValueIsNotInTheRecord(t *testing.T) {
	l := letter()
	l.Withheld = true
	r := l.Record()
	last := r.Headers[len(r.Headers)-1]
	if r.Value != nil || last.Key != "dlq_payload" || string(last.Value) != "withheld" {
		t.Errorf("value is %q and the last header %s=%s, want no value and dlq_payload=withheld", r.Value, last.Key, last.Value)
	}
}

func TestDetailIsCutBetweenCharacters(t *testing.T) {
	l := letter()
	l.Detail = strings.Repeat("a", 511) + "ä"
	r := l.Record()
	for _, h := range r.Headers {
		if h.Key == "dlq_detail" && (string(h.Value) != strings.Repeat("a", 511) || !utf8.Valid(h.Value)) {
			t.Errorf("detail is %d bytes long and ends with %q, want 511 times a", len(h.Value), h.Value[len(h.Value)-3:])
		}
	}
}

func TestStageFollowsFromTheCode(t *testing.T) {
	for code, want := range map[customer.Code]string{
		customer.NoKey: "decode", customer.WrongPartition: "decode", customer.BadData: "decode", customer.UnknownType: "decode", customer.KeyMismatch: "decode",
		customer.CardNumber: "validate", customer.InvalidField: "validate", customer.TimeInFuture: "validate", customer.EffectiveOutOfRange: "validate",
		customer.ErasedCustomer: "apply", customer.ScheduleFull: "apply", customer.BeyondHorizon: "apply", customer.ApplyFailed: "apply",
	} {
		l := codecs.DeadLetter{Code: code}
		r := l.Record()
		if got := string(r.Headers[1].Value); got != want {
			t.Errorf("stage of %s is %s, want %s", code, got, want)
		}
	}
}

func TestRecordWithoutOurHeadersIsNoDeadLetter(t *testing.T) {
	for _, hs := range [][]codecs.Header{
		nil,
		{{Key: "ce_id", Value: []byte("x")}},
		{{Key: "dlq_code", Value: []byte("bad_data")}, {Key: "dlq_partition", Value: []byte("three")}},
		{{Key: "dlq_code", Value: []byte("bad_data")}, {Key: "dlq_partition", Value: []byte("4294967296")}},
	} {
		if _, err := codecs.ParseDeadLetter(&codecs.Record{Headers: hs}); !errors.Is(err, codecs.ErrDeadLetter) {
			t.Errorf("headers %s give %v, want ErrDeadLetter", headersText(hs), err)
		}
	}
}
