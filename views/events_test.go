package views_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/topics"
	"billstream/views"
)

const (
	structured = "application/cloudevents+json"
	batch      = "application/cloudevents-batch+json"
)

// event returns a structured event.
func event(id, subject, kind, data string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/crm","type":"customer.%s.v1","subject":%q,"time":"2026-05-02T09:59:00Z","data":%s}`, id, kind, subject, data)
}

var renamed = event("evt-9", "c-1001", "renamed", `{"name":"Acme Holding GmbH"}`)

// emitter is what stands behind Config.Emit: it keeps what it gets and counts
// offsets from 100 in each partition.
type emitter struct {
	sent  []codecs.Record
	err   error
	calls int
}

func (e *emitter) emit(partitions int32) func(context.Context, []codecs.Record) ([]billing.Position, error) {
	next := make(map[int32]int64)
	return func(_ context.Context, records []codecs.Record) ([]billing.Position, error) {
		e.calls++
		e.sent = append(e.sent, records...)
		if e.err != nil {
			return nil, e.err
		}
		var positions []billing.Position
		for _, r := range records {
			p := topics.Partition(r.Key, partitions)
			positions = append(positions, billing.Position{Topic: topics.CustomerEvents, Partition: p, Offset: 100 + next[p]})
			next[p]++
		}
		return positions, nil
	}
}

// newIngest returns a listener that takes events, over n partitions.
func newIngest(t *testing.T, n int) (*world, *emitter) {
	e := &emitter{}
	return newWorld(t, n, func(w *world) { w.Emit = e.emit(int32(n)) }), e
}

func (w *world) post(contentType, body string, headers ...string) *answer {
	w.t.Helper()
	return w.do("POST", "/v1/events", body, append([]string{"Content-Type", contentType}, headers...)...)
}

func TestEventIsSentAndItsPositionReturned(t *testing.T) {
	w, e := newIngest(t, 1)
	for _, contentType := range []string{structured, structured + "; charset=utf-8"} {
		*e = emitter{}
		a := w.post(contentType, renamed)
		offset := 100
		if contentType != structured {
			offset = 101
		}
		want := fmt.Sprintf(`{"accepted":1,"events":[{"source":"/crm","id":"evt-9","position":"customer.events/0@%d"}]}`, offset)
		if a.code != 202 || a.body != want {
			t.Errorf("answer is %d %s, want 202 %s", a.code, a.body, want)
		}
		if got := a.header.Get("Billing-Position"); got != fmt.Sprintf("customer.events/0@%d", offset) {
			t.Errorf("Billing-Position is %q", got)
		}
		if len(e.sent) != 1 || string(e.sent[0].Key) != "c-1001" || string(e.sent[0].Value) != `{"name":"Acme Holding GmbH"}` || e.sent[0].Timestamp != now.UnixMilli() {
			t.Errorf("sent is %+v, want the event as a record of now", e.sent)
		}
	}
}

func TestBinaryModeSendsTheSameRecord(t *testing.T) {
	w, e := newIngest(t, 1)
	w.post(structured, strings.Replace(event("evt-9", "café", "renamed", `{"name":"Acme"}`), `"data"`, `"correlationid":"x","data"`, 1))
	a := w.post("application/json", `{"name":"Acme"}`,
		"Ce-Specversion", "1.0", "Ce-Id", "evt-9", "Ce-Source", "/crm", "Ce-Type", "customer.renamed.v1",
		"Ce-Subject", "caf%C3%A9", "Ce-Time", "2026-05-02T09:59:00Z", "Ce-Correlationid", "x")
	if a.code != 202 || len(e.sent) != 2 {
		t.Fatalf("answer is %d %s with %d records, want 202 and 2", a.code, a.body, len(e.sent))
	}
	if got, want := e.sent[1], e.sent[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("record is\n%+v\nwant that of the structured event\n%+v", got, want)
	}
}

func TestBatchKeepsItsOrderAndGivesTheHighestPositions(t *testing.T) {
	w, e := newIngest(t, 3)
	subjects := []string{"a", "b", "c", "a", "d", "a"}
	var lines []string
	for i, s := range subjects {
		lines = append(lines, event(fmt.Sprint("e", i), s, "renamed", `{"name":"n"}`))
	}
	a := w.post(batch, " ["+strings.Join(lines, ",\n")+"] ")
	var body struct {
		Accepted int
		Events   []struct{ ID, Position string }
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || a.code != 202 {
		t.Fatalf("answer is %d %s (%v), want 202", a.code, a.body, err)
	}
	next, top := map[int32]int64{}, map[int32]string{}
	for i, s := range subjects {
		if string(e.sent[i].Key) != s {
			t.Errorf("record %d has key %q, want %q", i, e.sent[i].Key, s)
		}
		p := topics.Partition([]byte(s), 3)
		top[p] = fmt.Sprintf("customer.events/%d@%d", p, 100+next[p])
		next[p]++
		if body.Events[i].Position != top[p] || body.Events[i].ID != fmt.Sprint("e", i) {
			t.Errorf("event %d is %+v, want e%d at %s", i, body.Events[i], i, top[p])
		}
	}
	var want []string
	for p := range int32(3) {
		if top[p] != "" {
			want = append(want, top[p])
		}
	}
	if got := a.header.Get("Billing-Position"); got != strings.Join(want, ", ") || body.Accepted != len(subjects) {
		t.Errorf("accepted %d at %q, want %d at %q", body.Accepted, got, len(subjects), want)
	}
}

func TestOneBadEventKeepsAllFromBeingSent(t *testing.T) {
	w, e := newIngest(t, 3)
	bad := []string{
		renamed,
		event("e1", "c-1", "registered", `{"billing_address":{"country":"Deutschland"}}`),
		event("e2", "c-1", "promoted", `{}`),
		event("e3", "~position.0", "renamed", `{"name":"n"}`),
		strings.Replace(renamed, "2026-05-02T09:59:00Z", "2026-05-02T10:05:01Z", 1),
		event("e5", "c-1", "renamed", `{"name":"n","effective_from":"2029-01-01T00:00:00Z"}`),
		`{"specversion":"1.0"}`,
		event("e7", "c-1", "payment_method_changed", `{"payment_method":{"ref":"4111 1111 1111 1111","type":"card"}}`),
	}
	a := w.post(batch, "["+strings.Join(bad, ",")+"]")
	p := a.wantProblem(422, views.InvalidEvent)
	var got []string
	for _, item := range p["errors"].([]any) {
		x := item.(map[string]any)
		got = append(got, fmt.Sprintf("%v %v %v", x["index"], x["code"], x["pointer"]))
	}
	want := []string{
		"1 invalid_field /data/billing_address/country",
		"2 unknown_type",
		"3 bad_key",
		"4 time_in_future",
		"5 effective_out_of_range",
		"6 not_cloudevent",
		"7 card_number /data/payment_method/ref",
	}
	for i, prefix := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], prefix) {
			t.Errorf("errors are %q, want %q", got, want)
			break
		}
	}
	if e.calls != 0 {
		t.Error("events were sent, want none")
	}
	for _, value := range []string{"Deutschland", "4111", "c-1", "position"} {
		if strings.Contains(a.body, value) {
			t.Errorf("body is %s, want no %s in it", a.body, value)
		}
	}
}

func TestInvalidEventReadsAsDocumented(t *testing.T) {
	w, _ := newIngest(t, 1)
	a := w.post(structured, event("e1", "c-1", "registered", `{"billing_address":{"country":"Deutschland!!"}}`))
	want := `{"type":"/problems/invalid-event","title":"Invalid event","status":422,"code":"invalid-event","errors":[{"index":0,"code":"invalid_field","pointer":"/data/billing_address/country","detail":"is a string of 13 characters, want two letters"}]}`
	if a.body != want {
		t.Errorf("body is\n%s\nwant\n%s", a.body, want)
	}
}

func TestBodyThatIsNoEventIsMalformed(t *testing.T) {
	w, e := newIngest(t, 1)
	binary := []string{"Ce-Specversion", "1.0"}
	for _, c := range []struct {
		contentType, body string
		headers           []string
	}{
		{structured, "", nil},
		{structured, "not json", nil},
		{structured, "[" + renamed + "]", nil},
		{structured, renamed + renamed, nil},
		{structured, `"text"`, nil},
		{batch, "", nil},
		{batch, renamed, nil},
		{batch, "[]", nil},
		{batch, "[1]", nil},
		{batch, "[" + renamed + ",]", nil},
		{"application/json", "{", binary},
		{"application/json", "", binary},
	} {
		if p := w.post(c.contentType, c.body, c.headers...).wantProblem(400, views.MalformedBody); p == nil {
			t.Errorf("%s passes as %s", c.body, c.contentType)
		}
	}
	if e.calls != 0 {
		t.Error("events were sent, want none")
	}
}

func TestMediaTypesOfTheContractAlone(t *testing.T) {
	w, _ := newIngest(t, 1)
	for _, contentType := range []string{"", "application/json", "text/plain", "application/cloudevents+protobuf", "application/cloudevents+json;;", "multipart/form-data"} {
		w.post(contentType, renamed).wantProblem(415, views.UnsupportedMediaType)
	}
	w.post(structured, renamed, "Content-Encoding", "gzip").wantProblem(415, views.UnsupportedMediaType)
}

func TestSizesAreBounded(t *testing.T) {
	w, e := newIngest(t, 1)
	pad := func(n int) string {
		head, tail := strings.TrimSuffix(renamed, "}"), `,"x":"`
		return head + tail + strings.Repeat("x", n-len(head)-len(tail)-2) + `"}`
	}
	many := strings.TrimSuffix(strings.Repeat(renamed+",", 1001), ",")
	for name, c := range map[string]struct {
		contentType, body string
		limit             float64
	}{
		"event":          {structured, pad(65537), 65536},
		"event of batch": {batch, "[" + renamed + "," + pad(65537) + "]", 65536},
		"batch":          {batch, "[" + many + "]", 1000},
		"body":           {batch, "[" + strings.Repeat(" ", 1<<20) + renamed + "]", 1 << 20},
	} {
		if p := w.post(c.contentType, c.body).wantProblem(413, views.TooLarge); p["limit"] != c.limit {
			t.Errorf("limit of %s is %v, want %v", name, p["limit"], c.limit)
		}
	}
	if e.calls != 0 {
		t.Error("events were sent, want none")
	}
	if a := w.post(structured, pad(65536)); a.code != 202 {
		t.Errorf("an event of 65536 bytes gives %d %.200s, want 202", a.code, a.body)
	}
	if a := w.post(batch, "["+strings.TrimSuffix(many, ","+renamed)+"]"); a.code != 202 {
		t.Errorf("a batch of 1000 gives %d, want 202", a.code)
	}
}

func TestEventsAreNotTakenWhenIngestIsOff(t *testing.T) {
	newWorld(t, 1).post(structured, renamed).wantProblem(403, views.IngestOff)
}

func TestPagesOfOtherSitesCannotSendEvents(t *testing.T) {
	w, e := newIngest(t, 1)
	w.post(structured, renamed, "Sec-Fetch-Site", "cross-site").wantProblem(403, views.Forbidden)
	w.post(structured, renamed, "Origin", "https://evil.example").wantProblem(403, views.Forbidden)
	if e.calls != 0 {
		t.Error("events were sent, want none")
	}
	if a := w.post(structured, renamed, "Sec-Fetch-Site", "same-origin"); a.code != 202 {
		t.Errorf("our own page gets %d, want 202", a.code)
	}
}
