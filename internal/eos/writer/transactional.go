package writer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/eos"
	"billstream/internal/failpoint"
)

// Transactional writes each epoch as one Kafka transaction.
type Transactional struct {
	cfg     Config
	metrics *metrics
	slot    slot
	id      string // of the client in the slot
}

var _ eos.Writer = (*Transactional)(nil)

// NewTransactional makes a writer for exactly-once. It does not connect; the
// error is about an identity that is missing or metrics that are registered
// already. The brokers must pass CheckFeatures.
func NewTransactional(c Config) (*Transactional, error) {
	c = c.withDefaults()
	if c.TransactionalID == "" {
		return nil, errors.New("transactional id is empty, want one of this process")
	}
	m, err := newMetrics(c)
	if err != nil {
		return nil, err
	}
	return &Transactional{cfg: c, metrics: m}, nil
}

// Open implements eos.Writer. It tries until ctx ends or the commit timeout is
// over.
func (w *Transactional) Open(ctx context.Context) error {
	id := w.cfg.TransactionalID
	if failpoint.Control("no-fence") {
		id += rand.Text()
	}
	opts := append(w.cfg.options(),
		kgo.TransactionalID(id),
		kgo.TransactionTimeout(w.cfg.TransactionTimeout),
		kgo.ConcurrentTransactionsBackoff(5*time.Millisecond),
		kgo.WithHooks(hooks{}))
	return w.slot.open(ctx, w.cfg.CommitTimeout, opts, func(ctx context.Context, client *kgo.Client) error {
		w.id = id
		return identify(ctx, client)
	})
}

// identify takes the transactional id: whoever had it before is fenced, and
// what it left open is aborted.
func identify(ctx context.Context, client *kgo.Client) error {
	if err := checkFeatures(ctx, client); err != nil {
		return err
	}
	return retry(ctx, transient, func() error {
		id, _, err := client.ProducerID(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("ask for a producer id: %w", err)
		case id < 0:
			return fmt.Errorf("%w: producer id is %d, want one", errUnsupported, id)
		}
		return nil
	})
}

// Write implements eos.Writer. Whatever fails, the client is dropped: the next
// Open fences it, and so nothing of it can join a later transaction.
func (w *Transactional) Write(ctx context.Context, e *eos.Epoch) error {
	client, err := w.slot.get()
	if err == nil {
		err = check(e)
	}
	if err != nil {
		return fail("begin", err)
	}
	if err := w.write(ctx, client, e); err != nil {
		err = w.judge(ctx, client, e, err)
		w.Reset()
		return err
	}
	return nil
}

func (w *Transactional) write(ctx context.Context, client *kgo.Client, e *eos.Epoch) error {
	within, cancel := context.WithTimeout(ctx, w.cfg.CommitTimeout)
	defer cancel()
	if err := client.BeginTransaction(); err != nil {
		return fail("begin", err)
	}
	if err := w.offsets(within, client, e); err != nil {
		return w.abort(ctx, client, fail("offsets", err))
	}
	if err := w.produce(within, client, e); err != nil {
		return w.abort(ctx, client, fail("produce", err))
	}
	return w.end(ctx, client, e)
}

// offsets goes first: sent beside the records, it is the records that are told
// to wait for the last transaction's markers, and the client library lets them
// wait for seconds.
func (w *Transactional) offsets(ctx context.Context, client *kgo.Client, e *eos.Epoch) error {
	defer since(&e.Took.Offsets, time.Now())
	failpoint.Hit("eos.before-offsets")
	if err := addOffsets(ctx, client, e, txnOffsets(e, w.id)); err != nil {
		return err
	}
	failpoint.Hit("eos.after-offsets")
	return nil
}

func (w *Transactional) produce(ctx context.Context, client *kgo.Client, e *eos.Epoch) error {
	defer since(&e.Took.Produce, time.Now())
	out, table := outputs(e), rows(e, w.cfg.Table)
	records := append(out, table...)
	if err := w.cfg.tooLarge(w.metrics, records); err != nil {
		return err
	}
	if err := w.metrics.produce(ctx, client, records); err != nil {
		return err
	}
	if err := known(ctx, client, records); err != nil {
		return err
	}
	failpoint.Hit("eos.after-produce")
	setLastRows(e, table)
	return nil
}

// end commits. Its context does not end with the caller's: a commit that is
// given up may still be carried out.
func (w *Transactional) end(ctx context.Context, client *kgo.Client, e *eos.Epoch) error {
	defer since(&e.Took.End, time.Now())
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.cfg.CommitTimeout+5*time.Second)
	defer cancel()
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return &eos.WriteError{Failure: classifyEnd(err), Step: "end", Err: err}
	}
	failpoint.Hit("eos.end-acked")
	return nil
}

// courtesyTimeout bounds what could be left out: the next Open aborts as well,
// and the next join asks the group as well.
const courtesyTimeout = 2 * time.Second

// abort ends the transaction without a commit, so that nobody waits for its
// timeout, and returns the error that made it necessary. It asks itself: the
// client library does not know of a transaction that holds offsets alone. What
// is still under way carries an epoch that is over then.
func (w *Transactional) abort(ctx context.Context, client *kgo.Client, because error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), courtesyTimeout)
	defer cancel()
	id, epoch, _ := client.ProducerID(ctx) // with its error comes the id that failed
	if id < 0 {
		return because
	}
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = w.id, id, epoch, false
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		w.cfg.Log.Debug("abort failed", "group", w.cfg.Group, "err", err)
	}
	return because
}

// judge asks the group whose our name is when the brokers know a later epoch of
// our producer. A twin may have begun it, or the brokers when they gave our
// transaction up, and since an aborted transaction ends its epoch as well
// (KIP-890), no answer about transactions tells the two apart for sure. The
// group has one member of a name (KIP-345): the one that is fenced leaves, and
// the other one takes the id again.
func (w *Transactional) judge(ctx context.Context, client *kgo.Client, e *eos.Epoch, because error) error {
	failure, ok := errors.AsType[*eos.WriteError](because)
	if !ok || !is(because, kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.InvalidProducerIDMapping) {
		return because
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), courtesyTimeout)
	defer cancel()
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.Generation, req.MemberID = e.Member.Group, e.Member.Generation, e.Member.ID
	if e.Member.InstanceID != "" {
		req.InstanceID = &e.Member.InstanceID
	}
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if !errors.Is(err, kerr.FencedInstanceID) {
		return because
	}
	return &eos.WriteError{Failure: eos.Fenced, Step: failure.Step, Err: errors.Join(failure.Err, err)}
}

// Reset implements eos.Writer.
func (w *Transactional) Reset() { w.slot.drop(false) }

// Close implements eos.Writer.
func (w *Transactional) Close() { w.slot.drop(true) }
