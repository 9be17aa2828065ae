package verify_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"
	"time"

	"billstream/cmd/billstream/corpus"
	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/internal/topics"
	"billstream/internal/verify"
)

const partitions = 3

// logged is a record in a log of the test.
type logged struct {
	verify.Record
	aborted bool // its transaction was
	shown   bool // although it was aborted
}

// logs is a Log in memory: a good history until a test changes it.
type logs struct {
	parts     map[string][][]logged
	committed map[int32]int64
	rows      map[customer.ID]*billing.Row
	outcomes  map[string]int // by counter and label
	erased    customer.ID
}

var _ verify.Log = (*logs)(nil)

var names = []string{topics.CustomerEvents, topics.BillingUpdates, topics.DeadLetters, topics.BillingTable}

func idOf(name string) [16]byte {
	var id [16]byte
	copy(id[:], name)
	return id
}

func (l *logs) Topic(_ context.Context, name string) (verify.Topic, error) {
	return verify.Topic{ID: idOf(name), Partitions: partitions}, nil
}

func (l *logs) Committed(context.Context) (map[int32]int64, error) {
	return maps.Clone(l.committed), nil
}

func (l *logs) Bounds(_ context.Context, topic string) ([]verify.Bounds, error) {
	b := make([]verify.Bounds, partitions)
	for p := range b {
		if part := l.parts[topic][p]; len(part) > 0 {
			b[p] = verify.Bounds{Start: 0, End: part[len(part)-1].Offset + 1}
		}
	}
	return b, nil
}

func (l *logs) Read(_ context.Context, topic string, partition int32, b verify.Bounds) iter.Seq2[*verify.Record, error] {
	return func(yield func(*verify.Record, error) bool) {
		for i := range l.parts[topic][partition] {
			r := &l.parts[topic][partition][i]
			if r.aborted && !r.shown {
				continue
			}
			rec := r.Record
			rec.Aborted = r.aborted
			if !yield(&rec, nil) {
				return
			}
		}
	}
}

// clone is the same history, for a test to change.
func (l *logs) clone() *logs {
	c := *l
	c.parts, c.committed, c.outcomes = map[string][][]logged{}, maps.Clone(l.committed), maps.Clone(l.outcomes)
	for name, parts := range l.parts {
		for _, part := range parts {
			c.parts[name] = append(c.parts[name], slices.Clone(part))
		}
	}
	return &c
}

// add appends a record; transactions leave gaps, as their markers do.
func (l *logs) add(topic string, p int32, r verify.Record, gap int64, aborted bool) {
	if l.parts[topic] == nil {
		l.parts[topic] = make([][]logged, partitions)
	}
	part := l.parts[topic][p]
	if n := len(part); n > 0 {
		r.Offset = part[n-1].Offset + 1 + gap
	}
	l.parts[topic][p] = append(part, logged{Record: r, aborted: aborted})
}

// history makes a good history of n events of the corpus and some of every kind
// of trouble.
func history(t testing.TB, n int) *logs {
	t.Helper()
	l := &logs{parts: map[string][][]logged{}, committed: map[int32]int64{}, rows: map[customer.ID]*billing.Row{}, outcomes: map[string]int{}}
	for _, name := range names {
		l.parts[name] = make([][]logged, partitions)
	}
	for _, r := range input(t, n) {
		p := topics.Partition(r.Key, partitions)
		if string(r.Key) == "astray" {
			p = (p + 1) % partitions
		}
		l.add(topics.CustomerEvents, p, r, 0, false)
	}
	for p := range int32(partitions) {
		l.process(t, p)
	}
	return l
}

// input is the head of the corpus, and behind each 50th event something else.
func input(t testing.TB, n int) []verify.Record {
	t.Helper()
	r, err := corpus.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	var all []verify.Record
	for len(all) < n && lines.Scan() {
		all = append(all, event(t, lines.Text()))
		if len(all)%50 != 0 {
			continue
		}
		last := all[len(all)-1]
		all = append(all, last) // a duplicate
		for i := range 3 {
			all = append(all, eventOf(t, "customer.renamed.v1", string(last.Key), fmt.Sprintf(`{"name":"N %d %d"}`, len(all), i)))
		}
		all = append(all, verify.Record{Timestamp: last.Timestamp, Key: last.Key, Value: []byte("nonsense")})
		all = append(all, verify.Record{Timestamp: last.Timestamp, Key: []byte("astray"), Value: last.Value, Headers: last.Headers})
		all = append(all, verify.Record{Timestamp: last.Timestamp})
		if len(all) > n/2 && len(all) < n/2+60 {
			all = append(all, eventOf(t, "customer.erased.v1", "gone", "{}"), eventOf(t, "customer.renamed.v1", "gone", `{"name":"Back"}`))
		} else if len(all) < n/2 {
			all = append(all, eventOf(t, "customer.renamed.v1", "gone", fmt.Sprintf(`{"name":"N %d"}`, len(all))))
		}
		all = append(all, eventOf(t, "customer.oops.v1", "odd", "{}"))
	}
	return all
}

func eventOf(t testing.TB, kind, id, data string) verify.Record {
	t.Helper()
	return event(t, fmt.Sprintf(`{"specversion":"1.0","id":"e-%x","source":"/t","type":%q,"subject":%q,"time":"2020-01-01T00:00:00Z","data":%s}`, data, kind, id, data))
}

func event(t testing.TB, line string) verify.Record {
	t.Helper()
	e, err := codecs.ParseStructured([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, e.Time)
	if err != nil {
		t.Fatal(err)
	}
	rec := e.Record(at.UnixMilli())
	return verify.Record{Timestamp: at.UnixMilli(), Key: rec.Key, Value: rec.Value, Headers: rec.Headers}
}

// process does what the processor does with one partition: epochs of a few
// records, each third one aborted at first.
func (l *logs) process(t testing.TB, p int32) {
	t.Helper()
	in := l.parts[topics.CustomerEvents][p]
	for n := 0; len(in) > 0; n++ {
		size := min(len(in), 5+n%7)
		if n%3 == 2 {
			l.epoch(t, p, in[:size], true)
		}
		l.epoch(t, p, in[:size], false)
		in = in[size:]
	}
}

func (l *logs) epoch(t testing.TB, p int32, in []logged, aborted bool) {
	t.Helper()
	rows := maps.Clone(l.rows)
	touched := map[customer.ID]bool{}
	gap := map[string]int64{topics.BillingUpdates: 1, topics.DeadLetters: 1, topics.BillingTable: 1}
	emit := func(topic string, r codecs.Record) {
		l.add(topic, p, verify.Record{Timestamp: 1, Key: r.Key, Value: r.Value, Headers: r.Headers}, gap[topic], aborted)
		gap[topic] = 0
	}
	for _, r := range in {
		res, code := decide(rows, p, &r.Record)
		outcome := res.Outcome.String()
		switch {
		case code == customer.UnknownType:
			outcome = "ignored"
		case code != "":
			outcome = "dead_letter"
			letter := codecs.DeadLetter{Code: code, Detail: "it is so", Topic: topics.CustomerEvents, Partition: p, Offset: r.Offset, Timestamp: r.Timestamp, Key: r.Key, Value: r.Value, Headers: r.Headers, Withheld: code == customer.ErasedCustomer}
			emit(topics.DeadLetters, letter.Record())
		}
		if res.Update != nil {
			emit(topics.BillingUpdates, codecs.UpdateRecord(res.Update, p, codecs.Protobuf, true))
		}
		if res.Row != nil {
			rows[customer.ID(r.Key)], touched[customer.ID(r.Key)] = res.Row, true
		}
		if aborted {
			continue
		}
		l.count(outcome, code, res.Update)
		if outcome == "dead_letter" && code == customer.ErasedCustomer {
			l.erased = customer.ID(r.Key)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(touched)) {
		value, err := codecs.AppendRow(nil, rows[id])
		if err != nil {
			t.Fatal(err)
		}
		emit(topics.BillingTable, codecs.Record{Key: []byte(id), Value: value})
	}
	last := in[len(in)-1]
	id := idOf(topics.CustomerEvents)
	position := codecs.PositionRow{NextOffset: last.Offset + 1, RecordedAt: customer.Instant(last.Timestamp * 1000), TopicID: []byte(base64.RawURLEncoding.EncodeToString(id[:]))}
	emit(topics.BillingTable, codecs.Record{Key: topics.PositionKey(p, partitions), Value: codecs.AppendPosition(nil, &position)})
	if !aborted {
		l.rows, l.committed[p] = rows, last.Offset+1
	}
}

func (l *logs) count(outcome string, code customer.Code, u *billing.Update) {
	l.outcomes[fmt.Sprintf("billstream_records_processed_total{group=%q,result=%q}", "billing", outcome)]++
	if outcome == "dead_letter" {
		l.outcomes[fmt.Sprintf("billstream_dead_letters_total{code=%q}", code)]++
	}
	if u != nil {
		l.outcomes[fmt.Sprintf("billstream_updates_emitted_total{class=%q}", u.Class)]++
	}
}

func decide(rows map[customer.ID]*billing.Row, p int32, r *verify.Record) (billing.Result, customer.Code) {
	id, err := customer.ParseID(r.Key)
	if err == nil && topics.Partition(r.Key, partitions) != p {
		return billing.Result{}, customer.WrongPartition
	}
	var e *customer.Event
	if err == nil {
		e, err = codecs.DecodeEvent(id, r.Value, r.Headers)
	}
	var res billing.Result
	if err == nil {
		res, err = billing.Apply(rows[id], e, billing.Position{Topic: topics.CustomerEvents, Partition: p, Offset: r.Offset}, customer.Instant(r.Timestamp*1000))
	}
	if refusal, ok := errors.AsType[*customer.Refusal](err); ok {
		return billing.Result{}, refusal.Code
	}
	return res, ""
}

// judge checks the history.
func (l *logs) judge(t testing.TB, cfg verify.Config) *verify.Report {
	t.Helper()
	r, err := verify.Check(t.Context(), cfg, l)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
