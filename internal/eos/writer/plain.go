package writer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/eos"
	"billstream/internal/failpoint"
)

// Plain writes an epoch without a transaction, in an order that loses nothing:
//
//	outputs ─► acknowledged ─► rows ─► acknowledged ─► offsets
//
// A row that is there proves that its outputs are, so a replayed record may be
// skipped; a row that is not there makes the same outputs again.
type Plain struct {
	config  Config
	metrics *metrics

	mu     sync.Mutex
	client *kgo.Client
	closed bool
}

// NewPlain returns a writer that is not open.
func NewPlain(c Config) (*Plain, error) {
	return &Plain{config: c.withDefaults(), metrics: newMetrics(c)}, nil
}

// Open implements eos.Writer. There is no identity to take.
func (w *Plain) Open(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return failed("open", errClosed)
	case w.client != nil:
		return nil
	}
	// With one request in flight nothing overtakes what was refused.
	c, err := kgo.NewClient(append(w.config.options(), kgo.MaxProduceRequestsInflightPerBroker(1))...)
	if err != nil {
		return failed("open", err)
	}
	w.client = c
	return nil
}

// Write implements eos.Writer.
func (w *Plain) Write(ctx context.Context, e *eos.Epoch) error {
	w.mu.Lock()
	c := w.client
	w.mu.Unlock()
	if c == nil {
		return failed("begin", errors.New("writer is not open"))
	}
	if err := check(e); err != nil {
		return failed("begin", err)
	}
	ctx, cancel := context.WithTimeout(ctx, w.config.CommitTimeout)
	defer cancel()
	if err := w.produce(ctx, c, e); err != nil {
		return failed("produce", err)
	}
	began := time.Now()
	failpoint.Hit("eos.before-offsets")
	if err := plainOffsets(ctx, c, e); err != nil {
		return failed("offsets", err)
	}
	failpoint.Hit("eos.after-offsets")
	e.Took.Offsets = time.Since(began)
	return nil
}

// produce writes outputs and then rows.
func (w *Plain) produce(ctx context.Context, c *kgo.Client, e *eos.Epoch) error {
	began := time.Now()
	steps := []func(*flight){
		func(f *flight) { f.outputs(ctx, e) },
		func(f *flight) { f.rows(ctx, e, w.config.Table) },
	}
	if failpoint.Control("naive-suppress") {
		steps[0], steps[1] = steps[1], steps[0]
	}
	for _, send := range steps {
		f := &flight{client: c, count: w.metrics.count}
		send(f)
		if err := f.land(ctx); err != nil {
			return err
		}
		failpoint.Hit("eos.after-produce")
	}
	e.Took.Produce = time.Since(began)
	return nil
}

// Reset implements eos.Writer.
func (w *Plain) Reset() {
	w.mu.Lock()
	c := w.client
	w.client = nil
	w.mu.Unlock()
	if c != nil {
		c.Close()
	}
}

// Close implements eos.Writer.
func (w *Plain) Close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.Reset()
}
