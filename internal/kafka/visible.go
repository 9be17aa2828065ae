package kafka

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/IBM/sarama"
)

// firstWindow is how far before the end the search for the last visible record
// begins; each further window is ten times as wide.
const firstWindow = 100

// LastVisible returns the offset of the last data record below a given offset
// that a read-committed reader sees, and false when there is none. Markers of
// transactions and what they aborted are no data: goka waits for a record at
// the end of its table, and a marker never comes as one.
//
// It reads forwards, window by window: a fetch inside a gap that compaction
// left returns the batch behind the gap, so that hopping back does not end.
func (a *AdminClient) LastVisible(ctx context.Context, topic string, partition int32, below int64) (offset int64, found bool, err error) {
	for range maxLooks {
		// Retention may move the start while we look: then look again.
		offset, found, err = a.lastVisible(ctx, topic, partition, below)
		if !errors.Is(err, sarama.ErrOffsetOutOfRange) {
			break
		}
	}
	return offset, found, err
}

// maxLooks bounds how often a moving start is followed.
const maxLooks = 5

func (a *AdminClient) lastVisible(ctx context.Context, topic string, partition int32, below int64) (int64, bool, error) {
	oldest, err := a.offset(ctx, topic, partition, sarama.OffsetOldest, sarama.ReadUncommitted)
	if err != nil {
		return 0, false, err
	}
	end := below
	for width := int64(firstWindow); end > oldest; width *= 10 {
		start := max(below-width, oldest)
		last := int64(-1)
		err := a.scan(ctx, topic, partition, start, end, func(r visible) bool {
			last = r.offset
			return true
		})
		if err != nil {
			return 0, false, fmt.Errorf("look for the last record of %s/%d: %w", topic, partition, err)
		}
		if last >= 0 {
			return last, true, nil
		}
		end = start
	}
	return 0, false, nil
}

// ErrUnstable means that a transaction kept the end of a partition open.
var ErrUnstable = errors.New("transaction is open, want it ended")

// unstableFor is how long RecoveryEnd waits without progress: the timeout of a
// dead owner's transaction (20 s) and what the broker takes to notice.
const unstableFor = 40 * time.Second

// markersTake is how long the markers of an ended transaction may be on their
// way; what stays open for longer is worth a word.
const markersTake = 500 * time.Millisecond

// RecoveryEnd returns the offset at which reading a partition is complete: one
// beyond its last visible record, or its oldest offset when there is none.
//
// With waitStable, which the owner of a table needs, that is everything below
// the high watermark at the time of the call, and it waits until no transaction
// is open below it; blocked is told the first offset of one that stays, and
// ErrUnstable says that it stayed for too long. Bounded by the last
// stable offset alone, rows are missed that were committed before the call:
// their markers come a little later. Without it, for views, the last stable
// offset is the bound.
func (a *AdminClient) RecoveryEnd(ctx context.Context, topic string, partition int32, waitStable bool, blocked func(offset int64)) (int64, error) {
	level := sarama.ReadCommitted
	if waitStable {
		level = sarama.ReadUncommitted
	}
	end, err := a.offset(ctx, topic, partition, sarama.OffsetNewest, level)
	if err != nil {
		return 0, err
	}
	if waitStable {
		if err := a.awaitStable(ctx, topic, partition, end, unstableFor, blocked); err != nil {
			return 0, err
		}
	}
	last, ok, err := a.LastVisible(ctx, topic, partition, end)
	switch {
	case err != nil:
		return 0, err
	case ok:
		return last + 1, nil
	}
	return a.offset(ctx, topic, partition, sarama.OffsetOldest, sarama.ReadUncommitted)
}

// Oldest returns the offset of the first record that a partition still has.
func (a *AdminClient) Oldest(ctx context.Context, topic string, partition int32) (int64, error) {
	return a.offset(ctx, topic, partition, sarama.OffsetOldest, sarama.ReadUncommitted)
}

// awaitStable waits until the last stable offset has reached end.
func (a *AdminClient) awaitStable(ctx context.Context, topic string, partition int32, end int64, patience time.Duration, blocked func(offset int64)) error {
	stalled, before := time.Now(), int64(-1)
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		stable, err := a.offset(ctx, topic, partition, sarama.OffsetNewest, sarama.ReadCommitted)
		switch {
		case err != nil:
			return err
		case stable >= end:
			return nil
		case stable > before:
			stalled, before = time.Now(), stable
		case time.Since(stalled) < patience:
			if time.Since(stalled) > markersTake {
				blocked(stable)
			}
		default:
			return fmt.Errorf("%s/%d@%d: %w within %v", topic, partition, stable, ErrUnstable, patience)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// visible is a data record that a read-committed reader sees.
type visible struct {
	offset int64
	time   time.Time // the record's timestamp
}

// scan calls see for each visible record in [from, to), in order, until see
// returns false.
func (a *AdminClient) scan(ctx context.Context, topic string, partition int32, from, to int64, see func(visible) bool) error {
	empty := 0
	for from < to {
		block, err := retry(ctx, a, topic, func() (*sarama.FetchResponseBlock, error) {
			return a.fetch(topic, partition, from)
		})
		if err != nil {
			return err
		}
		next, more, err := walk(block, from, to, see)
		if err != nil || !more {
			return err
		}
		if next > from {
			from, empty = next, 0
			continue
		}
		// Nothing came: a gap at the end of the log, or a broker that holds
		// back or does not know yet how far it may serve. Only one that knows of
		// the whole window is believed.
		if empty++; empty >= 2 && block.LastStableOffset >= to && block.HighWaterMarkOffset >= to {
			return nil
		}
		if empty == maxEmpty {
			return fmt.Errorf("%s/%d@%d: %d answers without a record, the last stable offset being %d, want records or %d", topic, partition, from, empty, block.LastStableOffset, to)
		}
	}
	return nil
}

// maxEmpty bounds how often nothing may come before the reading fails. Brokers
// wait up to a tenth of a second for data before they answer so.
const maxEmpty = 100

// MayRead reports whether the records of a topic may be read, as an error that
// is Denied if not. What else keeps a broker from answering is no error here. No
// record is read: brokers look at the right before the offset, which is none of
// a record.
func (a *AdminClient) MayRead(ctx context.Context, topic string) error {
	_, err := ask(ctx, func() (*sarama.FetchResponseBlock, error) { return a.fetch(topic, 0, math.MaxInt64) })
	if Denied(err) {
		return fmt.Errorf("read topic %s: %w", topic, err)
	}
	return nil
}

// MayJoin reports whether we may be a member of a group, as an error that is
// Denied if not; else as MayRead. sarama's own question for a coordinator would
// ask again for half a minute.
func (a *AdminClient) MayJoin(ctx context.Context, group string) error {
	err := tell(ctx, func() error {
		broker, err := a.admin.Controller()
		if err != nil {
			return err
		}
		resp, err := broker.FindCoordinator(&sarama.FindCoordinatorRequest{
			Version: 1, CoordinatorKey: group, CoordinatorType: sarama.CoordinatorGroup,
		})
		if err != nil {
			return err
		}
		return resp.Err
	})
	if Denied(err) {
		return fmt.Errorf("join group %s: %w", group, err)
	}
	return nil
}

// fetch reads one partition from an offset on, at least one batch if there is
// one.
func (a *AdminClient) fetch(topic string, partition int32, from int64) (*sarama.FetchResponseBlock, error) {
	leader, err := a.client.Leader(topic, partition)
	if err != nil {
		return nil, err
	}
	req := &sarama.FetchRequest{
		Version: 11, MaxWaitTime: 100, MinBytes: 1, MaxBytes: 4 << 20,
		Isolation: sarama.ReadCommitted, SessionEpoch: -1,
	}
	req.AddBlock(topic, partition, from, 1<<20, -1)
	resp, err := leader.Fetch(req)
	if err != nil {
		return nil, err
	}
	block := resp.GetBlock(topic, partition)
	switch {
	case block == nil:
		return nil, sarama.ErrIncompleteResponse
	case !errors.Is(block.Err, sarama.ErrNoError):
		return nil, block.Err
	}
	return block, nil
}

// walk goes through the batches of a response. It returns the offset behind
// them, and whether there is more to see.
func walk(block *sarama.FetchResponseBlock, from, to int64, see func(visible) bool) (next int64, more bool, err error) {
	aborted := newAborted(block.AbortedTransactions)
	next = from
	for _, set := range block.RecordsSet {
		b := set.RecordBatch
		if b == nil {
			return next, false, errors.New("record format is older than 2, want 2")
		}
		if b.PartialTrailingRecord {
			break
		}
		hidden := aborted.hides(b)
		for _, r := range b.Records {
			offset := b.FirstOffset + r.OffsetDelta
			if hidden || offset < from || offset >= to {
				continue
			}
			at := b.FirstTimestamp.Add(r.TimestampDelta)
			if b.LogAppendTime {
				at = b.MaxTimestamp
			}
			if !see(visible{offset: offset, time: at}) {
				return next, false, nil
			}
		}
		next = max(next, b.LastOffset()+1)
	}
	return next, true, nil
}

// abortedList knows which producers' batches belong to aborted transactions at
// the current place of a response.
type abortedList struct {
	pending []*sarama.AbortedTransaction // by first offset
	open    map[int64]bool               // producer id
}

func newAborted(list []*sarama.AbortedTransaction) *abortedList {
	pending := slices.SortedFunc(slices.Values(list), func(x, y *sarama.AbortedTransaction) int {
		return cmp.Compare(x.FirstOffset, y.FirstOffset)
	})
	return &abortedList{pending: pending, open: map[int64]bool{}}
}

// hides reports whether a read-committed reader sees nothing of the batch:
// markers are no data, and what they abort never happened.
func (l *abortedList) hides(b *sarama.RecordBatch) bool {
	for len(l.pending) > 0 && l.pending[0].FirstOffset <= b.LastOffset() {
		l.open[l.pending[0].ProducerID] = true
		l.pending = l.pending[1:]
	}
	if b.Control {
		if abortMarker(b) {
			delete(l.open, b.ProducerID)
		}
		return true
	}
	return b.IsTransactional && l.open[b.ProducerID]
}

// abortMarker reads the key of a control record: a version, then the type, of
// which 0 is abort.
//
// Source: Apache Kafka, ControlRecordType.
func abortMarker(b *sarama.RecordBatch) bool {
	return len(b.Records) > 0 && len(b.Records[0].Key) >= 4 && binary.BigEndian.Uint16(b.Records[0].Key[2:]) == 0
}
