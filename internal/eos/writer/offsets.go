package writer

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

	"billstream/internal/eos"
	"billstream/internal/failpoint"
)

// The pauses between two tries at a coordinator that is busy or moves.
const (
	firstRetry = 2 * time.Millisecond
	lastRetry  = 200 * time.Millisecond
)

// again calls try until it succeeds, fails for good, or ctx ends.
func again(ctx context.Context, try func() error) error {
	for pause := firstRetry; ; pause = min(2*pause, lastRetry) {
		err := try()
		if err == nil || !retriable(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// member is in whose name the offsets are committed. Without it, which is the
// control, the broker takes anybody's.
func member(m eos.Member) (id string, generation int32, instance *string) {
	if failpoint.Control("no-fence") {
		return "", -1, nil
	}
	if m.InstanceID != "" {
		instance = &m.InstanceID
	}
	return m.ID, m.Generation, instance
}

// byTopic orders the marks of an epoch as requests want them.
func byTopic(e *eos.Epoch) (topics []string, marks map[string][]eos.PositionMark) {
	marks = map[string][]eos.PositionMark{}
	for i := range e.Parts {
		for _, m := range e.Parts[i].Marks {
			marks[m.Topic] = append(marks[m.Topic], m)
		}
	}
	return slices.Sorted(maps.Keys(marks)), marks
}

// unknownEpoch stands where a leader epoch could: the offset counts alone.
const unknownEpoch = -1

// txnOffsets makes the offsets a part of the open transaction.
//
// Version 5, which the client is held to, adds the group to the transaction by
// itself (KIP-890); later ones name topics by id.
func txnOffsets(ctx context.Context, c *kgo.Client, transactionalID string, e *eos.Epoch) error {
	id, epoch, err := c.ProducerID(ctx)
	if err != nil {
		return fmt.Errorf("ask for the producer id: %w", err)
	}
	r := kmsg.NewPtrTxnOffsetCommitRequest()
	r.TransactionalID, r.Group, r.ProducerID, r.ProducerEpoch = transactionalID, e.Member.Group, id, epoch
	r.MemberID, r.Generation, r.InstanceID = member(e.Member)
	topics, marks := byTopic(e)
	for _, topic := range topics {
		t := kmsg.NewTxnOffsetCommitRequestTopic()
		t.Topic = topic
		for _, m := range marks[topic] {
			p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch = m.Partition, m.Next, unknownEpoch
			t.Partitions = append(t.Partitions, p)
		}
		r.Topics = append(r.Topics, t)
	}
	return again(ctx, func() error {
		resp, err := r.RequestWith(ctx, c)
		if err != nil {
			return err
		}
		found := 0
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				found++
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return fmt.Errorf("offset of %s/%d: %w", t.Topic, p.Partition, err)
				}
			}
		}
		return complete(found, marks)
	})
}

// plainOffsets commits the offsets outside of any transaction.
func plainOffsets(ctx context.Context, c *kgo.Client, e *eos.Epoch) error {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Group = e.Member.Group
	r.MemberID, r.Generation, r.InstanceID = member(e.Member)
	topics, marks := byTopic(e)
	for _, topic := range topics {
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic = topic
		for _, m := range marks[topic] {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch = m.Partition, m.Next, unknownEpoch
			t.Partitions = append(t.Partitions, p)
		}
		r.Topics = append(r.Topics, t)
	}
	return again(ctx, func() error {
		resp, err := r.RequestWith(ctx, c)
		if err != nil {
			return err
		}
		found := 0
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				found++
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return fmt.Errorf("offset of %s/%d: %w", t.Topic, p.Partition, err)
				}
			}
		}
		return complete(found, marks)
	})
}

// complete refuses an answer that leaves partitions out.
func complete(found int, marks map[string][]eos.PositionMark) error {
	want := 0
	for _, m := range marks {
		want += len(m)
	}
	if found != want {
		return fmt.Errorf("coordinator answered for %d partitions, want %d", found, want)
	}
	return nil
}
