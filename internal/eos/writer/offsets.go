package writer

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/eos"
	"billstream/internal/failpoint"
)

// byTopic are the marks of an epoch, by input topic in order of appearance.
func byTopic(e *eos.Epoch) (names []string, marks map[string][]eos.PositionMark) {
	marks = map[string][]eos.PositionMark{}
	for i := range e.Parts {
		for _, m := range e.Parts[i].Marks {
			if marks[m.Topic] == nil {
				names = append(names, m.Topic)
			}
			marks[m.Topic] = append(marks[m.Topic], m)
		}
	}
	return names, marks
}

// member is in whose name the offsets are committed. Without it, which is the
// control, the coordinator takes them from anybody.
func member(m eos.Member) (generation int32, id string, instance *string) {
	if failpoint.Control("no-fence") {
		return -1, "", nil
	}
	if m.InstanceID != "" {
		instance = &m.InstanceID
	}
	return m.Generation, m.ID, instance
}

// txnOffsets makes the request that adds the offsets to the transaction. The
// coordinator takes it only from who owns the partitions (KIP-447).
func txnOffsets(e *eos.Epoch, transactionalID string) *kmsg.TxnOffsetCommitRequest {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group = transactionalID, e.Member.Group
	req.Generation, req.MemberID, req.InstanceID = member(e.Member)
	names, marks := byTopic(e)
	for _, name := range names {
		t := kmsg.NewTxnOffsetCommitRequestTopic()
		t.Topic = name
		for _, m := range marks[name] {
			p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset = m.Partition, m.Next
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	return req
}

// addOffsets sends the request until every partition's answer is a yes. While
// the markers of the last transaction are being written the coordinator asks
// to wait, and so this is also the gate before the records.
func addOffsets(ctx context.Context, client *kgo.Client, e *eos.Epoch, req *kmsg.TxnOffsetCommitRequest) error {
	return retry(ctx, transient, func() error {
		id, epoch, err := client.ProducerID(ctx) // another one in every transaction
		if err != nil {
			return fmt.Errorf("ask for the producer id: %w", err)
		}
		req.ProducerID, req.ProducerEpoch = id, epoch
		resp, err := req.RequestWith(ctx, client)
		if err != nil {
			return fmt.Errorf("add offsets to the transaction: %w", err)
		}
		if resp.Version != maxTxnOffsetCommit {
			return fmt.Errorf("%w: version of TxnOffsetCommit is %d, want %d", errUnsupported, resp.Version, maxTxnOffsetCommit)
		}
		a := newAnswers(e)
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				a.got(t.Topic, p.Partition, p.ErrorCode)
			}
		}
		return a.err()
	})
}

// commitOffsets commits the offsets outside of a transaction.
func commitOffsets(ctx context.Context, client *kgo.Client, e *eos.Epoch) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group = e.Member.Group
	req.Generation, req.MemberID, req.InstanceID = member(e.Member)
	names, marks := byTopic(e)
	for _, name := range names {
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic = name
		for _, m := range marks[name] {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset = m.Partition, m.Next
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	return retry(ctx, transient, func() error {
		resp, err := req.RequestWith(ctx, client)
		if err != nil {
			return fmt.Errorf("commit offsets: %w", err)
		}
		a := newAnswers(e)
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				a.got(t.Topic, p.Partition, p.ErrorCode)
			}
		}
		return a.err()
	})
}

// answers compares what a coordinator was asked for with what it answered.
type answers struct {
	open  map[place]bool
	wrong error // the gravest so far
}

type place struct {
	topic     string
	partition int32
}

func newAnswers(e *eos.Epoch) *answers {
	a := &answers{open: map[place]bool{}}
	for i := range e.Parts {
		for _, m := range e.Parts[i].Marks {
			a.open[place{m.Topic, m.Partition}] = true
		}
	}
	return a
}

// got notes an answer. One that does not pass outweighs one that does.
func (a *answers) got(topic string, partition int32, code int16) {
	delete(a.open, place{topic, partition})
	err := kerr.ErrorForCode(code)
	if err == nil || a.wrong != nil && !transient(a.wrong) {
		return
	}
	a.wrong = fmt.Errorf("offset of partition %d of %s: %w", partition, topic, err)
}

func (a *answers) err() error {
	if a.wrong == nil && len(a.open) > 0 {
		return fmt.Errorf("partitions without an answer are %d, want 0", len(a.open))
	}
	return a.wrong
}
