package writer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/eos"
	"billstream/internal/failpoint"
)

// batch is records on their way: all are acknowledged, or the batch failed.
type batch struct {
	metrics *metrics
	cancel  context.CancelCauseFunc

	mu    sync.Mutex
	acked int
	err   error // the first
}

// done is the promise of every record.
func (b *batch) done(r *kgo.Record, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		b.acked++
		if b.acked == 1 {
			failpoint.Hit("eos.some-updates-acked")
		}
		return
	case b.err != nil && errors.Is(err, context.Canceled):
		return // we stopped it because of the first
	}
	if !errors.Is(err, context.Canceled) {
		b.metrics.count(r.Topic, err)
	}
	if b.err == nil {
		b.err = fmt.Errorf("write to %s: %w", r.Topic, err)
		// There is no use in the rest.
		b.cancel(b.err)
	}
}

// produce hands records over and waits for all answers.
func (m *metrics) produce(ctx context.Context, client *kgo.Client, records []*kgo.Record) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b := &batch{metrics: m, cancel: cancel}
	done := b.done // one func for all
	for _, r := range records {
		if ctx.Err() != nil {
			break
		}
		client.Produce(ctx, r, done)
	}
	flushed := client.Flush(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.err != nil:
		return b.err
	case flushed != nil:
		return fmt.Errorf("wait for acknowledgements: %w", errors.Join(flushed, context.Cause(ctx)))
	case b.acked != len(records):
		return fmt.Errorf("acknowledged records are %d, want %d", b.acked, len(records))
	}
	return nil
}

// known waits until the client knows the partitions of records that it has
// written. At a topic's first records it writes these a moment before it keeps
// the partitions (kgo v1.22.2, storePartitionsUpdate). The end of a transaction
// goes by those that are kept: it would leave the sequence numbers of the others
// as they are, which the broker refuses in the next transaction, and one without
// any other partition would be aborted, and yet end without an error.
func known(ctx context.Context, client *kgo.Client, records []*kgo.Record) error {
	last := ""
	for _, r := range records {
		for r.Topic != last {
			if leader, _, _ := client.PartitionLeader(r.Topic, r.Partition); leader >= 0 {
				last = r.Topic
				continue
			}
			select {
			case <-time.After(time.Millisecond):
			case <-ctx.Done():
				return fmt.Errorf("wait for the client to know %s/%d: %w", r.Topic, r.Partition, context.Cause(ctx))
			}
		}
	}
	return nil
}

// outputs are the outputs of an epoch, in the order of their Emit.
func outputs(e *eos.Epoch) []*kgo.Record {
	var n int
	for i := range e.Parts {
		n += len(e.Parts[i].Outputs)
	}
	block := make([]kgo.Record, n)
	records := make([]*kgo.Record, 0, n)
	for i := range e.Parts {
		for _, o := range e.Parts[i].Outputs {
			r := &block[len(records)]
			r.Topic, r.Partition, r.Key, r.Value = o.Topic, o.Partition, o.Key, o.Value
			for _, h := range o.Headers {
				r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
			}
			records = append(records, r)
		}
	}
	return records
}

// rows are the rows of an epoch, each part's position row behind its others.
func rows(e *eos.Epoch, table string) []*kgo.Record {
	var n, size int
	for i := range e.Parts {
		n += len(e.Parts[i].Rows)
		for _, row := range e.Parts[i].Rows {
			size += len(row.Key)
		}
	}
	block := make([]kgo.Record, n)
	records := make([]*kgo.Record, 0, n)
	keys := make([]byte, 0, size)
	for i := range e.Parts {
		for _, row := range e.Parts[i].Rows {
			r := &block[len(records)]
			keys = append(keys, row.Key...)
			r.Topic, r.Partition, r.Key, r.Value = table, e.Parts[i].Partition, keys[len(keys)-len(row.Key):], row.Value
			records = append(records, r)
		}
	}
	return records
}

// setLastRows notes where the last row of each part stands.
func setLastRows(e *eos.Epoch, rows []*kgo.Record) {
	n := 0
	for i := range e.Parts {
		n += len(e.Parts[i].Rows)
		e.Parts[i].LastRow = rows[n-1].Offset
	}
}

// check refuses an epoch that must not be begun. Offsets without a record
// would open a transaction that the client library does not know of: it could
// not end it, and the group would hang until it times out.
func check(e *eos.Epoch) error {
	if len(e.Parts) == 0 {
		return errors.New("parts of the epoch are 0, want 1 at least")
	}
	for i := range e.Parts {
		if p := &e.Parts[i]; len(p.Rows) == 0 {
			return fmt.Errorf("rows of partition %d are 0, want the position row at least", p.Partition)
		}
	}
	return nil
}

// tooLarge finds a record that its topic does not take. Nothing of the epoch
// has been sent then: no record can overtake the one that is refused.
func (c Config) tooLarge(m *metrics, records []*kgo.Record) error {
	for _, r := range records {
		size := len(r.Key) + len(r.Value) + overhead
		for _, h := range r.Headers {
			size += len(h.Key) + len(h.Value) + 10
		}
		if limit := c.limit(r.Topic); size-overhead > limit {
			err := fmt.Errorf("record of %s: size is %d bytes, want %d at most: %w", r.Topic, size, limit, kerr.MessageTooLarge)
			m.count(r.Topic, err)
			return err
		}
	}
	return nil
}
