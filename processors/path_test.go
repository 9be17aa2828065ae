package processors_test

import (
	"bufio"
	"log/slog"
	"testing"
	"time"

	"github.com/lovoo/goka"
	"github.com/prometheus/client_golang/prometheus"

	"billstream/cmd/billstream/corpus"
	"billstream/codecs"
	"billstream/internal/topics"
	"billstream/processors"
)

// staged is the least that a group can be for its callback: one record at a
// time, rows as bytes in memory, outputs counted and dropped. What the callback
// costs on it, it costs itself.
type staged struct {
	inner   // never called
	rows    map[string][]byte
	record  codecs.Record
	key     string
	offset  int64
	outcome made
}

// made is what the callback did with a record.
type made struct{ rows, updates, letters int }

func (s *staged) Topic() goka.Stream  { return topics.CustomerEvents }
func (s *staged) Key() string         { return s.key }
func (s *staged) Partition() int32    { return 0 }
func (s *staged) Offset() int64       { return s.offset }
func (s *staged) RecordKey() []byte   { return s.record.Key }
func (s *staged) RecordValue() []byte { return s.record.Value }

func (s *staged) Timestamp() time.Time { return time.UnixMilli(s.record.Timestamp) }

func (s *staged) RecordHeaders(yield func(key, value []byte) bool) {
	for i := range s.record.Headers {
		if !yield(headerNames[s.record.Headers[i].Key], s.record.Headers[i].Value) {
			return
		}
	}
}

// headerNames are the names of an event's headers as Kafka delivers them.
var headerNames = map[string][]byte{
	"ce_specversion": []byte("ce_specversion"), "ce_id": []byte("ce_id"), "ce_source": []byte("ce_source"),
	"ce_type": []byte("ce_type"), "ce_subject": []byte("ce_subject"), "ce_time": []byte("ce_time"),
	"ce_sequence": []byte("ce_sequence"), "ce_correlationid": []byte("ce_correlationid"),
	"content-type": []byte("content-type"),
}

func (s *staged) Value() any {
	b, ok := s.rows[s.key]
	if !ok {
		return nil
	}
	v, _ := codecs.AccountRow{}.Decode(b) // never fails
	return v
}

func (s *staged) SetValue(value any, _ ...goka.ContextOption) {
	s.outcome.rows++
	s.rows[s.key] = value.([]byte)
}

func (s *staged) Emit(topic goka.Stream, _ string, _ any, _ ...goka.ContextOption) {
	if topic == topics.BillingUpdates {
		s.outcome.updates++
	} else {
		s.outcome.letters++
	}
}

// take makes r the record in hand.
func (s *staged) take(r *codecs.Record, offset int64) {
	s.record, s.offset, s.outcome = *r, offset, made{}
	if s.key != string(r.Key) {
		s.key = string(r.Key) // goka makes it, not the callback
	}
}

// alone returns the group as the callback needs it.
func alone() *processors.Billing {
	return processors.NewBilling(processors.Config{
		Partitions: 1, Version: "test", Registerer: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
}

// structured returns the event in text as a record in binary mode.
func structured(tb testing.TB, text []byte) codecs.Record {
	tb.Helper()
	e, err := codecs.ParseStructured(text)
	if err != nil {
		tb.Fatal(err)
	}
	r := e.Record(0)
	r.Timestamp = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	return r
}

// BenchmarkProcess is the callback over the bundled history, about five events
// per customer: from the bytes of event and row to those of row and update, what
// is to be counted included; without Kafka, goka and the store.
func BenchmarkProcess(b *testing.B) {
	in, err := corpus.Open()
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	var records []codecs.Record
	for lines := bufio.NewScanner(in); lines.Scan(); {
		records = append(records, structured(b, lines.Bytes()))
	}
	group, s := alone(), &staged{rows: make(map[string][]byte)}
	b.ReportAllocs()
	i, updates := 0, 0
	for b.Loop() {
		if i == len(records) {
			clear(s.rows)
			i = 0
		}
		s.take(&records[i], int64(i))
		group.Process(s)
		updates += s.outcome.updates
		if i++; i%512 == 0 || i == len(records) {
			group.Committed(0, int64(i))
		}
	}
	b.ReportMetric(float64(updates)/float64(b.N), "updates/op")
}
