package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"billstream/codecs"
)

// event is a line of input: customer c renamed for the nth time.
func event(c string, n int) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":"evt-%d","source":"/crm","type":"customer.renamed.v1","subject":%q,"time":"2026-05-02T10:00:00Z","data":{"name":"Name %d"}}`, n, c, n)
}

// outbox is what a feed sent, and what a broker would say to it.
type outbox struct {
	records []codecs.Record
	fail    error // of every acknowledgement
}

func (o *outbox) send(_ context.Context, r codecs.Record, done func(string, error)) error {
	o.records = append(o.records, r)
	done(fmt.Sprintf("customer.events/%d@%d", len(o.records)%12, 100+len(o.records)), o.fail)
	return nil
}

// sent names what was sent: key and value.
func (o *outbox) sent() []string {
	var sent []string
	for _, r := range o.records {
		sent = append(sent, string(r.Key)+" "+string(r.Value))
	}
	return sent
}

// clock is when tests happen.
func clock() time.Time { return time.Date(2026, 11, 22, 14, 0, 0, 123_000_000, time.UTC) }

func newFeed(o *outbox, told *[]string) *feed {
	return &feed{send: o.send, now: clock, bad: func(line string) { *told = append(*told, line) }}
}

func readText(t *testing.T, f *feed, text string) error {
	t.Helper()
	return f.read(t.Context(), source{name: "events.jsonl", r: strings.NewReader(text), part: func() float64 { return -1 }})
}

func TestFeedSendsLinesInOrderWhateverTheirEnds(t *testing.T) {
	o, told := &outbox{}, []string{}
	f := newFeed(o, &told)
	text := "\xef\xbb\xbf" + event("a", 1) + "\r\n\n  \r\n" + event("b", 2) + "\n" + event("a", 3)
	if err := readText(t, f, text); err != nil {
		t.Fatal(err)
	}
	want := []string{`a {"name":"Name 1"}`, `b {"name":"Name 2"}`, `a {"name":"Name 3"}`}
	if got := o.sent(); !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
	if len(told) > 0 || f.skipped != 0 || f.sent != 3 {
		t.Errorf("told %q, skipped %d, sent %d, want none, 0, 3", told, f.skipped, f.sent)
	}
}

func TestFeedStopsAtABadLine(t *testing.T) {
	o, told := &outbox{}, []string{}
	f := newFeed(o, &told)
	err := readText(t, f, event("a", 1)+"\n"+badCountry+"\n"+event("a", 3)+"\n")
	if !errors.Is(err, errBadLine) {
		t.Fatalf("error is %v, want %v", err, errBadLine)
	}
	want := []string{"events.jsonl:2: invalid_field: /data/billing_address/country is a string of 13 characters, want two letters"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if got := o.sent(); !slices.Equal(got, []string{`a {"name":"Name 1"}`}) {
		t.Errorf("sent %q, want what is before the bad line", got)
	}
}

const badCountry = `{"specversion":"1.0","id":"evt-9","source":"/crm","type":"customer.registered.v1","subject":"a","time":"2026-05-02T10:00:00Z","data":{"name":"A","billing_address":{"country":"United States"}}}`

func TestFeedGoesOnAfterABadLineWhenAsked(t *testing.T) {
	o, told := &outbox{}, []string{}
	f := newFeed(o, &told)
	f.skip = true
	lines := []string{
		"{",
		event("a", 1),
		strings.Repeat(" ", maxLine) + event("a", 2),
		strings.Replace(event("a", 3), "2026-05-02", "2027-05-02", 1),
		strings.Replace(event("a", 4), "renamed", "sung", 1),
		event("a", 5),
	}
	if err := readText(t, f, strings.Join(lines, "\n")); err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, line := range told {
		parts := strings.SplitN(line, ": ", 3)
		codes = append(codes, parts[0]+" "+parts[1])
	}
	want := []string{
		"events.jsonl:1 not_cloudevent", "events.jsonl:3 too_large", "events.jsonl:4 time_in_future", "events.jsonl:5 unknown_type",
	}
	if !slices.Equal(codes, want) {
		t.Errorf("told %q, want %q", codes, want)
	}
	if got := o.sent(); !slices.Equal(got, []string{`a {"name":"Name 1"}`, `a {"name":"Name 5"}`}) {
		t.Errorf("sent %q, want the good lines", got)
	}
	if f.skipped != 4 || f.sent != 2 {
		t.Errorf("skipped %d, sent %d, want 4, 2", f.skipped, f.sent)
	}
}

func TestFeedTakesTheTimestampThatIsAskedFor(t *testing.T) {
	for eventTime, want := range map[bool]time.Time{
		false: clock(),
		true:  time.Date(2026, 5, 2, 10, 0, 0, 0, time.UTC),
	} {
		o, told := &outbox{}, []string{}
		f := newFeed(o, &told)
		f.eventTime = eventTime
		if err := readText(t, f, event("a", 1)); err != nil {
			t.Fatal(err)
		}
		if got := o.records[0].Timestamp; got != want.UnixMilli() {
			t.Errorf("timestamp is %d, want %d", got, want.UnixMilli())
		}
	}
}

func TestFeedThatOnlyChecksSendsNothing(t *testing.T) {
	var told []string
	f := newFeed(&outbox{}, &told)
	f.send, f.skip = nil, true
	if err := readText(t, f, event("a", 1)+"\n{\n"+event("a", 2)); err != nil {
		t.Fatal(err)
	}
	if f.checked != 2 || f.skipped != 1 || f.sent != 0 {
		t.Errorf("checked %d, skipped %d, sent %d, want 2, 1, 0", f.checked, f.skipped, f.sent)
	}
}

func TestFeedStopsWhenTheBrokerRefuses(t *testing.T) {
	o, told := &outbox{fail: errors.New("no broker")}, []string{}
	f := newFeed(o, &told)
	f.skip = true
	err := readText(t, f, event("a", 1)+"\n"+event("a", 2))
	if !errors.Is(err, o.fail) || len(o.records) != 1 {
		t.Errorf("error is %v after %d records, want %v after the first", err, len(o.records), o.fail)
	}
	if !errors.Is(f.wait(), o.fail) {
		t.Errorf("wait says %v, want %v", f.wait(), o.fail)
	}
}

func TestPositionsAreTheHighestOfEachPartition(t *testing.T) {
	var all total
	for _, p := range []string{"customer.events/10@5", "customer.events/2@9", "customer.events/2@7", "customer.events/10@6"} {
		all.acknowledged(p, nil)
	}
	want := []string{"customer.events/2@9", "customer.events/10@6"}
	if got := all.positions(); !slices.Equal(got, want) {
		t.Errorf("positions are %q, want %q", got, want)
	}
}

func TestFeedKeepsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, told := &outbox{}, []string{}
		f := newFeed(o, &told)
		start := time.Now()
		f.now = func() time.Time { return clock().Add(time.Since(start)) } // the bubble's clock starts in 2000
		f.rate = 10
		if err := readText(t, f, strings.Repeat(event("a", 1)+"\n", 21)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("21 events at 10 a second took %s, want 2s", took)
		}
	})
}

func TestFeedTellsHowFarItIs(t *testing.T) {
	o, told := &outbox{}, []string{}
	f := newFeed(o, &told)
	var seen []int64
	f.progress = func(events int64, part float64) { seen = append(seen, events) }
	if err := readText(t, f, event("a", 1)+"\n"+event("a", 2)+"\n"); err != nil {
		t.Fatal(err)
	}
	if want := []int64{1, 2, 2}; !slices.Equal(seen, want) {
		t.Errorf("progress is %v, want %v", seen, want)
	}
}

func TestInputIsUnpackedByWhatItHolds(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	io.WriteString(w, event("a", 1))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, input := range map[string]string{"plain": event("a", 1), "gzip": packed.String(), "empty": ""} {
		r, err := unpacked(strings.NewReader(input))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := io.ReadAll(r)
		want := event("a", 1)
		if name == "empty" {
			want = ""
		}
		if err != nil || string(got) != want {
			t.Errorf("%s: read %q (%v), want %q", name, got, err, want)
		}
	}
}
