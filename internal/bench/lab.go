package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/kafka"
	"billstream/internal/topics"
)

// lab is the driver's own hands on the broker.
type lab struct {
	brokers    []string
	partitions int32
	admin      *kafka.AdminClient
	client     *kgo.Client // produces; asks
}

// openLab connects. Close ends it.
func openLab(ctx context.Context, brokers []string, partitions int32) (*lab, error) {
	admin, err := kafka.OpenAdmin(ctx, kafka.Config{Brokers: brokers, ClientID: "bench"}, 10*time.Second)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ClientID("bench-driver"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		return nil, errors.Join(err, admin.Close())
	}
	return &lab{brokers: brokers, partitions: partitions, admin: admin, client: client}, nil
}

// Close disconnects.
func (l *lab) Close() error {
	l.client.Close()
	return l.admin.Close()
}

// replication of the topics: the guarantees are not under test here.
const replication = 1

// makeTopics makes new topics; compact ones are changelogs.
func (l *lab) makeTopics(ctx context.Context, compact string, names ...string) error {
	for _, name := range names {
		t := topics.Topic{Name: name, Partitions: l.partitions, Replication: replication}
		if name == compact {
			t.Config = map[string]string{"cleanup.policy": "compact"}
		}
		if err := l.admin.Create(ctx, t); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := l.await(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// topicWait is how long a new topic may take until all its partitions answer.
const topicWait = 20 * time.Second

// await returns when every partition of a topic has a leader that answers:
// goka as it comes ends when it meets one that does not.
func (l *lab) await(ctx context.Context, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, topicWait)
	defer cancel()
	for {
		_, err := l.ends(ctx, topic)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// dropTopics deletes what a run made; what is not there is no error.
func (l *lab) dropTopics(ctx context.Context, names ...string) error {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = 10_000
	for _, name := range names {
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic = &name
		req.Topics = append(req.Topics, t)
		req.TopicNames = append(req.TopicNames, name)
	}
	resp, err := req.RequestWith(ctx, l.client)
	if err != nil {
		return fmt.Errorf("delete topics: %w", err)
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("delete a topic: %w", err)
		}
	}
	return nil
}

// ends returns the offset behind the last committed record of each partition.
func (l *lab) ends(ctx context.Context, topic string) (map[int32]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	req.IsolationLevel = 1 // read committed
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for p := range l.partitions {
		partition := kmsg.NewListOffsetsRequestTopicPartition()
		partition.Partition, partition.Timestamp = p, -1
		t.Partitions = append(t.Partitions, partition)
	}
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, l.client)
	if err != nil {
		return nil, fmt.Errorf("ask for the ends of %s: %w", topic, err)
	}
	ends := map[int32]int64{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("ask for the end of %s/%d: %w", topic, p.Partition, err)
			}
			ends[p.Partition] = p.Offset
		}
	}
	if len(ends) != int(l.partitions) {
		return nil, fmt.Errorf("ends of %s are %d, want %d", topic, len(ends), l.partitions)
	}
	return ends, nil
}

// reader reads all partitions of a topic, committed records only, from the
// given offsets or from the beginning. The caller closes it.
func (l *lab) reader(topic string, begin map[int32]int64, more ...kgo.Opt) (*kgo.Client, error) {
	from := map[int32]kgo.Offset{}
	for p := range l.partitions {
		from[p] = kgo.NewOffset().At(begin[p])
	}
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(l.brokers...), kgo.ClientID("bench-reader"),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchMaxWait(100 * time.Millisecond),
	}, more...)...)
}

// readAll calls see for every committed record that is there now.
func (l *lab) readAll(ctx context.Context, topic string, see func(*kgo.Record) error) error {
	left, err := l.ends(ctx, topic)
	if err != nil {
		return err
	}
	maps.DeleteFunc(left, func(_ int32, end int64) bool { return end == 0 })
	r, err := l.reader(topic, nil, kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer r.Close()
	for len(left) > 0 {
		fetches := r.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return fmt.Errorf("read %s up to %v: %w", topic, left, err)
		}
		var failed error
		fetches.EachError(func(_ string, p int32, err error) {
			failed = fmt.Errorf("read %s/%d: %w", topic, p, err)
		})
		fetches.EachRecord(func(rec *kgo.Record) {
			if failed == nil && !rec.Attrs.IsControl() {
				failed = see(rec)
			}
			if end, ok := left[rec.Partition]; ok && rec.Offset+1 >= end {
				delete(left, rec.Partition)
			}
		})
		if failed != nil {
			return failed
		}
	}
	return nil
}

// send hands one event over; its failure is found by flush.
func (l *lab) send(ctx context.Context, topic, key string, e *event, failed func(error)) {
	k := []byte(key)
	l.client.Produce(ctx, &kgo.Record{
		Topic: topic, Partition: topics.Partition(k, l.partitions), Key: k, Value: e.append(nil),
	}, func(_ *kgo.Record, err error) {
		if err != nil {
			failed(err)
		}
	})
}

// fill writes the events of a script and returns what must come out.
func (l *lab) fill(ctx context.Context, topic string, seed uint64, events, customers int) (*expected, error) {
	s := newScript(seed, customers)
	want := newExpected()
	var failed firstError
	for n := range events {
		customer, e := s.next(eventTime(n))
		key := customerKey(customer)
		want.add(key, &e)
		l.send(ctx, topic, key, &e, failed.set)
	}
	if err := l.client.Flush(ctx); err != nil {
		return nil, fmt.Errorf("write the events: %w", err)
	}
	if err := failed.get(); err != nil {
		return nil, fmt.Errorf("write the events: %w", err)
	}
	want.finish()
	return want, nil
}

// eventTime is when the n-th event of a throughput run says it was sent: every
// run must have the same bytes.
func eventTime(n int) int64 {
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return first.Add(time.Duration(n) * time.Millisecond).UnixNano()
}

// dropGroup deletes a group that has ended. Nothing depends on it.
func (l *lab) dropGroup(ctx context.Context, group string) {
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = slices.Concat(req.Groups, []string{group})
	_, _ = req.RequestWith(ctx, l.client)
}
