package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/topics"

	billingv1 "billstream/codecs/proto/billing/v1"
)

// updates judges billing.updates.
type updates struct {
	withAccount bool
	buffer      []byte
}

func (*updates) lost() Class                { return Lost }
func (*updates) wrong() Class               { return WrongValue }
func (*updates) foreign(*walk, int64) Class { return Foreign }
func isJSON(rec *Record) bool               { return header(rec, "content-type") == jsonType }
func (k *updates) marshal(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(k.buffer[:0], m)
	if err != nil {
		return nil
	}
	k.buffer = b
	return b
}

const (
	jsonType     = "application/json"
	protobufType = "application/protobuf"
)

func (k *updates) differs(x *expectation, rec *Record) string {
	u := x.update
	if string(rec.Key) != string(u.Customer) {
		return "key"
	}
	if isJSON(rec) {
		if field := k.differsJSON(u, rec); field != "" {
			return field
		}
		return differentHeader(u, jsonType, rec)
	}
	want := updateMessage(u, k.withAccount)
	if !bytes.Equal(k.marshal(want), rec.Value) {
		var got billingv1.AccountUpdated
		if proto.Unmarshal(rec.Value, &got) != nil {
			return "value"
		}
		if field := differs(want, &got); field != "" {
			return field
		}
	}
	return differentHeader(u, protobufType, rec)
}

func (k *updates) differsJSON(u *billing.Update, rec *Record) string {
	want, err := decodeJSON(codecs.AppendUpdateJSON(nil, u, k.withAccount))
	if err != nil {
		return "value"
	}
	got, err := decodeJSON(rec.Value)
	if err != nil {
		return "value"
	}
	return differsJSON(want, got, "")
}

func decodeJSON(b []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

func (k *updates) cause(rec *Record) (position, bool) {
	if isJSON(rec) {
		var u struct {
			Cause struct {
				Topic     string
				Partition int32
				Offset    int64
			}
		}
		err := json.Unmarshal(rec.Value, &u)
		return position{u.Cause.Topic, u.Cause.Partition, u.Cause.Offset}, err == nil && u.Cause.Topic != ""
	}
	var u billingv1.AccountUpdated
	if proto.Unmarshal(rec.Value, &u) != nil || u.GetCause() == nil {
		return position{}, false
	}
	c := u.GetCause()
	return position{c.GetTopic(), c.GetPartition(), c.GetOffset()}, true
}

// differentHeader returns the first header of an update that is not as the
// contract of the topic wants it: attributes of a CloudEvent in binary mode, in
// one order.
func differentHeader(u *billing.Update, contentType string, rec *Record) string {
	seq := strconv.FormatUint(u.Seq, 10)
	at := u.Cause.Position
	want := [...][2]string{
		{"ce_specversion", "1.0"},
		{"ce_id", string(u.Customer) + "." + seq},
		{"ce_source", "/billing/accounts/" + escape(string(u.Customer))},
		{"ce_type", codecs.UpdateType},
		{"ce_subject", string(u.Customer)},
		{"ce_time", u.RecordedAt.String()},
		{"ce_sequence", strings.Repeat("0", 20-len(seq)) + seq},
		{"ce_causationid", u.Cause.ID},
		{"ce_causeposition", fmt.Sprintf("%s/%d@%d", at.Topic, at.Partition, at.Offset)},
		{"ce_correlationid", u.Cause.CorrelationID},
		{"content-type", contentType},
	}
	i := 0
	for _, h := range want {
		if h[0] == "ce_correlationid" && h[1] == "" {
			continue
		}
		if i >= len(rec.Headers) || rec.Headers[i].Key != h[0] || string(rec.Headers[i].Value) != h[1] {
			return "header " + h[0]
		}
		i++
	}
	if i != len(rec.Headers) {
		return "headers"
	}
	return ""
}

// escape encodes a customer id for a path (RFC 3986): all but the unreserved
// characters.
func escape(id string) string {
	return strings.ReplaceAll(url.QueryEscape(id), "+", "%20")
}

// header returns the value of the last header of that name.
func header(rec *Record, name string) string {
	for i := len(rec.Headers) - 1; i >= 0; i-- {
		if rec.Headers[i].Key == name {
			return string(rec.Headers[i].Value)
		}
	}
	return ""
}

// updatesTopic and lettersTopic are the outputs of the input.
const (
	updatesTopic = topics.BillingUpdates
	lettersTopic = topics.DeadLetters
)
