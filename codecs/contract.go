package codecs

import (
	"billstream/internal/customer"
)

// MaxValueBytes bounds the value of a customer event.
const MaxValueBytes = 64 << 10

// DecodeEvent returns the event in a record of customer.events whose key is
// key. The error is a *customer.Refusal.
func DecodeEvent(key customer.ID, value []byte, headers []Header) (*customer.Event, error) {
	panic("to be built")
}

// Envelope is a CloudEvent that is about to be emitted.
type Envelope struct {
	SpecVersion, ID, Source, Type, Subject, Time string
	Sequence, CorrelationID, TraceParent         string
	Data                                         []byte
}

// ParseStructured reads one structured CloudEvent; the error is a
// *customer.Refusal with code not_cloudevent when line is no JSON object.
func ParseStructured(line []byte) (*Envelope, error) { panic("to be built") }

// BinaryEnvelope builds an envelope from the attributes of the HTTP binding
// (names without "ce-", values percent-encoded) and the data.
func BinaryEnvelope(attributes map[string]string, contentType string, data []byte) (*Envelope, error) {
	panic("to be built")
}

// Event checks everything that can be checked without the record and returns
// the event. The error is a *customer.Refusal.
func (e *Envelope) Event() (*customer.Event, error) { panic("to be built") }

// Record returns the event as a record in binary mode.
func (e *Envelope) Record(timestampMS int64) Record { panic("to be built") }

// SplitBatch splits a JSON array of objects.
func SplitBatch(body []byte) ([][]byte, error) { panic("to be built") }

// EventPointer returns the JSON pointer of r inside the whole event, "" if none.
func EventPointer(r *customer.Refusal) string { panic("to be built") }

