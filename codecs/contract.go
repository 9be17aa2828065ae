package codecs

import (
	"billstream/internal/billing"
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

// AppendRow appends row.
func AppendRow(dst []byte, row *billing.Row) ([]byte, error) { panic("to be built") }

// ParseRow reads a row; its strings are copies.
func ParseRow(b []byte) (*billing.Row, error) { panic("to be built") }

// RowFormat returns the format of an encoded row.
func RowFormat(b []byte) (uint32, error) { panic("to be built") }

// PositionKeyPrefix begins the keys of position rows.
const PositionKeyPrefix = "~position."

// PositionRow says how far a partition of the input has been processed.
type PositionRow struct {
	NextOffset int64            // of the first input record not yet processed
	RecordedAt customer.Instant // timestamp of the record before NextOffset
	TopicID    []byte           // of the input topic
}

// AppendPosition appends p as a table row.
func AppendPosition(dst []byte, p *PositionRow) []byte { panic("to be built") }

// ParsePosition reads a position row.
func ParsePosition(b []byte) (*PositionRow, error) { panic("to be built") }

// AppendUpdate appends u as protobuf.
func AppendUpdate(dst []byte, u *billing.Update) []byte { return appendUpdate(dst, u, true) }

func appendUpdate(dst []byte, u *billing.Update, withAccount bool) []byte { panic("to be built") }

// ParseUpdate reads an update.
func ParseUpdate(b []byte) (*billing.Update, error) { panic("to be built") }
