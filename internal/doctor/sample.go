package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/topics"
)

// sample is what the newest offsets of a topic hold, in the order of partition
// and offset: records, and the markers that brokers write at the end of a
// transaction. Compaction leaves fewer than there are offsets.
type sample struct {
	records    []*kgo.Record
	markers    []*kgo.Record
	partitions int32
}

// quiet is how long a fetch may bring nothing before the rest counts as
// compacted away.
const quiet = time.Second

// newest reads the newest offsets of each partition, committed or not.
func (e *exam) newest(ctx context.Context, name string) (sample, error) {
	t, err := e.topic(name)
	if err != nil {
		return sample{}, err
	}
	from, ends := map[int32]kgo.Offset{}, map[int32]int64{}
	begin, err := e.admin.ListStartOffsets(ctx, name)
	if err != nil {
		return sample{}, err
	}
	end, err := e.admin.ListEndOffsets(ctx, name)
	if err != nil {
		return sample{}, err
	}
	for p, o := range end[name] {
		first := begin[name][p]
		if err := errors.Join(o.Err, first.Err); err != nil {
			return sample{}, fmt.Errorf("ask for the end of %s/%d: %w", name, p, err)
		}
		if o.Offset > first.Offset {
			from[p] = kgo.NewOffset().At(max(first.Offset, o.Offset-int64(e.cfg.Sample)))
			ends[p] = o.Offset
		}
	}
	s := sample{partitions: int32(len(t.Partitions))}
	err = e.read(ctx, name, from, func(r *kgo.Record) bool {
		switch {
		case r.Offset >= ends[r.Partition]:
		case r.Attrs.IsControl():
			s.markers = append(s.markers, r)
		default:
			s.records = append(s.records, r)
		}
		if r.Offset >= ends[r.Partition]-1 {
			delete(ends, r.Partition)
		}
		return len(ends) > 0
	})
	slices.SortFunc(s.records, func(a, b *kgo.Record) int {
		if a.Partition != b.Partition {
			return int(a.Partition - b.Partition)
		}
		return int(a.Offset - b.Offset)
	})
	return s, err
}

// read reads a topic until more says no, or until nothing comes for a while.
func (e *exam) read(ctx context.Context, name string, from map[int32]kgo.Offset, more func(*kgo.Record) bool) error {
	if len(from) == 0 {
		return nil
	}
	reader, err := kgo.NewClient(options(e.cfg,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: from}),
		kgo.KeepControlRecords(), kgo.FetchMaxWait(250*time.Millisecond),
		kgo.FetchMaxBytes(8<<20), kgo.FetchMaxPartitionBytes(1<<20))...)
	if err != nil {
		return err
	}
	defer reader.Close()
	for first := true; ; first = false {
		patience := quiet
		if first {
			patience = askTime // connections are made first
		}
		bounded, cancel := context.WithTimeout(ctx, patience)
		fetches := reader.PollFetches(bounded)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, f := range fetches.Errors() {
			if !errors.Is(f.Err, context.DeadlineExceeded) {
				return f.Err
			}
		}
		going := !fetches.Empty()
		fetches.EachRecord(func(r *kgo.Record) { going = more(r) && going })
		if !going {
			return nil
		}
	}
}

// partitioner looks whether keys are where our hash looks for them.
func partitioner(_ context.Context, e *exam, f *findings) {
	read := 0
	for _, name := range []string{topics.CustomerEvents, topics.BillingTable} {
		s, err := e.samples[name]()
		if err != nil {
			f.unknown("partitioner of topic "+name, err)
			continue
		}
		read += len(s.records)
		placement(f, name, s)
	}
	if read == 0 && f.none() {
		f.unknown("partitioner", errors.New("there are no records yet"))
	}
	f.okay("newest records are where their keys belong, all %d", read)
}

// placement says of how many records the partition is not that of their key.
// Which key it is, nobody is told.
func placement(f *findings, name string, s sample) {
	var misplaced, keyless []*kgo.Record
	for _, r := range s.records {
		switch {
		case r.Key == nil:
			keyless = append(keyless, r)
		case topics.Partition(r.Key, s.partitions) != r.Partition:
			misplaced = append(misplaced, r)
		}
	}
	if len(misplaced) > 0 {
		r := misplaced[0]
		f.add(Problem, "producers must use the partitioner of Kafka's Java client, murmur2 of the key: with librdkafka partitioner=murmur2_random",
			"records of %s in another partition than that of their key are %d of the newest %d, first %s/%d@%d, whose key belongs to %d, want none",
			name, len(misplaced), len(s.records), name, r.Partition, r.Offset, topics.Partition(r.Key, s.partitions))
	}
	if len(keyless) > 0 {
		r := keyless[0]
		f.add(Warning, "the key must be the customer's id: without it nobody can tell whose event it is",
			"records of %s without a key are %d of the newest %d, first %s/%d@%d, want none",
			name, len(keyless), len(s.records), name, r.Partition, r.Offset)
	}
}

// Clocks that are this far apart are all right.
const clockSlack = 5 * time.Second

// clock compares our clock with times that others wrote. Nobody tells the time
// when asked; a time in the future shows that one of two clocks is wrong.
func clock(_ context.Context, e *exam, f *findings) {
	now := time.Now()
	var newest, marker time.Time
	for _, name := range []string{topics.CustomerEvents, topics.BillingTable} {
		s, err := e.samples[name]()
		if err != nil {
			f.unknown("times of topic "+name, err)
			continue
		}
		for _, r := range s.markers {
			marker = latest(marker, r.Timestamp)
		}
		for _, r := range s.records {
			newest = latest(newest, r.Timestamp)
		}
		future(f, name, now, s)
	}
	// Markers have the time of the broker that wrote them, whatever a producer says.
	if ahead := marker.Sub(now); !marker.IsZero() && ahead > clockSlack {
		f.add(Problem, "set this machine's clock", "our clock is %s behind a broker's, want at most %s",
			ahead.Round(time.Second), clockSlack)
	}
	switch {
	case !f.none():
	case newest.IsZero() && marker.IsZero():
		f.unknown("clock", errors.New("there are no records to compare it with"))
	default:
		f.okay("newest record is %s old; a clock that is fast here, or slow elsewhere, cannot be seen",
			max(now.Sub(latest(newest, marker)), 0).Round(time.Second))
	}
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// refusedAfter is how far ahead a record may be where the topics are as wanted.
const refusedAfter = time.Hour

// future reports the record that is the furthest ahead of our clock.
func future(f *findings, name string, now time.Time, s sample) {
	var worst *kgo.Record
	for _, r := range s.records {
		if worst == nil || r.Timestamp.After(worst.Timestamp) {
			worst = r
		}
	}
	if worst == nil {
		return
	}
	ahead, status := worst.Timestamp.Sub(now), Warning
	if ahead <= clockSlack {
		return
	}
	if ahead > refusedAfter {
		status = Problem
	}
	f.add(status, "compare the clocks of this machine and of the producers",
		"record %s/%d@%d is %s ahead of our clock, want at most %s", name, worst.Partition, worst.Offset, ahead.Round(time.Second), clockSlack)
}
