package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/app"
	"billstream/internal/topics"
)

const partitions = 12

const past = "2026-01-02T03:04:05Z"

// bad is a record that must become a dead letter.
type bad struct {
	code     string
	key      []byte // nil: null key
	value    []byte
	headers  []kgo.RecordHeader
	shift    int32 // how far from its own partition it is written
	withheld bool
	before   []string // good events of the same customer that come first
}

// badRecords holds a record for every code that this version can give. The
// customer's id is the code itself.
func badRecords() []bad {
	ev := func(code, kind, data string) []byte { return []byte(event("bad", kind, code, past, data)) }
	full := make([]string, 8)
	for i := range full {
		full[i] = event(fmt.Sprint("future", i), "renamed", "schedule_full", past,
			fmt.Sprintf(`{"name":"N%d","effective_from":%q}`, i, time.Now().Add(time.Duration(i+1)*24*time.Hour).UTC().Format(time.RFC3339)))
	}
	old := make([]string, 17)
	for i := range old {
		old[i] = event(fmt.Sprint("old", i), "renamed", "beyond_horizon", fmt.Sprintf("2026-01-%02dT00:00:00Z", i+2), fmt.Sprintf(`{"name":"N%d"}`, i))
	}
	now := time.Now().UTC()
	fat := make([]string, 25) // 16 versions of one address, 9 of the other: the next would pass 64 KiB
	for i := range fat {
		fat[i] = fatAddress(i)
	}
	return []bad{
		{code: "too_large", key: []byte("fat"), before: fat, value: []byte(fatAddress(25))},
		{code: "no_key", key: nil, value: ev("no_key", "renamed", `{"name":"x"}`)},
		{code: "bad_key", key: []byte("~bad"), value: ev("~bad", "renamed", `{"name":"x"}`)},
		{code: "bad_key", key: []byte("\xff\xfe"), value: ev("x", "renamed", `{"name":"x"}`)},
		{code: "wrong_partition", key: []byte("wrong_partition"), shift: 1, value: ev("wrong_partition", "renamed", `{"name":"x"}`)},
		{code: "no_value", key: []byte("no_value")},
		{code: "too_large", key: []byte("too_large"), value: ev("too_large", "renamed", `{"name":"`+strings.Repeat("x", 70_000)+`"}`)},
		{code: "not_cloudevent", key: []byte("not_cloudevent"), value: []byte(`{"hello":"world"}`), headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")}, {Key: "b"}}},
		{code: "unknown_version", key: []byte("unknown_version"), value: []byte(strings.Replace(string(ev("unknown_version", "renamed", `{"name":"x"}`)), "renamed.v1", "renamed.v2", 1))},
		{code: "key_mismatch", key: []byte("key_mismatch"), value: ev("somebody-else", "renamed", `{"name":"x"}`)},
		{code: "bad_data", key: []byte("bad_data"), value: ev("bad_data", "renamed", `[1]`)},
		{code: "card_number", key: []byte("card_number"), value: ev("card_number", "payment_method_changed", `{"payment_method":{"ref":"4111 1111 1111 1111","type":"card"}}`), withheld: true},
		{code: "invalid_field", key: []byte("invalid_field"), value: ev("invalid_field", "address_changed", `{"kind":"billing","address":{"country":"Germany"}}`)},
		{code: "time_in_future", key: []byte("time_in_future"), value: []byte(event("bad", "renamed", "time_in_future", now.Add(time.Hour).Format(time.RFC3339), `{"name":"x"}`))},
		{code: "effective_out_of_range", key: []byte("effective_out_of_range"), value: ev("effective_out_of_range", "renamed", `{"name":"x","effective_from":"2036-01-01T00:00:00Z"}`)},
		{code: "schedule_full", key: []byte("schedule_full"), before: full, value: ev("schedule_full", "renamed", fmt.Sprintf(`{"name":"y","effective_from":%q}`, now.Add(40*24*time.Hour).Format(time.RFC3339)))},
		{code: "beyond_horizon", key: []byte("beyond_horizon"), before: old, value: []byte(event("bad", "renamed", "beyond_horizon", "2026-01-01T00:00:00Z", `{"name":"y"}`))},
		{code: "erased_customer", key: []byte("erased_customer"), withheld: true, before: []string{event("gone", "erased", "erased_customer", past, `{}`)}, value: ev("erased_customer", "renamed", `{"name":"y"}`)},
		{code: "erased_customer", key: []byte("erased_customer"), withheld: true, value: []byte("no event at all")},
	}
}

// fatAddress is the i-th statement of an address as large as can be.
func fatAddress(i int) string {
	kind := "billing"
	if i >= 16 {
		kind = "shipping"
	}
	wide := func(n int) string { return strings.Repeat("\U0001F3E2", n) }
	return event(fmt.Sprint("fat", i), "address_changed", "fat", fmt.Sprintf("2026-01-01T00:00:%02dZ", i),
		fmt.Sprintf(`{"kind":%q,"address":{"line1":"%02d%s","line2":%q,"city":%q,"country":"DE"}}`, kind, i, wide(254), wide(256), wide(128)))
}

// Every code leads to one dead letter with the original bytes and headers, and
// the customer's next good event is applied.
func TestEachBadRecordIsOneDeadLetter(t *testing.T) {
	t.Parallel()
	p := start(t, config(t.TempDir()))
	all := badRecords()
	seq := map[string]float64{}
	for i, b := range all {
		partition := (topics.Partition(b.key, partitions) + b.shift) % partitions
		for j, v := range b.before {
			p.produce(false, record(string(b.key), v))
			seq[string(b.key)] = float64(j + 1)
		}
		p.produce(true, &kgo.Record{Key: b.key, Value: b.value, Headers: b.headers, Partition: partition})
		if b.code == "no_key" || b.code == "bad_key" || b.code == "erased_customer" {
			continue
		}
		p.produce(false, record(string(b.key), event(fmt.Sprint("good", i), "renamed", string(b.key), "2026-02-01T00:00:00Z", `{"name":"Good"}`)))
	}
	p.caughtUp()

	letters := p.read(topics.DeadLetters)
	if len(letters) != len(all) {
		t.Errorf("dead letters are %d, want %d", len(letters), len(all))
	}
	events := map[string]*kgo.Record{}
	for _, r := range p.read(topics.CustomerEvents) {
		events[fmt.Sprintf("%d/%d", r.Partition, r.Offset)] = r
	}
	found := map[string]int{}
	for _, l := range letters {
		h := headers(l)
		found[h["dlq_code"]]++
		source := events[h["dlq_partition"]+"/"+h["dlq_offset"]]
		if source == nil {
			t.Errorf("dead letter %s names record %s/%s, want one of the input", h["dlq_code"], h["dlq_partition"], h["dlq_offset"])
			continue
		}
		checkLetter(t, l, source, h)
	}
	for _, b := range all {
		found[b.code]--
		if b.code == "no_key" || b.code == "bad_key" || b.code == "erased_customer" {
			continue
		}
		if got := p.account(string(b.key), seq[string(b.key)]+1)["name"]; got != "Good" && b.code != "schedule_full" {
			t.Errorf("%s: name after the next good event is %v, want Good", b.code, got)
		}
	}
	for code, n := range found {
		if n != 0 {
			t.Errorf("dead letters with code %s are off by %d", code, n)
		}
	}
}

// An event of an unknown type is ignored, or kept where that was asked for.
func TestUnknownTypesAreIgnoredOrKept(t *testing.T) {
	t.Parallel()
	for choice, want := range map[string]string{"ignore": "ignored", "dead-letter": "dead_letter"} {
		c := config(t.TempDir())
		c.UnknownTypes = choice
		p := start(t, c)
		p.produce(false, record("c-1", event("e-1", "befriended", "c-1", past, `{}`)))
		p.caughtUp()
		if got := p.metric("billstream_records_processed_total"); got[want] != 1 || sum(got) != 1 {
			t.Errorf("%s: outcomes are %v, want one %s", choice, got, want)
		}
		for _, l := range p.read(topics.DeadLetters) {
			if code := headers(l)["dlq_code"]; code != "unknown_type" {
				t.Errorf("code is %s, want unknown_type", code)
			}
		}
	}
}

// A row of the changelog that cannot be read costs the records of its customer,
// one dead letter each, and nobody else's.
func TestABrokenRowCostsItsCustomersRecordsOnly(t *testing.T) {
	t.Parallel()
	c := config(t.TempDir())
	first := start(t, c)
	first.write(topics.BillingTable, &kgo.Record{Key: []byte("broken"), Value: []byte("\x08\x01\x4a\xff"), Partition: topics.Partition([]byte("broken"), partitions)})
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	p := start(t, c)
	p.produce(false,
		record("broken", event("e-1", "renamed", "broken", past, `{"name":"x"}`)),
		record("c-1", event("e-1", "renamed", "c-1", past, `{"name":"Fine"}`)))
	p.caughtUp()
	letters := p.read(topics.DeadLetters)
	if len(letters) != 1 || headers(letters[0])["dlq_code"] != "apply_failed" || string(letters[0].Key) != "broken" {
		t.Errorf("dead letters are %d, want one of the broken customer with apply_failed", len(letters))
	}
	if got := p.account("c-1", 1)["name"]; got != "Fine" {
		t.Errorf("name of another customer is %v, want Fine", got)
	}
}

// A row of a later version is refused at the start: going on would lose what
// only that version knows.
func TestARowOfALaterVersionIsRefused(t *testing.T) {
	t.Parallel()
	c := config(t.TempDir())
	first := start(t, c)
	first.write(topics.BillingTable, &kgo.Record{Key: []byte("later"), Value: []byte("\x08\x02"), Partition: topics.Partition([]byte("later"), partitions)})
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	a, err := app.New(c, app.Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err = a.Run(ctx)
	if !errors.Is(err, app.ErrRefused) || !strings.Contains(err.Error(), "row format is 2, want at most 1") {
		t.Errorf("error is %v, want it refused with both formats", err)
	}
}

// checkLetter compares a dead letter with the record that it keeps.
func checkLetter(t *testing.T, l, source *kgo.Record, h map[string]string) {
	t.Helper()
	code := h["dlq_code"]
	if (l.Key == nil) != (source.Key == nil) || !bytes.Equal(l.Key, source.Key) || l.Partition != source.Partition {
		t.Errorf("%s: key and partition are %q in %d, want %q in %d", code, l.Key, l.Partition, source.Key, source.Partition)
	}
	if want := stageOf(code, string(source.Key)); h["dlq_stage"] != want {
		t.Errorf("%s: dlq_stage is %q, want %q", code, h["dlq_stage"], want)
	}
	withheld := code == "card_number" || code == "erased_customer"
	if withheld != (h["dlq_payload"] == "withheld") || withheld && l.Value != nil {
		t.Errorf("%s: dlq_payload is %q with %d bytes, want it withheld: %v", code, h["dlq_payload"], len(l.Value), withheld)
	}
	if !withheld && ((l.Value == nil) != (source.Value == nil) || !bytes.Equal(l.Value, source.Value)) {
		t.Errorf("%s: value is not the original one", code)
	}
	for i, want := range source.Headers {
		if i >= len(l.Headers) || l.Headers[i].Key != want.Key || !bytes.Equal(l.Headers[i].Value, want.Value) {
			t.Errorf("%s: header %d is not the original one", code, i)
		}
	}
	if want := strconv.FormatInt(source.Timestamp.UnixMilli(), 10); h["dlq_timestamp"] != want || h["dlq_attempt"] != "1" || h["dlq_version"] != "test" || h["dlq_topic"] != topics.CustomerEvents {
		t.Errorf("%s: headers are %v", code, h)
	}
}

// stageOf says at which stage a code is given; a record can be too large for
// itself or for its row.
func stageOf(code, key string) string {
	switch code {
	case "card_number", "invalid_field", "time_in_future", "effective_out_of_range":
		return "validate"
	case "schedule_full", "beyond_horizon", "erased_customer", "apply_failed":
		return "apply"
	}
	if key == "fat" {
		return "apply"
	}
	return "decode"
}

func headers(r *kgo.Record) map[string]string {
	m := map[string]string{}
	for _, h := range r.Headers {
		m[h.Key] = string(h.Value)
	}
	return m
}

// Records of random bytes, some of them nearly events, cost a dead letter each
// and nothing else.
func TestRandomBytesDoNotStopTheProcess(t *testing.T) {
	t.Parallel()
	p := start(t, config(t.TempDir()))
	const n = 100_000
	rng := rand.New(rand.NewPCG(1, 2))
	batch := make([]*kgo.Record, 0, n)
	for range n {
		batch = append(batch, noise(rng))
	}
	p.produce(true, batch...)
	p.produce(false, record("c-1", event("last", "renamed", "c-1", past, `{"name":"Alive"}`)))
	p.caughtUp()
	if got := p.account("c-1", 1)["name"]; got != "Alive" {
		t.Errorf("name is %v, want Alive", got)
	}
	outcomes := p.metric("billstream_records_processed_total")
	if total := sum(outcomes); total != n+1 {
		t.Errorf("outcomes are %v, in all %v, want %d: one for each record", outcomes, total, n+1)
	}
	if got := float64(len(p.read(topics.DeadLetters))); got != outcomes["dead_letter"] {
		t.Errorf("dead letters are %v, want %v as counted", got, outcomes["dead_letter"])
	}
}

// noise returns a record of random bytes, or an event with some bytes changed.
func noise(rng *rand.Rand) *kgo.Record {
	random := func(most int) []byte {
		b := make([]byte, rng.IntN(most))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	r := &kgo.Record{Key: random(20), Value: random(200), Partition: rng.Int32N(partitions)}
	if rng.IntN(2) == 0 {
		id := fmt.Sprint("c", rng.IntN(1000))
		r.Key, r.Value = []byte(id), []byte(event("e", "renamed", id, past, `{"name":"x"}`))
		for range rng.IntN(4) {
			r.Value[rng.IntN(len(r.Value))] = byte(rng.Uint32())
		}
		r.Partition = topics.Partition(r.Key, partitions)
	}
	if rng.IntN(4) == 0 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "ce_specversion", Value: random(4)}, kgo.RecordHeader{Key: string(random(8)), Value: random(8)})
	}
	return r
}

func sum(m map[string]float64) (total float64) {
	for _, v := range m {
		total += v
	}
	return total
}
