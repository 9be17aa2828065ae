package verify

import (
	"encoding/binary"
	"slices"
	"strconv"

	"billstream/codecs"
	"billstream/internal/customer"
	"billstream/internal/topics"
)

// letters judges billing.dlq: the original record, untouched and first, and
// then why it is there.
type letters struct {
	partition  int32
	maxMessage int // of the topic; 0: not known
}

func (*letters) lost() Class  { return LetterMissing }
func (*letters) wrong() Class { return LetterWrong }

func (*letters) foreign(w *walk, at int64) Class {
	if w.updates.sum(at) != 0 || w.updates.missing[at] != nil {
		return DeadLetterApplied
	}
	return LetterWrong
}

// maxDetail bounds the header dlq_detail.
const maxDetail = 512

func (k *letters) differs(x *expectation, rec *Record) string {
	want := k.copyOf(x)
	if !same(want.key, rec.Key) {
		return "key"
	}
	if !same(want.value, rec.Value) {
		return "value"
	}
	if len(rec.Headers) < len(want.headers) {
		return "headers"
	}
	for i, h := range want.headers {
		if got := rec.Headers[i]; got.Key != h.Key || string(got.Value) != string(h.Value) {
			return "original headers"
		}
	}
	return k.differentHeader(x, rec.Headers[len(want.headers):], want.withheld)
}

// differentHeader compares our own headers. What the detail says and which
// version wrote it, no contract says.
func (k *letters) differentHeader(x *expectation, got []codecs.Header, withheld bool) string {
	stage := x.stage
	if stage == "" {
		stage = codecs.StageOf(x.refusal.Code)
	}
	want := []struct{ name, value string }{
		{"dlq_code", string(x.refusal.Code)},
		{"dlq_stage", stage},
		{"dlq_detail", ""},
		{"dlq_topic", topics.CustomerEvents},
		{"dlq_partition", strconv.Itoa(int(k.partition))},
		{"dlq_offset", strconv.FormatInt(x.input.Offset, 10)},
		{"dlq_timestamp", strconv.FormatInt(x.input.Timestamp, 10)},
		{"dlq_version", ""},
		{"dlq_attempt", "1"},
	}
	if withheld {
		want = append(want, struct{ name, value string }{"dlq_payload", "withheld"})
	}
	for i, h := range want {
		if i >= len(got) || got[i].Key != h.name {
			return "header " + h.name
		}
		v := string(got[i].Value)
		free := h.name == "dlq_version" || h.name == "dlq_detail" && v != "" && len(v) <= maxDetail
		if v != h.value && !free {
			return "header " + h.name
		}
	}
	if len(got) != len(want) {
		return "headers"
	}
	return ""
}

func (k *letters) cause(rec *Record) (position, bool) {
	code := slices.IndexFunc(rec.Headers, func(h codecs.Header) bool { return h.Key == "dlq_code" })
	if code < 0 {
		return position{}, false
	}
	partition, err := strconv.ParseInt(header(rec, "dlq_partition"), 10, 32)
	if err != nil {
		return position{}, false
	}
	offset, err := strconv.ParseInt(header(rec, "dlq_offset"), 10, 64)
	return position{header(rec, "dlq_topic"), int32(partition), offset}, err == nil
}

// original is what a letter keeps of its record.
type original struct {
	key, value []byte
	headers    []codecs.Header
	withheld   bool
}

// copyOf returns what the letter must keep: all of the record, but no value
// that nobody may keep, and nothing that its topic would not take.
func (k *letters) copyOf(x *expectation) original {
	r := x.input
	o := original{key: r.Key, value: r.Value, headers: r.Headers}
	if code := x.refusal.Code; code == customer.CardNumber || code == customer.ErasedCustomer {
		o.value, o.withheld = nil, true
	}
	if k.maxMessage == 0 || letterSize(r.Key, r.Value, r.Headers) <= k.maxMessage {
		return o
	}
	o.value, o.withheld = nil, true
	if letterSize(r.Key, nil, r.Headers) > k.maxMessage {
		o.headers = nil
	}
	if letterSize(r.Key, nil, o.headers) > k.maxMessage {
		o.key = nil
	}
	return o
}

// letterSize is the size of a letter as its writer reckons it: what it keeps,
// and 2 KiB for its own headers and the framing.
func letterSize(key, value []byte, headers []codecs.Header) int {
	n := 2<<10 + len(key) + len(value)
	for _, h := range headers {
		n += len(h.Key) + len(h.Value) + 2*binary.MaxVarintLen32
	}
	return n
}
