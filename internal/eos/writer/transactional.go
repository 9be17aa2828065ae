package writer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/eos"
	"billstream/internal/failpoint"
)

// Transactional writes an epoch as one transaction.
//
//	begin ─► offsets ─► outputs, rows ─► every promise kept? ─► end
//
// The offsets go first, and alone: while the markers of the former transaction
// are still being written the broker refuses the first request of the next one,
// and a refused produce waits for a refresh of metadata.
type Transactional struct {
	config  Config
	metrics *metrics

	mu     sync.Mutex
	client *kgo.Client // nil without an identity
	id     string
	closed bool
}

// NewTransactional returns a writer that is not open.
func NewTransactional(c Config) (*Transactional, error) {
	if c.TransactionalID == "" {
		return nil, errors.New("transactional id is empty, want a name of this process alone")
	}
	return &Transactional{config: c.withDefaults(), metrics: newMetrics(c)}, nil
}

var errClosed = errors.New("writer is closed")

// Open implements eos.Writer. It waits for a coordinator until ctx ends.
func (w *Transactional) Open(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return failed("open", errClosed)
	case w.client != nil:
		return nil
	}
	id := w.config.TransactionalID
	if failpoint.Control("no-fence") {
		id = rand.Text()
	}
	c, err := kgo.NewClient(append(w.config.options(),
		kgo.TransactionalID(id),
		kgo.TransactionTimeout(w.config.TransactionTimeout),
		kgo.ConcurrentTransactionsBackoff(5*time.Millisecond),
	)...)
	if err != nil {
		return failed("open", err)
	}
	ctx, cancel := context.WithTimeout(ctx, w.config.CommitTimeout)
	defer cancel()
	// The answer to the ping tells the version of transactions; without it the
	// first one would run under the old rules.
	err = c.Ping(ctx)
	if err == nil {
		err = again(ctx, func() error {
			_, _, err := c.ProducerID(ctx)
			return err
		})
	}
	if err != nil {
		c.Close()
		return failed("open", err)
	}
	w.client, w.id = c, id
	return nil
}

// Write implements eos.Writer.
func (w *Transactional) Write(ctx context.Context, e *eos.Epoch) error {
	w.mu.Lock()
	c, id := w.client, w.id
	w.mu.Unlock()
	if c == nil {
		return failed("begin", errors.New("writer is not open"))
	}
	if err := check(e); err != nil {
		return failed("begin", err)
	}
	ctx, cancel := context.WithTimeout(ctx, w.config.CommitTimeout)
	defer cancel()
	if err := c.BeginTransaction(); err != nil {
		return failed("begin", err)
	}
	if err := w.fill(ctx, c, id, e); err != nil {
		return w.abort(c, err)
	}
	return w.end(c, e)
}

// check asserts what a transaction cannot do without: the client does not know
// of the offsets that we send, and would end nothing without a record.
func check(e *eos.Epoch) error {
	if len(e.Parts) == 0 {
		return errors.New("epoch has no parts, want one")
	}
	for i := range e.Parts {
		if p := &e.Parts[i]; len(p.Rows) == 0 || len(p.Marks) == 0 {
			return fmt.Errorf("epoch of partition %d has %d rows and %d offsets, want its position row and its offset", p.Partition, len(p.Rows), len(p.Marks))
		}
	}
	return nil
}

// fill sends everything that belongs to the transaction.
func (w *Transactional) fill(ctx context.Context, c *kgo.Client, id string, e *eos.Epoch) *eos.WriteError {
	began := time.Now()
	failpoint.Hit("eos.before-offsets")
	if err := txnOffsets(ctx, c, id, e); err != nil {
		return failed("offsets", err)
	}
	failpoint.Hit("eos.after-offsets")
	sent := time.Now()
	e.Took.Offsets = sent.Sub(began)
	f := &flight{client: c, count: w.metrics.count}
	f.outputs(ctx, e)
	f.rows(ctx, e, w.config.Table)
	if err := f.land(ctx); err != nil {
		return failed("produce", err)
	}
	e.Took.Produce = time.Since(sent)
	failpoint.Hit("eos.after-produce")
	return nil
}

// abort ends the transaction without effect, if the brokers can be told.
func (w *Transactional) abort(c *kgo.Client, why *eos.WriteError) error {
	ctx, cancel := context.WithTimeout(context.Background(), abortTimeout)
	defer cancel()
	err := c.AbortBufferedRecords(ctx)
	if err == nil {
		err = c.EndTransaction(ctx, kgo.TryAbort)
	}
	if errors.Is(err, kerr.ProducerFenced) {
		return &eos.WriteError{Failure: eos.Fenced, Step: why.Step, Err: errors.Join(why.Err, err)}
	}
	return why
}

// abortTimeout bounds what is a courtesy: the next Open aborts as well.
const abortTimeout = 2 * time.Second

// end commits. Its context is its own: a commit that is under way must not be
// given up while there is hope for an answer.
func (w *Transactional) end(c *kgo.Client, e *eos.Epoch) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), w.config.CommitTimeout)
	defer cancel()
	err := c.EndTransaction(ctx, kgo.TryCommit)
	e.Took.End = time.Since(began)
	switch {
	case err == nil:
		failpoint.Hit("eos.end-acked")
		return nil
	case refusal(err):
		return failed("end", err)
	}
	return &eos.WriteError{Failure: eos.Unknown, Step: "end", Err: err}
}

// refusal reports whether a broker has said no to the end of a transaction, so
// that its outcome is known.
func refusal(err error) bool {
	_, answered := errors.AsType[*kerr.Error](err)
	return answered && !retriable(err)
}

// Reset implements eos.Writer.
func (w *Transactional) Reset() {
	w.mu.Lock()
	c := w.client
	w.client = nil
	w.mu.Unlock()
	if c != nil {
		c.Close()
	}
}

// Close implements eos.Writer.
func (w *Transactional) Close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.Reset()
}
