package verify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sort"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/codecs"
	"billstream/internal/topics"
)

// kafka is the Log of real brokers.
type kafka struct {
	cfg    *Config
	client *kgo.Client // for everything but reading
	input  [16]byte    // id of the input topic, once it was described
	total  int64       // records to read, as far as known
	done   int64
}

func dial(cfg *Config) (*kafka, error) {
	c, err := kgo.NewClient(cfg.options(kgo.RetryTimeout(cfg.ReadTimeout))...)
	if err != nil {
		return nil, err
	}
	return &kafka{cfg: cfg, client: c}, nil
}

// options are what every client has, and more.
func (c *Config) options(more ...kgo.Opt) []kgo.Opt {
	opts := append([]kgo.Opt{kgo.SeedBrokers(c.Brokers...), kgo.ClientID("billstream-verify")}, c.Auth.KgoOpts()...)
	return append(opts, more...)
}

func (k *kafka) close() { k.client.Close() }

// Topic describes a topic.
func (k *kafka) Topic(ctx context.Context, name string) (Topic, error) {
	ctx, cancel := context.WithTimeout(ctx, k.cfg.ReadTimeout)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	asked := kmsg.NewMetadataRequestTopic()
	asked.Topic = &name
	req.Topics = append(req.Topics, asked)
	resp, err := req.RequestWith(ctx, k.client)
	if err != nil {
		return Topic{}, err
	}
	if len(resp.Topics) != 1 {
		return Topic{}, fmt.Errorf("topics in the answer are %d, want 1", len(resp.Topics))
	}
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
		return Topic{}, err
	}
	limit, err := k.maxMessage(ctx, name)
	t := Topic{ID: resp.Topics[0].TopicID, Partitions: int32(len(resp.Topics[0].Partitions)), MaxMessage: limit}
	if name == topics.CustomerEvents {
		k.input = t.ID
	}
	return t, err
}

func (k *kafka) maxMessage(ctx context.Context, name string) (int, error) {
	const setting = "max.message.bytes"
	req := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType = kmsg.ConfigResourceTypeTopic
	r.ResourceName = name
	r.ConfigNames = []string{setting}
	req.Resources = append(req.Resources, r)
	resp, err := req.RequestWith(ctx, k.client)
	if err != nil {
		return 0, err
	}
	for _, r := range resp.Resources {
		err := kerr.ErrorForCode(r.ErrorCode)
		if errors.Is(err, kerr.TopicAuthorizationFailed) {
			return 0, nil // not known: whoever judges needs the right to read, and no other
		}
		if err != nil {
			return 0, err
		}
		for _, c := range r.Configs {
			if c.Name == setting && c.Value != nil {
				return strconv.Atoi(*c.Value)
			}
		}
	}
	return 0, nil
}

// Committed returns the group's stable offsets.
func (k *kafka) Committed(ctx context.Context) (map[int32]int64, error) {
	deadline := time.Now().Add(k.cfg.StableWait)
	for {
		offsets, err := k.offsets(ctx)
		switch {
		case !errors.Is(err, kerr.UnstableOffsetCommit):
			return offsets, err
		case time.Now().After(deadline):
			return nil, fmt.Errorf("%w: offsets of group %s are not stable after %s", ErrHanging, topics.Group, k.cfg.StableWait)
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

func (k *kafka) offsets(ctx context.Context) (map[int32]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, k.cfg.ReadTimeout)
	defer cancel()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = topics.Group
	req.RequireStable = true
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = topics.Group
	req.Groups = append(req.Groups, g)
	resp, err := req.RequestWith(ctx, k.client)
	if err != nil {
		return nil, err
	}
	if len(resp.Groups) != 1 {
		return nil, fmt.Errorf("groups in the answer are %d, want 1", len(resp.Groups))
	}
	err = kerr.ErrorForCode(resp.Groups[0].ErrorCode)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, err
	}
	offsets := map[int32]int64{}
	for _, t := range resp.Groups[0].Topics {
		ours := t.Topic == topics.CustomerEvents || t.Topic == "" && t.TopicID == k.input // by id from version 10 on
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, err
			}
			if ours && p.Offset >= 0 {
				offsets[p.Partition] = p.Offset
			}
		}
	}
	return offsets, nil
}

// pollEvery is how often something is asked for again that is not there yet.
const pollEvery = 50 * time.Millisecond

func pause(ctx context.Context) error {
	t := time.NewTimer(pollEvery)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// The timestamps that ask for the ends of a log, and the isolation levels.
const (
	earliest = -2
	latest   = -1

	uncommitted = 0
	committed   = 1
)

// Bounds waits until the last stable offsets have reached the high watermarks
// that it found at first.
func (k *kafka) Bounds(ctx context.Context, topic string) ([]Bounds, error) {
	starts, err := k.list(ctx, topic, earliest, uncommitted)
	if err != nil {
		return nil, err
	}
	ends, err := k.list(ctx, topic, latest, uncommitted)
	if err != nil {
		return nil, err
	}
	if len(starts) != len(ends) {
		return nil, fmt.Errorf("partitions of %s are %d, want %d", topic, len(ends), len(starts))
	}
	if err := k.stable(ctx, topic, ends); err != nil {
		return nil, err
	}
	all := make([]Bounds, len(ends))
	for p := range all {
		all[p] = Bounds{starts[p], ends[p]}
		k.total += ends[p] - starts[p]
	}
	return all, nil
}

func (k *kafka) stable(ctx context.Context, topic string, ends []int64) error {
	deadline := time.Now().Add(k.cfg.StableWait)
	for {
		stable, err := k.list(ctx, topic, latest, committed)
		if err != nil {
			return err
		}
		behind := -1
		for p := range ends {
			if p >= len(stable) || stable[p] < ends[p] {
				behind = p
			}
		}
		switch {
		case behind < 0:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("%w: last stable offset of %s is %d after %s, want %d", ErrHanging, place(topic, int32(behind)), stable[behind], k.cfg.StableWait, ends[behind])
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// list returns one offset of each partition.
func (k *kafka) list(ctx context.Context, topic string, at int64, isolation int8) ([]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, k.cfg.ReadTimeout)
	defer cancel()
	d, err := k.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	req.IsolationLevel = isolation
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for p := range d {
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = int32(p), at
		t.Partitions = append(t.Partitions, rp)
	}
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, k.client)
	if err != nil {
		return nil, err
	}
	offsets := make([]int64, d)
	found := 0
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, err
			}
			if p.Partition >= 0 && int(p.Partition) < d {
				offsets[p.Partition] = p.Offset
				found++
			}
		}
	}
	if found != d {
		return nil, fmt.Errorf("partitions in the answer are %d, want %d", found, d)
	}
	return offsets, nil
}

func (k *kafka) partitions(ctx context.Context, topic string) (int, error) {
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, k.client)
	if err != nil {
		return 0, err
	}
	if len(resp.Topics) != 1 {
		return 0, fmt.Errorf("topics in the answer are %d, want 1", len(resp.Topics))
	}
	return len(resp.Topics[0].Partitions), kerr.ErrorForCode(resp.Topics[0].ErrorCode)
}

// Read reads twice what transactions can take back: everything, for the
// markers, and then what is shown as committed.
func (k *kafka) Read(ctx context.Context, topic string, partition int32, b Bounds) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		taken, err := k.aborted(ctx, topic, partition, b)
		if err != nil {
			yield(nil, err)
			return
		}
		for r, err := range k.walk(ctx, topic, partition, b, kgo.ReadCommitted()) {
			switch {
			case err != nil:
				yield(nil, err)
				return
			case r.Attrs.IsControl():
				continue
			}
			k.done++
			if k.cfg.Progress != nil && k.done%4096 == 0 {
				k.cfg.Progress(k.done, k.total)
			}
			if !yield(recordOf(r, taken.has(r.Offset)), nil) {
				return
			}
		}
	}
}

func recordOf(r *kgo.Record, aborted bool) *Record {
	rec := &Record{Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value, Aborted: aborted}
	if len(r.Headers) > 0 {
		rec.Headers = make([]codecs.Header, len(r.Headers))
		for i, h := range r.Headers {
			rec.Headers[i] = codecs.Header{Key: h.Key, Value: h.Value}
		}
	}
	return rec
}

// walk yields the records of a partition, the markers of transactions too. It
// has read everything only when it has come to the end: an empty answer proves
// nothing.
func (k *kafka) walk(ctx context.Context, topic string, partition int32, b Bounds, level kgo.IsolationLevel) iter.Seq2[*kgo.Record, error] {
	return func(yield func(*kgo.Record, error) bool) {
		if b.Start >= b.End {
			return
		}
		c, err := kgo.NewClient(k.cfg.options(
			kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(b.Start)}}),
			kgo.FetchIsolationLevel(level), kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
			kgo.FetchMaxBytes(16<<20), kgo.FetchMaxPartitionBytes(8<<20), kgo.FetchMaxWait(100*time.Millisecond),
		)...)
		if err != nil {
			yield(nil, err)
			return
		}
		defer c.Close()
		for next := b.Start; next < b.End; {
			poll, cancel := context.WithTimeout(ctx, k.cfg.ReadTimeout)
			fetches := c.PollFetches(poll)
			cancel()
			if err := fetches.Err(); err != nil {
				if ctx.Err() != nil {
					err = ctx.Err()
				}
				yield(nil, fmt.Errorf("%w: %s was read to %d, want %d: %w", ErrIncomplete, place(topic, partition), next, b.End, err))
				return
			}
			for it := fetches.RecordIter(); !it.Done(); {
				r := it.Next()
				if r.Offset >= b.End {
					return
				}
				next = r.Offset + 1
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// offsets is a set of offsets as intervals, from and to, in ascending order.
type offsets [][2]int64

func (o offsets) has(at int64) bool {
	i := sort.Search(len(o), func(i int) bool { return o[i][1] > at })
	return i < len(o) && o[i][0] <= at
}

// aborted returns the offsets that the markers of a partition take back, found
// without the brokers' list of aborted transactions.
func (k *kafka) aborted(ctx context.Context, topic string, partition int32, b Bounds) (offsets, error) {
	open := map[int64][]int64{}
	var taken []int64
	for r, err := range k.walk(ctx, topic, partition, b, kgo.ReadUncommitted()) {
		switch {
		case err != nil:
			return nil, err
		case !r.Attrs.IsTransactional():
		case !r.Attrs.IsControl():
			open[r.ProducerID] = append(open[r.ProducerID], r.Offset)
		case isAbort(r.Key):
			taken = append(taken, open[r.ProducerID]...)
			fallthrough
		default:
			delete(open, r.ProducerID)
		}
	}
	sort.Slice(taken, func(i, j int) bool { return taken[i] < taken[j] })
	var set offsets
	for _, at := range taken {
		if n := len(set); n > 0 && set[n-1][1] == at {
			set[n-1][1]++
			continue
		}
		set = append(set, [2]int64{at, at + 1})
	}
	return set, nil
}

// isAbort reads the key of a control record: a version and a type, 0 for abort,
// 1 for commit.
func isAbort(key []byte) bool { return len(key) >= 4 && key[2] == 0 && key[3] == 0 }
