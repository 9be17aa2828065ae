package processors

import (
	"github.com/lovoo/goka"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
)

// consumed is a goka.Context that keeps the record as Kafka delivered it.
// goka's own context makes a null key an empty one and the headers a map,
// which loses their order and repeats.
type consumed interface {
	RecordKey() []byte // nil for a null key
	RecordValue() []byte
	RecordHeaders(yield func(key, value []byte) bool)
}

// incoming is one record of customer.events.
type incoming struct {
	key       []byte
	value     []byte
	headers   []codecs.Header
	at        billing.Position
	timestamp customer.Instant // the record's
	millis    int64            // the same as Kafka has it; -1 without one
	laps      *laps            // of a sampled record
}

// intake returns the record in hand; its headers lie in h.
func intake(ctx goka.Context, rec consumed, h *headers) incoming {
	in := incoming{
		key:       rec.RecordKey(),
		value:     rec.RecordValue(),
		headers:   h.of(rec),
		at:        billing.Position{Topic: string(ctx.Topic()), Partition: ctx.Partition(), Offset: ctx.Offset()},
		timestamp: customer.InstantOf(ctx.Timestamp()),
		millis:    noTimestamp,
	}
	if at := ctx.Timestamp(); !at.IsZero() {
		in.millis = at.UnixMilli()
	}
	return in
}

// headers is memory for the headers of one record at a time. A record leaves
// none of it behind: events copy what they keep, and so do dead letters.
type headers struct {
	list []codecs.Header
	add  func(key, value []byte) bool // bound once: a closure per record would be one more to collect
}

func newHeaders() *headers {
	h := &headers{list: make([]codecs.Header, 0, binaryModeHeaders)}
	h.add = func(key, value []byte) bool {
		h.list = append(h.list, codecs.Header{Key: headerName(key), Value: value})
		return true
	}
	return h
}

// of returns the headers of rec, nil when it has none. They are good until the
// next call.
func (h *headers) of(rec consumed) []codecs.Header {
	h.list = h.list[:0]
	rec.RecordHeaders(h.add)
	if len(h.list) == 0 {
		return nil
	}
	return h.list
}

// forget lets go of the record's bytes: they belong to the buffer of a fetch.
func (h *headers) forget() { clear(h.list) }

// noTimestamp is Kafka's value for a record without a timestamp.
const noTimestamp = -1

// binaryModeHeaders is how many headers an event in binary mode usually has.
const binaryModeHeaders = 8

// headerName returns key as a string, without an allocation for the names that
// every event carries.
func headerName(key []byte) string {
	switch string(key) {
	case "ce_specversion":
		return "ce_specversion"
	case "ce_id":
		return "ce_id"
	case "ce_source":
		return "ce_source"
	case "ce_type":
		return "ce_type"
	case "ce_subject":
		return "ce_subject"
	case "ce_time":
		return "ce_time"
	case "content-type":
		return "content-type"
	}
	return string(key)
}
