package writer

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/eos"
	"billstream/internal/failpoint"
)

// Plain writes epochs without a transaction: outputs, then rows, then offsets,
// each acknowledged before the next. A crash in between repeats outputs, and
// loses none.
type Plain struct {
	cfg     Config
	metrics *metrics
	slot    slot
}

var _ eos.Writer = (*Plain)(nil)

// NewPlain makes a writer for at-least-once. It does not connect; the error is
// about metrics that are registered already.
func NewPlain(c Config) (*Plain, error) {
	c = c.withDefaults()
	m, err := newMetrics(c)
	if err != nil {
		return nil, err
	}
	return &Plain{cfg: c, metrics: m}, nil
}

// Open connects; there is no identity to take. It tries until ctx
// ends or the commit timeout is over.
func (w *Plain) Open(ctx context.Context) error {
	// Nothing is sent before all is handed over. Of what waits in a partition,
	// the client library drops everything behind a refused batch, and the
	// broker refuses what is under way behind the gap: nothing overtakes.
	opts := append(w.cfg.options(), kgo.ManualFlushing())
	return w.slot.open(ctx, w.cfg.CommitTimeout, opts, func(context.Context, *kgo.Client) error { return nil })
}

// Write implements eos.Writer. An error after the first step may leave outputs
// or rows behind that the next try repeats.
func (w *Plain) Write(ctx context.Context, e *eos.Epoch) error {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.CommitTimeout)
	defer cancel()
	out, table := outputs(e), rows(e, w.cfg.Table)
	client, err := w.slot.get()
	if err == nil {
		err = check(e)
	}
	if err != nil {
		return fail("begin", err)
	}
	if err := w.produce(ctx, client, e, out, table); err != nil {
		w.Reset()
		return fail("produce", err)
	}
	defer since(&e.Took.Offsets, time.Now())
	failpoint.Hit("eos.before-offsets")
	if err := commitOffsets(ctx, client, e); err != nil {
		w.Reset()
		return fail("offsets", err)
	}
	failpoint.Hit("eos.after-offsets")
	return nil
}

// produce writes outputs, and rows once they are safe: a row that stood there
// without its output would make the replay believe that it was sent.
func (w *Plain) produce(ctx context.Context, client *kgo.Client, e *eos.Epoch, out, table []*kgo.Record) error {
	defer since(&e.Took.Produce, time.Now())
	for _, records := range [][]*kgo.Record{out, table} {
		if err := w.cfg.tooLarge(w.metrics, records); err != nil {
			return err
		}
	}
	steps := [][]*kgo.Record{out, table}
	if failpoint.Control("naive-suppress") {
		slices.Reverse(steps)
	}
	for _, records := range steps {
		if err := w.metrics.produce(ctx, client, records); err != nil {
			return err
		}
		failpoint.Hit("eos.after-produce")
	}
	setLastRows(e, table)
	return nil
}

// Reset implements eos.Writer.
func (w *Plain) Reset() { w.slot.drop(false) }

// Close implements eos.Writer.
func (w *Plain) Close() { w.slot.drop(true) }

func since(d *time.Duration, start time.Time) { *d = time.Since(start) }
