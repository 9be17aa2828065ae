//go:build apache

package kstreams_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/topics"
)

// partitions are so few that the start takes no time, and more than one.
const partitions = 4

// lab is the hands of a test on a broker.
type lab struct {
	t       *testing.T
	brokers []string
	client  *kgo.Client
}

func newLab(t *testing.T, brokers []string) *lab {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &lab{t: t, brokers: brokers, client: client}
}

// in is the same lab in the hands of a subtest.
func (l *lab) in(t *testing.T) *lab {
	return &lab{t: t, brokers: l.brokers, client: l.client}
}

// spec is that of a child with topics of its own, which are made.
func (l *lab) spec(way, group, changelog string) spec {
	l.t.Helper()
	s := spec{
		Way: way, Dir: l.t.TempDir(), Brokers: l.brokers, Group: group, Input: "events", Output: group + "-updates",
		Partitions: partitions, Interval: int64(100 * time.Millisecond),
	}
	l.topic(s.Output, nil)
	l.topic(changelog, map[string]*string{"cleanup.policy": new("compact")})
	return s
}

func (l *lab) topic(name string, config map[string]*string) {
	l.t.Helper()
	r, err := kadm.NewClient(l.client).CreateTopic(l.t.Context(), partitions, 1, config, name)
	if err != nil || r.Err != nil {
		l.t.Fatal(err, r.Err)
	}
}

// record is one with nothing that depends on when it was written.
type record struct{ key, value string }

func (l *lab) send(topic string, records []record) {
	l.t.Helper()
	var all []*kgo.Record
	for _, r := range records {
		k := []byte(r.key)
		all = append(all, &kgo.Record{Topic: topic, Partition: topics.Partition(k, partitions), Key: k, Value: []byte(r.value)})
	}
	if err := l.client.ProduceSync(l.t.Context(), all...).FirstErr(); err != nil {
		l.t.Fatal(err)
	}
}

// await reads committed records of a topic until there are n of them, or until
// the end if n is negative. It returns the values of each key, in their order.
func (l *lab) await(topic string, n int) map[string][]string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 2*time.Minute)
	defer cancel()
	if n < 0 {
		n = l.count(ctx, topic)
	}
	r, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...), kgo.ConsumeTopics(topic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		l.t.Fatal(err)
	}
	defer r.Close()
	values := map[string][]string{}
	for seen := 0; seen < n; {
		fetches := r.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			l.t.Fatalf("records of %s are %d, want %d: %v", topic, seen, n, err)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			if p := topics.Partition(rec.Key, partitions); p != rec.Partition {
				l.t.Fatalf("partition of %s/%d@%d is %d, want %d", topic, rec.Partition, rec.Offset, rec.Partition, p)
			}
			values[string(rec.Key)] = append(values[string(rec.Key)], string(rec.Value))
			seen++
		})
	}
	return values
}

// count counts the records of a topic up to its end, control records left out.
func (l *lab) count(ctx context.Context, topic string) int {
	l.t.Helper()
	ends, err := kadm.NewClient(l.client).ListCommittedOffsets(ctx, topic)
	if err != nil || ends.Error() != nil {
		l.t.Fatal(err, ends.Error())
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	r, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...), kgo.ConsumeTopics(topic), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		l.t.Fatal(err)
	}
	defer r.Close()
	n := 0
	for len(left) > 0 {
		fetches := r.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			l.t.Fatal(err)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			if !rec.Attrs.IsControl() {
				n++
			}
			if rec.Offset+1 >= left[rec.Partition] {
				delete(left, rec.Partition)
			}
		})
	}
	return n
}

// amount is where the amount of an event begins.
const amount = 9

// makeEvents makes n events of all kinds, and of one that nobody knows, with the
// same bytes for the same seed: texts are empty, long and beyond ASCII, and
// amounts reach as far as they can.
func makeEvents(seed uint64, n int) []record {
	r := rand.New(rand.NewPCG(seed, 1))
	texts := []string{"", "x", "Trondheim", "Åse Ødegård", "株式会社", "💶 paid", fmt.Sprintf("%0127d", 7), fmt.Sprintf("%0300d", 8)}
	amounts := []int64{0, 1, -1, 63, 64, -64, -65, 100, math.MaxInt64, math.MinInt64}
	all := make([]record, n)
	for i := range all {
		b := binary.BigEndian.AppendUint64(nil, r.Uint64())
		b = append(b, byte(r.IntN(6)))
		b = binary.AppendVarint(b, amounts[r.IntN(len(amounts))])
		for range 10 {
			s := texts[r.IntN(len(texts))]
			b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
		}
		all[i] = record{key: fmt.Sprintf("customer-%03d", r.IntN(500)), value: string(b)}
	}
	return all
}
