package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"billstream/internal/topics"
)

// transactions looks for those that stay open: whoever reads what is committed
// waits before their first record.
func transactions(ctx context.Context, e *exam, f *findings) {
	blocked := kadm.TopicsSet{}
	for _, name := range topics.Names() {
		if _, err := e.topic(name); errors.Is(err, kerr.UnknownTopicOrPartition) {
			continue
		}
		if err := e.unstable(ctx, name, blocked); err != nil {
			f.unknown("open transactions on topic "+name, err)
		}
	}
	if len(blocked) == 0 {
		f.okay("open transactions on our topics are none")
		return
	}
	described, err := e.admin.DescribeProducers(ctx, blocked)
	if err != nil {
		f.unknown("age of open transactions", err)
		return
	}
	var open []kadm.DescribedProducer
	for _, t := range described.SortedPartitions() {
		if t.Err != nil {
			f.unknown(fmt.Sprintf("producers of %s/%d", t.Topic, t.Partition), t.Err)
		}
		for _, p := range t.ActiveProducers {
			if p.CurrentTxnStartOffset >= 0 {
				open = append(open, p)
			}
		}
	}
	e.judge(ctx, f, open)
	f.okay("open transactions on our topics are %d, none for longer than %s", len(open), e.cfg.TransactionTimeout)
}

// unstable adds the partitions in which a transaction is open.
func (e *exam) unstable(ctx context.Context, name string, blocked kadm.TopicsSet) error {
	stable, err := e.admin.ListCommittedOffsets(ctx, name)
	if err != nil {
		return err
	}
	ends, err := e.admin.ListEndOffsets(ctx, name)
	if err != nil {
		return err
	}
	for p, end := range ends[name] {
		at := stable[name][p]
		if err := errors.Join(end.Err, at.Err); err != nil {
			return fmt.Errorf("ask for the end of %s/%d: %w", name, p, err)
		}
		if at.Offset < end.Offset {
			blocked.Add(name, p)
		}
	}
	return nil
}

// owner is a transaction as its coordinator knows it.
type owner struct {
	id      string
	state   string
	began   time.Time
	timeout time.Duration
}

// owners asks the coordinators whose transactions those are, by producer id.
// Coordinators are silent about ids that we have no right to see.
func (e *exam) owners(ctx context.Context, producers []int64) (map[int64]owner, error) {
	listed, err := e.admin.ListTransactions(ctx, producers, nil)
	if err != nil {
		return nil, err
	}
	if len(listed) == 0 {
		return nil, nil
	}
	described, err := e.admin.DescribeTransactions(ctx, listed.TransactionalIDs()...)
	if err != nil {
		return nil, err
	}
	found := map[int64]owner{}
	for _, t := range described {
		if t.Err == nil && t.StartTimestamp > 0 {
			found[t.ProducerID] = owner{
				id: t.TxnID, state: t.State, began: time.UnixMilli(t.StartTimestamp),
				timeout: time.Duration(t.TimeoutMillis) * time.Millisecond,
			}
		}
	}
	return found, nil
}

// judge reports each transaction that is open for longer than one of ours may
// be, once, with the first partition that it blocks.
func (e *exam) judge(ctx context.Context, f *findings, open []kadm.DescribedProducer) {
	slices.SortFunc(open, func(a, b kadm.DescribedProducer) int {
		if a.Less(&b) {
			return -1
		}
		return 1
	})
	var producers []int64
	for _, p := range open {
		producers = append(producers, p.ProducerID)
	}
	if len(producers) == 0 {
		return
	}
	owners, err := e.owners(ctx, producers)
	if err != nil {
		f.unknown("owners of open transactions", err)
	}
	told := map[int64]bool{}
	for _, p := range open {
		if !told[p.ProducerID] {
			o, known := owners[p.ProducerID]
			told[p.ProducerID] = e.tooLong(f, p, o, known)
		}
	}
}

// tooLong reports a transaction that is open for too long.
func (e *exam) tooLong(f *findings, p kadm.DescribedProducer, o owner, known bool) bool {
	began := time.UnixMilli(p.LastTimestamp)
	going := known && (o.state == "Ongoing" || strings.HasPrefix(o.state, "Prepare"))
	if going {
		began = o.began
	}
	age := time.Since(began)
	if age <= e.cfg.TransactionTimeout {
		return false
	}
	since := fmt.Sprintf("is open for %s from %s/%d@%d on, want at most %s",
		age.Round(time.Second), p.Topic, p.Partition, p.CurrentTxnStartOffset, e.cfg.TransactionTimeout)
	abort := fmt.Sprintf("kafka-transactions --bootstrap-server %s abort --topic %s --partition %d --start-offset %d",
		e.bootstrap(), p.Topic, p.Partition, p.CurrentTxnStartOffset)
	switch {
	case going:
		f.add(Problem, fmt.Sprintf("unless its process ends it, brokers do so %s after its begin; at once: %s", o.timeout, abort),
			"transaction of %s (%s) %s", o.id, o.state, since)
	case known:
		f.add(Problem, "its coordinator has forgotten it, nothing ends it by itself: "+abort, "transaction of %s (%s) %s", o.id, o.state, since)
	default:
		f.add(Problem, "no coordinator knows it, or we may not see whose it is: "+abort, "transaction of producer %d %s", p.ProducerID, since)
	}
	return true
}
