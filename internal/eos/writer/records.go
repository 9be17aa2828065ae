package writer

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/eos"
	"billstream/internal/failpoint"
)

// flight is a set of records on their way. All of them must arrive.
type flight struct {
	client *kgo.Client
	count  func(topic string, err error)
	wg     sync.WaitGroup

	mu    sync.Mutex
	err   error // the first
	topic string
	acked bool // one has arrived
}

// outputs hands the outputs of an epoch over, in the order of their Emit within
// each part.
func (f *flight) outputs(ctx context.Context, e *eos.Epoch) {
	for i := range e.Parts {
		for j := range e.Parts[i].Outputs {
			o := &e.Parts[i].Outputs[j]
			r := &kgo.Record{Topic: o.Topic, Partition: o.Partition, Key: o.Key, Value: o.Value}
			if len(o.Headers) > 0 {
				r.Headers = make([]kgo.RecordHeader, len(o.Headers))
			}
			for k, h := range o.Headers {
				r.Headers[k] = kgo.RecordHeader{Key: h.Key, Value: h.Value}
			}
			f.send(ctx, r, nil)
		}
	}
}

// rows hands the rows of an epoch over and notes the offset of each part's
// last one, the position row.
func (f *flight) rows(ctx context.Context, e *eos.Epoch, table string) {
	for i := range e.Parts {
		p := &e.Parts[i]
		for j, row := range p.Rows {
			r := &kgo.Record{Topic: table, Partition: p.Partition, Key: []byte(row.Key), Value: row.Value}
			if j < len(p.Rows)-1 {
				f.send(ctx, r, nil)
				continue
			}
			f.send(ctx, r, &p.LastRow)
		}
	}
}

// send hands one record over; at, if not nil, is set to its offset.
func (f *flight) send(ctx context.Context, r *kgo.Record, at *int64) {
	if f.failed() != nil {
		return // what follows must not overtake what was refused
	}
	f.wg.Add(1)
	f.client.Produce(ctx, r, func(r *kgo.Record, err error) {
		defer f.wg.Done()
		if err == nil && at != nil {
			*at = r.Offset
		}
		f.note(r.Topic, err)
	})
}

// note keeps the first error.
func (f *flight) note(topic string, err error) {
	f.mu.Lock()
	first := err == nil && !f.acked
	f.acked = f.acked || err == nil
	if err != nil && f.err == nil {
		f.err, f.topic = err, topic
	}
	f.mu.Unlock()
	if err != nil {
		f.count(topic, err)
	}
	if first {
		failpoint.Hit("eos.some-updates-acked")
	}
}

func (f *flight) failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// land waits until every record has been answered, and returns the first error.
// kgo commits what succeeded, so that nobody else would notice.
func (f *flight) land(ctx context.Context) error {
	flushed := f.client.Flush(ctx)
	if flushed == nil {
		f.wg.Wait()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.err != nil:
		return fmt.Errorf("write to %s: %w", f.topic, f.err)
	case flushed != nil:
		return fmt.Errorf("wait for acknowledgements: %w", flushed)
	}
	return nil
}
