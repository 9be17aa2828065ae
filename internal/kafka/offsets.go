package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/IBM/sarama"
)

// PartitionOffsets is where a partition begins and ends.
type PartitionOffsets struct {
	Partition int32
	Oldest    int64 // the first offset that is kept
	Stable    int64 // the last stable offset: where read-committed readers end
	Newest    int64 // the high watermark
}

// Offsets returns the offsets of every partition of a topic, by partition.
func (a *AdminClient) Offsets(ctx context.Context, topic string) ([]PartitionOffsets, error) {
	partitions, err := a.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	// In this order each number is at most the next one, although the log moves
	// between the questions.
	list := make([]PartitionOffsets, len(partitions))
	at := map[int32]*PartitionOffsets{}
	for i, p := range partitions {
		list[i].Partition = p
		at[p] = &list[i]
	}
	for _, q := range []struct {
		when  int64
		level sarama.IsolationLevel
		put   func(*PartitionOffsets, int64)
	}{
		{sarama.OffsetOldest, sarama.ReadUncommitted, func(o *PartitionOffsets, n int64) { o.Oldest = n }},
		{sarama.OffsetNewest, sarama.ReadCommitted, func(o *PartitionOffsets, n int64) { o.Stable = n }},
		{sarama.OffsetNewest, sarama.ReadUncommitted, func(o *PartitionOffsets, n int64) { o.Newest = n }},
	} {
		offsets, err := a.listOffsets(ctx, topic, partitions, q.when, q.level)
		if err != nil {
			return nil, err
		}
		for p, n := range offsets {
			q.put(at[p], n)
		}
	}
	return list, nil
}

// offset asks about one partition.
func (a *AdminClient) offset(ctx context.Context, topic string, partition int32, when int64, level sarama.IsolationLevel) (int64, error) {
	offsets, err := a.listOffsets(ctx, topic, []int32{partition}, when, level)
	return offsets[partition], err
}

// listOffsets asks the leaders; a leader that moved is looked up again. Unlike
// Client.GetOffset it is told the isolation level.
func (a *AdminClient) listOffsets(ctx context.Context, topic string, partitions []int32, when int64, level sarama.IsolationLevel) (map[int32]int64, error) {
	query := map[int32]int64{}
	for _, p := range partitions {
		query[p] = when
	}
	offsets, err := retry(ctx, a, topic, func() (map[int32]int64, error) {
		found, err := a.admin.ListOffsets(map[string]map[int32]int64{topic: query}, &sarama.ListOffsetsOptions{IsolationLevel: level})
		if err != nil {
			return nil, err
		}
		out := map[int32]int64{}
		for _, p := range partitions {
			r := found[topic][p]
			if r == nil {
				return nil, fmt.Errorf("partition %d: %w", p, sarama.ErrIncompleteResponse)
			}
			if r.Err != nil && !errors.Is(r.Err, sarama.ErrNoError) {
				return nil, fmt.Errorf("partition %d: %w", p, r.Err)
			}
			out[p] = r.Offset
		}
		return out, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list offsets of %s: %w", topic, err)
	}
	return offsets, nil
}

// partitions lists a topic's partitions in order.
func (a *AdminClient) partitions(ctx context.Context, topic string) ([]int32, error) {
	list, err := ask(ctx, func() ([]int32, error) { return a.client.Partitions(topic) })
	if err != nil {
		return nil, fmt.Errorf("list the partitions of %s: %w", topic, err)
	}
	list = slices.Clone(list) // sarama's is its cache
	slices.Sort(list)
	return list, nil
}

// retry repeats what a moved leader or a lost connection may have failed.
func retry[T any](ctx context.Context, a *AdminClient, topic string, question func() (T, error)) (T, error) {
	const attempts = 5
	for attempt := 1; ; attempt++ {
		answer, err := ask(ctx, question)
		if err == nil || attempt == attempts || !passing(err) {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return answer, context.Cause(ctx)
		case <-time.After(time.Duration(attempt) * 50 * time.Millisecond):
		}
		if err := tell(ctx, func() error { return a.client.RefreshMetadata(topic) }); err != nil {
			return answer, err
		}
	}
}

// passing reports whether an error may be gone at the next attempt.
func passing(err error) bool {
	for _, target := range []error{
		sarama.ErrNotLeaderForPartition, sarama.ErrLeaderNotAvailable, sarama.ErrUnknownTopicOrPartition,
		sarama.ErrFencedLeaderEpoch, sarama.ErrUnknownLeaderEpoch, sarama.ErrReplicaNotAvailable,
		sarama.ErrIncompleteResponse, sarama.ErrNotConnected, sarama.ErrBrokerNotAvailable,
		sarama.ErrRequestTimedOut, sarama.ErrOffsetNotAvailable,
		sarama.ErrOutOfBrokers, sarama.ErrShuttingDown, ErrClosed,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	_, network := errors.AsType[net.Error](err)
	return network && !errors.Is(err, context.DeadlineExceeded)
}

// Committed returns the offsets that a group has committed for a topic, without
// the partitions for which it has none. An unknown group has committed nothing:
// some brokers answer with an error there.
func (a *AdminClient) Committed(ctx context.Context, group, topic string) (map[int32]int64, error) {
	partitions, err := a.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	resp, err := ask(ctx, func() (*sarama.OffsetFetchResponse, error) {
		return a.admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: partitions})
	})
	if errors.Is(err, sarama.ErrGroupIDNotFound) {
		return map[int32]int64{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the offsets of group %s: %w", group, err)
	}
	committed := map[int32]int64{}
	for _, p := range partitions {
		block := resp.GetBlock(topic, p)
		switch {
		case block == nil:
		case errors.Is(block.Err, sarama.ErrGroupIDNotFound):
		case !errors.Is(block.Err, sarama.ErrNoError):
			return nil, fmt.Errorf("read the offsets of group %s: partition %d: %w", group, p, block.Err)
		case block.Offset >= 0:
			committed[p] = block.Offset
		}
	}
	return committed, nil
}
