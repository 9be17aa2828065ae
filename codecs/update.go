package codecs

import (
	"fmt"
	"strconv"

	"billstream/internal/billing"
)

// Encoding is how the values of billing.updates are written.
type Encoding uint8

// The encodings of updates; protobuf is the default.
const (
	Protobuf Encoding = iota
	JSON
)

// UpdateType is the CloudEvents type of every update.
const UpdateType = "billing.account.updated.v1"

// ParseEncoding returns the encoding of that name: protobuf or json.
func ParseEncoding(name string) (Encoding, error) {
	switch name {
	case "protobuf":
		return Protobuf, nil
	case "json":
		return JSON, nil
	}
	return 0, fmt.Errorf("updates encoding is %q, want protobuf or json", name)
}

// String returns the encoding's name.
func (e Encoding) String() string {
	if e == JSON {
		return "json"
	}
	return "protobuf"
}

// ContentType returns the media type of values in this encoding.
func (e Encoding) ContentType() string {
	if e == JSON {
		return "application/json"
	}
	return "application/protobuf"
}

// UpdateRecord returns the record of u for partition: a CloudEvent in binary
// mode, its headers always in the same order, so that a repeat has the same
// bytes.
func UpdateRecord(u *billing.Update, partition int32, enc Encoding, withAccount bool) Record {
	w := recordWriter{
		buf:     make([]byte, 0, updateSizeHint+5*len(u.Customer)),
		headers: make([]Header, 0, 11),
	}
	key := w.put(string(u.Customer))
	w.header("ce_specversion", "1.0")
	w.buf = append(append(w.buf, u.Customer...), '.')
	w.buf = strconv.AppendUint(w.buf, u.Seq, 10)
	w.headerHere("ce_id")
	w.buf = append(w.buf, "/billing/accounts/"...)
	w.buf = appendPercent(w.buf, string(u.Customer))
	w.headerHere("ce_source")
	w.header("ce_type", UpdateType)
	w.header("ce_subject", string(u.Customer))
	w.buf = u.RecordedAt.Append(w.buf)
	w.headerHere("ce_time")
	w.buf = appendPadded(w.buf, u.Seq)
	w.headerHere("ce_sequence")
	w.header("ce_causationid", u.Cause.ID)
	w.buf = appendPosition(w.buf, u.Cause.Position)
	w.headerHere("ce_causeposition")
	if u.Cause.CorrelationID != "" {
		w.header("ce_correlationid", u.Cause.CorrelationID)
	}
	w.header("content-type", enc.ContentType())
	if enc == JSON {
		w.buf = AppendUpdateJSON(w.buf, u, withAccount)
	} else {
		w.buf = appendUpdate(w.buf, u, withAccount)
	}
	return Record{Partition: partition, Key: key, Headers: w.headers, Value: w.take()}
}

// updateSizeHint holds the headers and value of most updates.
const updateSizeHint = 1 << 10

// recordWriter puts the parts of a record into one buffer, one after the other.
type recordWriter struct {
	buf     []byte
	start   int // of the part being written
	headers []Header
}

// take ends the part being written and returns it. A part stays valid when the
// buffer moves: it then holds the old one.
func (w *recordWriter) take() []byte {
	part := w.buf[w.start:len(w.buf):len(w.buf)]
	w.start = len(w.buf)
	return part
}

func (w *recordWriter) put(s string) []byte {
	w.buf = append(w.buf, s...)
	return w.take()
}

func (w *recordWriter) header(key, value string) {
	w.headers = append(w.headers, Header{Key: key, Value: w.put(value)})
}

func (w *recordWriter) headerHere(key string) {
	w.headers = append(w.headers, Header{Key: key, Value: w.take()})
}

// appendPercent appends s with everything but RFC 3986's unreserved characters
// percent-encoded, byte by byte.
func appendPercent(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
			dst = append(dst, c)
		default:
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

// appendPadded appends v with leading zeros to 20 digits, so that texts sort as
// numbers do.
func appendPadded(dst []byte, v uint64) []byte {
	const zeros = "00000000000000000000"
	var digits [20]byte
	d := strconv.AppendUint(digits[:0], v, 10)
	dst = append(dst, zeros[len(d):]...)
	return append(dst, d...)
}

// appendPosition appends p as customer.events/3@131.
func appendPosition(dst []byte, p billing.Position) []byte {
	dst = append(append(dst, p.Topic...), '/')
	dst = strconv.AppendInt(dst, int64(p.Partition), 10)
	return strconv.AppendInt(append(dst, '@'), p.Offset, 10)
}
