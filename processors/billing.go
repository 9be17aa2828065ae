package processors

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/lovoo/goka"
	"github.com/prometheus/client_golang/prometheus"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/internal/topics"
)

// Config is what the billing group can be told.
type Config struct {
	Partitions        int32 // of every topic; the count is frozen
	DeadLetterUnknown bool  // unknown event types become dead letters instead of being ignored
	WithoutAccount    bool  // updates do not carry the account after them
	JSONUpdates       bool  // updates are JSON instead of protobuf
	MaxLetter         int   // max.message.bytes of billing.dlq; 0: not known
	Version           string
	Now               func() time.Time // wall clock, for metrics alone; nil: time.Now
	Registerer        prometheus.Registerer
	Log               *slog.Logger
}

// Billing is the processor group `billing`: customer events in, rows of the
// group table, billing updates and dead letters out. One record has one
// outcome, whatever its bytes.
type Billing struct {
	cfg     Config
	metrics *metrics
	ledger  *ledger
	headers sync.Pool // of *headers
}

// NewBilling returns the group; it registers its metrics.
func NewBilling(cfg Config) *Billing {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m := newMetrics(cfg.Registerer, topics.Group)
	return &Billing{
		cfg: cfg, metrics: m, ledger: newLedger(cfg.Partitions, m),
		headers: sync.Pool{New: func() any { return newHeaders() }},
	}
}

// Graph returns the group's topology for goka.
func (b *Billing) Graph() *goka.GroupGraph {
	return goka.DefineGroup(topics.Group,
		goka.Input(topics.CustomerEvents, codecs.Bytes{}, b.process),
		goka.Persist(codecs.AccountRow{}),
		goka.Output(topics.BillingUpdates, codecs.Frames{}),
		goka.Output(topics.DeadLetters, codecs.Frames{}),
	)
}

// Committed counts the records of a partition below the offset next: they are
// final. The group calls it after each commit.
func (b *Billing) Committed(partition int32, next int64) {
	b.ledger.commit(partition, next, b.cfg.Now())
}

// Revoked forgets what was processed in a partition but not committed; another
// member will process it again.
func (b *Billing) Revoked(partition int32) { b.ledger.drop(partition) }

// Uncommitted returns how many records were processed but not committed.
func (b *Billing) Uncommitted() int { return b.ledger.size() }

// process is the callback of customer.events, called once per record, in
// offset order, by the goroutine of the partition.
func (b *Billing) process(ctx goka.Context, _ any) {
	rec, ok := ctx.(consumed)
	if !ok {
		ctx.Fail(fmt.Errorf("context is %T, want one that keeps the consumed record", ctx))
		return
	}
	h := b.headers.Get().(*headers)
	defer b.giveBack(h)
	in := intake(ctx, rec, h)
	sampled := in.at.Offset%sampleEvery == 0
	var begin time.Time
	if sampled {
		begin = b.cfg.Now()
		if to, ok := ctx.(phased); ok {
			in.laps = &laps{to: to, now: b.cfg.Now, last: begin}
		}
	}
	out := b.decide(ctx, in)
	entry := b.write(ctx, in, out)
	in.laps.lap("encode")
	if sampled {
		b.metrics.observe(begin, b.cfg.Now(), in.timestamp.Time())
		entry.sampled = true
	}
	b.ledger.add(in.at.Partition, entry)
}

// giveBack keeps h for another record.
func (b *Billing) giveBack(h *headers) {
	h.forget()
	b.headers.Put(h)
}

// outcome is what became of a record: the metric's result label.
type outcome uint8

const (
	updated outcome = iota
	unchanged
	duplicate
	ignored
	deadLetter
)

// verdict is everything that one record leads to.
type verdict struct {
	outcome outcome
	event   *customer.Event // nil if it could not be decoded
	row     []byte          // encoded; nil: the row stays as it is
	update  *billing.Update
	refusal *customer.Refusal
	stage   string // of the dead letter, where the code alone does not say it
}

// decide finds the record's outcome. The order of the checks is part of the
// contract: the first that hits gives the code.
func (b *Billing) decide(ctx goka.Context, in incoming) verdict {
	id := customer.ID(ctx.Key()) // the record's key as text, a null key as an empty one
	if err := id.Check(); err != nil {
		return refused(err)
	}
	if p := topics.Partition(in.key, b.cfg.Partitions); p != in.at.Partition {
		return refused(&customer.Refusal{
			Code:   customer.WrongPartition,
			Detail: fmt.Sprintf("partition is %d, want %d, where murmur2 puts the key", in.at.Partition, p),
		})
	}
	row, err := stored(ctx)
	if err != nil {
		return refused(err)
	}
	if row.Replayed(in.at) {
		return verdict{outcome: duplicate}
	}
	return b.fold(id, row, in)
}

// stored returns the row of the record's customer, nil for a new one.
func stored(ctx goka.Context) (*billing.Row, error) {
	v := ctx.Value()
	if v == nil {
		return nil, nil
	}
	r, ok := v.(*codecs.RowRecord)
	if !ok {
		return nil, fmt.Errorf("row is a %T, want a *codecs.RowRecord", v)
	}
	return r.Row, r.Err
}

// fold decodes the record and applies it to row. A panic in there costs this
// record, not the process.
func (b *Billing) fold(id customer.ID, row *billing.Row, in incoming) (v verdict) {
	defer func() {
		if p := recover(); p != nil {
			b.metrics.panics.Inc()
			v = refused(&customer.Refusal{Code: customer.ApplyFailed, Detail: "apply panicked"})
			b.cfg.Log.Error("apply panicked", "topic", in.at.Topic, "partition", in.at.Partition, "offset", in.at.Offset, "kind", fmt.Sprintf("%T", p))
		}
	}()
	e, err := codecs.DecodeEvent(id, in.value, in.headers)
	if err == nil {
		err = e.Check(in.timestamp)
	}
	in.laps.lap("decode")
	if err != nil {
		return b.refuse(row, err)
	}
	res, err := billing.Apply(row, e, in.at, in.timestamp)
	in.laps.lap("apply")
	if err != nil {
		v := refused(err)
		v.event = e
		return v
	}
	return encode(e, res)
}

// refuse judges an event that cannot be decoded. Nothing but its refusal may
// come of a record of an erased customer, and its value is not kept.
func (b *Billing) refuse(row *billing.Row, err error) verdict {
	if row != nil && row.ErasedAt != nil {
		return refused(&customer.Refusal{Code: customer.ErasedCustomer, Detail: "customer is erased, want no further events"})
	}
	v := refused(err)
	if v.refusal.Code == customer.UnknownType && !b.cfg.DeadLetterUnknown {
		return verdict{outcome: ignored}
	}
	return v
}

// refused makes a verdict of any error; one that is no refusal is a failure of
// ours, and named without its text, which could hold data.
func refused(err error) verdict {
	r, ok := errors.AsType[*customer.Refusal](err)
	if !ok {
		r = &customer.Refusal{Code: customer.ApplyFailed, Detail: fmt.Sprintf("apply ended with a %T", err)}
	}
	return verdict{outcome: deadLetter, refusal: r}
}

// encode turns Apply's result into a verdict, or into a refusal when the row
// would pass its size limit.
func encode(e *customer.Event, res billing.Result) verdict {
	v := verdict{event: e, update: res.Update}
	switch res.Outcome {
	case billing.Updated:
		v.outcome = updated
	case billing.Duplicate:
		v.outcome = duplicate
	default:
		v.outcome = unchanged
	}
	if res.Row == nil {
		return v
	}
	var room [usualRow]byte
	row, err := codecs.AppendRow(room[:0], res.Row) // refuses a row past its size limit
	if err != nil {
		r := refused(err)
		r.event, r.stage = e, "apply"
		return r
	}
	v.row = bytes.Clone(row) // it is kept until the commit: exactly its size, and one allocation
	return v
}

// usualRow is room for nearly every row, on the stack: one that is longer grows
// in some steps.
const usualRow = 1 << 10
