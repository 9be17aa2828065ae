package codecs

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"billstream/internal/customer"
)

// MaxValueBytes bounds the value of a customer event.
const MaxValueBytes = 64 << 10

// DecodeEvent returns the event in a record of customer.events whose key is
// key. Nothing in the event refers to value or headers.
//
// It is a CloudEvent in the mode that the headers say (CloudEvents 1.0, Kafka
// protocol binding 3): binary, structured, or, with no such header, structured
// by the look of its value. The error is a *customer.Refusal for the first rule
// that is broken, from no_value to invalid_field; an event of unknown type is
// refused too, and the caller decides whether to ignore it.
func DecodeEvent(key customer.ID, value []byte, headers []Header) (*customer.Event, error) {
	if len(value) == 0 {
		return nil, &customer.Refusal{Code: customer.NoValue, Detail: "value is empty, want an event"}
	}
	if err := checkSize(len(value)); err != nil {
		return nil, err
	}
	var e Envelope
	if err := e.read(value, headers); err != nil {
		return nil, err
	}
	return e.event(key)
}

// Event checks everything that can be checked without the record that is to
// carry it, its subject standing in for the record's key, and returns the
// event. The error is a *customer.Refusal.
func (e *Envelope) Event() (*customer.Event, error) {
	key := customer.ID(e.Subject)
	if key != "" {
		if err := key.Check(); err != nil {
			return nil, err
		}
	}
	if err := checkSize(len(e.Data)); err != nil {
		return nil, err
	}
	return e.event(key)
}

func checkSize(n int) error {
	if n > MaxValueBytes {
		return &customer.Refusal{
			Code:   customer.TooLarge,
			Detail: fmt.Sprintf("value is %d bytes, want at most %d", n, MaxValueBytes),
		}
	}
	return nil
}

// binaryHeaders are the headers that decide how an event is read.
type binaryHeaders struct {
	specVersion, id, source, typ, subject, time, sequence, correlationID, contentType []byte
	binary                                                                            bool
}

// pick finds the headers that we read; of a repeated one the last counts.
func (b *binaryHeaders) pick(headers []Header) {
	for i := range headers {
		v := headers[i].Value
		switch headers[i].Key {
		case "ce_specversion":
			b.specVersion, b.binary = v, true
		case "ce_id":
			b.id = v
		case "ce_source":
			b.source = v
		case "ce_type":
			b.typ = v
		case "ce_subject":
			b.subject = v
		case "ce_time":
			b.time = v
		case "ce_sequence":
			b.sequence = v
		case "ce_correlationid":
			b.correlationID = v
		case "content-type":
			b.contentType = v
		}
	}
}

const cloudEventsMedia = "application/cloudevents"

// read fills e from a record, whatever its mode. All texts of e share one copy.
func (e *Envelope) read(value []byte, headers []Header) error {
	var b binaryHeaders
	b.pick(headers)
	switch {
	case hasPrefixFold(b.contentType, cloudEventsMedia+"+json"):
		return e.parse(string(value))
	case hasPrefixFold(b.contentType, cloudEventsMedia):
		return notCloudEvent("content-type is another format of CloudEvents, want application/cloudevents+json")
	case !b.binary:
		return e.parse(string(value))
	}
	var c copier
	c.Grow(len(value) + len(b.specVersion) + len(b.id) + len(b.source) + len(b.typ) + len(b.subject) +
		len(b.time) + len(b.sequence) + len(b.correlationID) + len(b.contentType))
	e.Data = c.copy(value)
	e.SpecVersion = c.copy(b.specVersion)
	e.ID = c.copy(b.id)
	e.Source = c.copy(b.source)
	e.Type = c.copy(b.typ)
	e.Subject = c.copy(b.subject)
	e.Time = c.copy(b.time)
	e.Sequence = c.copy(b.sequence)
	e.CorrelationID = c.copy(b.correlationID)
	e.ContentType = c.copy(b.contentType)
	return nil
}

// copier copies byte slices into one string: a record's bytes belong to the
// buffer of a whole fetch, which must not be kept.
type copier struct{ strings.Builder }

func (c *copier) copy(b []byte) string {
	at := c.Len()
	c.Write(b)
	return c.String()[at:]
}

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && strings.EqualFold(string(b[:len(prefix)]), prefix)
}

// event decodes e for a record with the given key. The order of the checks is
// part of the contract: the first that hits gives the code.
func (e *Envelope) event(key customer.ID) (*customer.Event, error) {
	at, err := e.checkAttributes()
	if err != nil {
		return nil, err
	}
	typ, err := customer.ParseType(e.Type)
	if err != nil {
		return nil, err
	}
	if e.Subject != string(key) {
		return nil, &customer.Refusal{Code: customer.KeyMismatch, Detail: "subject is another one than the record's key, want the key"}
	}
	if !isJSON(e.ContentType) {
		return nil, badData("", "of another content type", "application/json")
	}
	if e.dataFlaw != nil {
		return nil, e.dataFlaw
	}
	d, err := parseData(e.Data)
	if err != nil {
		return nil, err
	}
	if at < customer.MinTime {
		return nil, &customer.Refusal{Code: customer.InvalidField, Detail: "time is before 2000-01-01T00:00:00Z, want a later one"}
	}
	ev := &customer.Event{
		Customer: key, Source: e.Source, ID: e.ID, Type: typ,
		Time: at, Sequence: e.Sequence, CorrelationID: e.CorrelationID, EffectiveFrom: at,
	}
	r := dataReader{d: d, event: ev}
	if err := r.read(); err != nil {
		return nil, err
	}
	return ev, nil
}

// isJSON reports whether a content type, absent or with parameters, says JSON.
func isJSON(contentType string) bool {
	if contentType == "" || contentType == "application/json" {
		return true
	}
	media, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(media), "application/json")
}

// parseData takes the data apart, if it is the JSON object that every event
// carries, and looks for card numbers.
func parseData(src string) (document, error) {
	d, ok := parseJSON(src)
	switch {
	case !ok:
		return d, badData("", "no JSON", "an object")
	case d.nodes[0].kind != kindObject:
		return d, badData("", d.nodes[0].kind.String(), "an object")
	case !utf8.ValidString(src):
		return d, badData("", "no valid UTF-8", "UTF-8")
	}
	if i := d.half(); i >= 0 {
		return d, badData(d.pointer(i), "a string with half a surrogate pair", "whole characters")
	}
	if i := d.repeated(); i >= 0 {
		return d, badData(d.pointer(i), "an object with a repeated member", "each name once")
	}
	if i := d.cardNumber(); i >= 0 {
		return d, &customer.Refusal{Code: customer.CardNumber, Pointer: d.pointer(i), Detail: "is a card number, want the provider's token"}
	}
	return d, nil
}

func badData(pointer, got, want string) *customer.Refusal {
	r := &customer.Refusal{Code: customer.BadData, Pointer: pointer, Detail: "is " + got + ", want " + want}
	if pointer == "" {
		r.Detail = "data " + r.Detail
	}
	return r
}

// cardNumber returns the first string inside the member payment_method that
// looks like a card number, -1 if there is none. Names and members that we do
// not know are looked at too: the value would be kept otherwise.
func (d *document) cardNumber() int {
	var at [1]int
	d.find(0, []string{"payment_method"}, at[:])
	if at[0] == 0 {
		return -1
	}
	for i := at[0]; i < int(d.nodes[at[0]].next); i++ {
		if d.nodes[i].kind == kindString && customer.LooksLikeCard(d.text(i)) {
			return i
		}
	}
	return -1
}

// Located returns err with the pointer of the whole event in place of that of
// its data, if err refuses a member: "invalid_field: /data/name is a number,
// want a string".
func Located(err error) error {
	r, ok := errors.AsType[*customer.Refusal](err)
	if !ok {
		return err
	}
	return &customer.Refusal{Code: r.Code, Pointer: EventPointer(r), Detail: r.Detail}
}

// EventPointer returns the JSON pointer of what r refuses inside the whole
// event in structured mode: "/data/billing_address/country". It is "" when r
// is not about one member.
func EventPointer(r *customer.Refusal) string {
	switch r.Code {
	case customer.BadData, customer.CardNumber, customer.EffectiveOutOfRange:
		return "/data" + r.Pointer
	case customer.InvalidField:
		if r.Pointer == "" {
			return "/time"
		}
		return "/data" + r.Pointer
	case customer.TimeInFuture:
		return "/time"
	case customer.UnknownType, customer.UnknownVersion:
		return "/type"
	case customer.NoKey, customer.BadKey, customer.KeyMismatch:
		return "/subject"
	}
	return ""
}
