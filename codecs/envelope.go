package codecs

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"billstream/internal/customer"
)

// Envelope is a CloudEvent 1.0 as it came, not yet checked: Event does that.
// An attribute that is absent is "".
type Envelope struct {
	SpecVersion, ID, Source, Type, Subject, Time string
	Sequence, CorrelationID, TraceParent         string
	ContentType                                  string // of Data
	Data                                         string // JSON, as it was sent

	flaw     *customer.Refusal // what already is wrong with the attributes
	dataFlaw *customer.Refusal // what already is wrong around the data
}

// ErrMalformed says that bytes are not even JSON of the shape that was asked
// for.
var ErrMalformed = errors.New("body is malformed, want JSON")

// The attributes of an event that we read, by the name that CloudEvents gives
// them, in the order of Envelope.attributes.
const attributeCount = 12

func attributeNames() [attributeCount]string {
	return [...]string{
		"specversion", "id", "source", "type", "subject", "time",
		"sequence", "correlationid", "traceparent", "datacontenttype", "data", "data_base64",
	}
}

// The places of attributeNames that are no plain texts.
const (
	attributeTraceParent = 8
	attributeData        = 10
	attributeBase64      = 11
)

// ParseStructured reads one CloudEvent in structured mode (JSON). The error is
// a *customer.Refusal, not_cloudevent, when line is no JSON object at all;
// whatever else is wrong with it, Event says.
func ParseStructured(line []byte) (*Envelope, error) {
	e := new(Envelope)
	if err := e.parse(string(line)); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Envelope) parse(src string) error {
	d, ok := parseJSON(src)
	if !ok {
		return notCloudEvent("value is no JSON, want a CloudEvent")
	}
	if k := d.nodes[0].kind; k != kindObject {
		return notCloudEvent("value is " + k.String() + ", want a CloudEvent")
	}
	names := attributeNames()
	var at [attributeCount]int
	d.find(0, names[:], at[:])
	for i, to := range []*string{
		&e.SpecVersion, &e.ID, &e.Source, &e.Type, &e.Subject, &e.Time,
		&e.Sequence, &e.CorrelationID, &e.TraceParent, &e.ContentType,
	} {
		switch k := d.nodes[at[i]].kind; {
		case at[i] == 0 || k == kindNull: // absent
		case k == kindString:
			*to = d.text(at[i])
		case i != attributeTraceParent && e.flaw == nil:
			e.flaw = notCloudEvent(names[i] + " is " + k.String() + ", want a string")
		}
	}
	e.takeData(&d, at[attributeData], at[attributeBase64])
	return nil
}

// takeData keeps the data as it was sent, with its quotes if it is a string.
func (e *Envelope) takeData(d *document, data, base64 int) {
	switch {
	case base64 != 0:
		e.dataFlaw = badData("", "base64", "a JSON object in the member data")
	case data == 0:
		e.dataFlaw = badData("", "absent", "an object")
	case d.nodes[data].kind == kindString:
		e.Data = d.src[d.nodes[data].start-1 : d.nodes[data].end+1]
	default:
		e.Data = d.raw(data)
	}
	if e.dataFlaw == nil {
		// Inside the data, the data's own reader says where.
		if i := d.repeated(); i == 0 || i > 0 && (i < data || i >= int(d.nodes[data].next)) {
			e.dataFlaw = &customer.Refusal{Code: customer.BadData, Detail: "event is an object with a repeated member, want each name once"}
		}
	}
}

// BinaryEnvelope returns the event that the HTTP binding's binary mode carries:
// attributes by lower-case name without "ce-", their values percent-encoded,
// and the body with its content type. The error is a *customer.Refusal,
// not_cloudevent, for a value that is not percent-encoded.
func BinaryEnvelope(attributes map[string]string, contentType string, data []byte) (*Envelope, error) {
	e := &Envelope{ContentType: contentType, Data: string(data)}
	names := attributeNames()
	for i, to := range []*string{
		&e.SpecVersion, &e.ID, &e.Source, &e.Type, &e.Subject, &e.Time,
		&e.Sequence, &e.CorrelationID, &e.TraceParent,
	} {
		v, err := url.PathUnescape(attributes[names[i]])
		if err != nil {
			return nil, notCloudEvent(names[i] + " is a string with a broken escape, want percent-encoding")
		}
		*to = v
	}
	return e, nil
}

// Record returns e as a record of customer.events in binary mode, with the hash
// of its key deciding the partition and timestamp in milliseconds (0: now). The
// value is the data as it was sent. Ask for it once Event has found no fault.
func (e *Envelope) Record(timestamp int64) Record {
	w := recordWriter{
		buf:     make([]byte, 0, 256+len(e.Data)),
		headers: make([]Header, 0, 10),
	}
	key := w.put(e.Subject)
	w.header("ce_specversion", e.SpecVersion)
	w.header("ce_id", e.ID)
	w.header("ce_source", e.Source)
	w.header("ce_type", e.Type)
	w.header("ce_subject", e.Subject)
	w.header("ce_time", e.Time)
	w.given("ce_sequence", e.Sequence)
	w.given("ce_correlationid", e.CorrelationID)
	w.given("traceparent", e.TraceParent)
	w.header("content-type", "application/json")
	return Record{Partition: -1, Timestamp: timestamp, Key: key, Headers: w.headers, Value: w.put(e.Data)}
}

func (w *recordWriter) given(key, value string) {
	if value != "" {
		w.header(key, value)
	}
}

// SplitBatch splits a JSON array of objects into its elements, which are parts
// of body. The error is, or wraps, ErrMalformed.
func SplitBatch(body []byte) ([][]byte, error) {
	d, ok := parseJSON(string(body))
	switch {
	case !ok:
		return nil, ErrMalformed
	case d.nodes[0].kind != kindArray:
		return nil, fmt.Errorf("%w: it is %s, want an array of events", ErrMalformed, d.nodes[0].kind)
	}
	var all [][]byte
	for i := 1; i < len(d.nodes); i = int(d.nodes[i].next) {
		n := &d.nodes[i]
		if k := n.kind; k != kindObject {
			return nil, fmt.Errorf("%w: element %d is %s, want an object", ErrMalformed, len(all), k)
		}
		all = append(all, body[n.start:n.end:n.end])
	}
	return all, nil
}

// checkAttributes holds e against the rules of the envelope and returns the
// event's time.
func (e *Envelope) checkAttributes() (customer.Instant, error) {
	if e.flaw != nil {
		return 0, e.flaw
	}
	if e.SpecVersion != "1.0" {
		return 0, notCloudEvent("specversion is " + stringOf(e.SpecVersion, "another one") + ", want 1.0")
	}
	for _, a := range [...]struct {
		name, value string
		low, high   int
	}{
		{"id", e.ID, 1, 256},
		{"source", e.Source, 1, 512},
		{"type", e.Type, 1, 256},
		{"subject", e.Subject, 1, customer.MaxIDBytes},
		{"time", e.Time, 1, 64},
		{"sequence", e.Sequence, 0, 64},
		{"correlationid", e.CorrelationID, 0, 256},
	} {
		if fault := faultOf(a.value, a.low, a.high); fault != "" {
			return 0, notCloudEvent(a.name + " is " + fault)
		}
	}
	at, err := customer.ParseInstant(e.Time)
	if err != nil {
		return 0, notCloudEvent("time is " + customer.StringOf(e.Time) + ", want an RFC 3339 date and time")
	}
	return at, nil
}

// faultOf says what is wrong with an attribute's text, "" if nothing is.
func faultOf(s string, low, high int) string {
	switch {
	case len(s) < low:
		return "absent, want 1 to " + strconv.Itoa(high) + " bytes"
	case len(s) > high:
		return strconv.Itoa(len(s)) + " bytes, want at most " + strconv.Itoa(high)
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return faultOfUnicode(s)
		}
	}
	return ""
}

func faultOfUnicode(s string) string {
	switch {
	case !utf8.ValidString(s):
		return "no valid UTF-8, want UTF-8"
	case strings.ContainsFunc(s, unicode.IsControl):
		return "a string with a control character, want none"
	}
	return ""
}

func stringOf(s, other string) string {
	if s == "" {
		return "absent"
	}
	return other
}

func notCloudEvent(detail string) *customer.Refusal {
	return &customer.Refusal{Code: customer.NotCloudEvent, Detail: detail}
}
