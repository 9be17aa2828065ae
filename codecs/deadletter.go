package codecs

import (
	"errors"
	"strconv"
	"unicode/utf8"

	"billstream/internal/customer"
)

// DeadLetter is a record that could not be applied, kept as it came, with why.
type DeadLetter struct {
	Code      customer.Code
	Stage     string // decode, validate, apply; "" for the one that Code implies
	Detail    string // without a customer's data; cut to 512 bytes in the record
	Topic     string // of the source record, as are the next three
	Partition int32
	Offset    int64
	Timestamp int64    // milliseconds since 1970
	Key       []byte   // nil is a null key
	Value     []byte   // left out of the record when Withheld
	Headers   []Header // the original ones, in order
	Version   string   // of the program that wrote the letter
	Attempt   int      // 1, 2, …; 0 means 1
	Withheld  bool     // the value must not be kept
}

// maxDetailBytes bounds the dlq_detail header.
const maxDetailBytes = 512

// StageOf returns where in the order of checks a code is given.
func StageOf(c customer.Code) string {
	switch c {
	case customer.CardNumber, customer.InvalidField, customer.TimeInFuture, customer.EffectiveOutOfRange:
		return "validate"
	case customer.ErasedCustomer, customer.ScheduleFull, customer.BeyondHorizon, customer.ApplyFailed:
		return "apply"
	}
	return "decode"
}

// Record returns the letter as a record for the source's partition number:
// original key, value and headers, then ours.
func (l *DeadLetter) Record() Record {
	stage := l.Stage
	if stage == "" {
		stage = StageOf(l.Code)
	}
	headers := make([]Header, len(l.Headers), len(l.Headers)+10)
	copy(headers, l.Headers)
	add := func(key, value string) { headers = append(headers, Header{Key: key, Value: []byte(value)}) }
	add("dlq_code", string(l.Code))
	add("dlq_stage", stage)
	add("dlq_detail", cut(l.Detail, maxDetailBytes))
	add("dlq_topic", l.Topic)
	add("dlq_partition", strconv.Itoa(int(l.Partition)))
	add("dlq_offset", strconv.FormatInt(l.Offset, 10))
	add("dlq_timestamp", strconv.FormatInt(l.Timestamp, 10))
	add("dlq_version", l.Version)
	add("dlq_attempt", strconv.Itoa(max(l.Attempt, 1)))
	r := Record{Partition: l.Partition, Key: l.Key, Value: l.Value}
	if l.Withheld {
		add("dlq_payload", "withheld")
		r.Value = nil
	}
	r.Headers = headers
	return r
}

// cut shortens s to at most n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// ErrDeadLetter says that a record is no dead letter.
var ErrDeadLetter = errors.New("record is no dead letter, want the dlq_ headers")

// ParseDeadLetter takes a letter apart; byte slices are parts of r. Headers of
// an earlier letter that came back with the original are left among Headers.
// The error is, or wraps, ErrDeadLetter.
func ParseDeadLetter(r *Record) (*DeadLetter, error) {
	first := -1
	for i := range r.Headers {
		if r.Headers[i].Key == "dlq_code" {
			first = i
		}
	}
	if first < 0 {
		return nil, ErrDeadLetter
	}
	l := &DeadLetter{Key: r.Key, Value: r.Value, Headers: r.Headers[:first:first]}
	var errs [4]error
	for _, h := range r.Headers[first:] {
		v := string(h.Value)
		switch h.Key {
		case "dlq_code":
			l.Code = customer.Code(v)
		case "dlq_stage":
			l.Stage = v
		case "dlq_detail":
			l.Detail = v
		case "dlq_topic":
			l.Topic = v
		case "dlq_partition":
			var p int64
			p, errs[0] = strconv.ParseInt(v, 10, 32)
			l.Partition = int32(p)
		case "dlq_offset":
			l.Offset, errs[1] = strconv.ParseInt(v, 10, 64)
		case "dlq_timestamp":
			l.Timestamp, errs[2] = strconv.ParseInt(v, 10, 64)
		case "dlq_version":
			l.Version = v
		case "dlq_attempt":
			l.Attempt, errs[3] = strconv.Atoi(v)
		case "dlq_payload":
			l.Withheld = v == "withheld"
		}
	}
	for _, err := range errs {
		if err != nil {
			return nil, ErrDeadLetter
		}
	}
	return l, nil
}
