package eos

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"billstream/internal/failpoint"
)

// inner gives the embedded context a field name that does not collide with its
// method Context.
type inner = goka.Context

// recordContext is the context that callbacks get: goka's, with Value,
// SetValue, Delete and Emit on the staging buffer of the partition. Beside
// goka's methods it has RecordKey, RecordValue and RecordHeaders, for a consumer
// that declares them; their bytes belong to sarama and are valid during the
// callback only. There is one object per partition, used again for every
// record.
type recordContext struct {
	inner
	input  *input
	engine *Engine
	record *sarama.ConsumerMessage
	failed bool
}

// wrap opens the bracket around a record; goka's mark closes it. It is called
// in the goroutine of the partition, just before the callback.
func (e *Engine) wrap(ctx goka.Context) goka.Context {
	in, m, err := e.intake(ctx)
	if err != nil {
		e.fail(&ProcessingError{Stage: "process", Err: err})
		ctx.Fail(err)
		// Fail returns while the partition stops. Without its original the
		// record would be taken for another one.
		panic(err)
	}
	c := &in.part.context
	c.inner, c.input, c.engine, c.record = ctx, in, e, m
	return c
}

// intake finds the record that goka is about to process.
func (e *Engine) intake(ctx goka.Context) (*input, *sarama.ConsumerMessage, error) {
	topic, partition, offset := string(ctx.Topic()), ctx.Partition(), ctx.Offset()
	s := e.session.Load()
	if s == nil {
		return nil, nil, fmt.Errorf("record %s/%d@%d is outside a session, want one", topic, partition, offset)
	}
	in := s.input(topic, partition)
	if in == nil {
		return nil, nil, fmt.Errorf("record %s/%d@%d is of an unassigned partition, want a claim", topic, partition, offset)
	}
	m := in.ring.take(offset)
	if m == nil {
		return nil, nil, fmt.Errorf("record %s/%d@%d is not kept, want it from the interceptor", topic, partition, offset)
	}
	return in, m, in.begin(m)
}

// RecordKey returns the record's key, nil for a null key.
func (c *recordContext) RecordKey() []byte { return c.record.Key }

// RecordValue returns the record's value, nil for a null value.
func (c *recordContext) RecordValue() []byte { return c.record.Value }

// RecordHeaders calls yield for each header in order, repeats included, until
// it returns false.
func (c *recordContext) RecordHeaders(yield func(key, value []byte) bool) {
	for _, h := range c.record.Headers {
		if !yield(h.Key, h.Value) {
			return
		}
	}
}

// Phase adds to the time that records spend in a phase of the callback: decode,
// apply or encode. Callbacks measure some records and pass the time of all.
func (c *recordContext) Phase(name string, took time.Duration) { c.engine.metrics.phase(name, took) }

// Value implements goka.Context.
func (c *recordContext) Value() any {
	bytes, err := c.input.part.get(c.Key())
	if err != nil {
		c.giveUp(fmt.Errorf("read a row: %w", err))
	}
	if bytes == nil {
		return nil
	}
	v, err := c.engine.cfg.Rows.Decode(bytes)
	if err != nil {
		c.giveUp(fmt.Errorf("decode a row into a %T: %w", v, errUnsaid))
	}
	return v
}

// SetValue implements goka.Context: it stages the row.
func (c *recordContext) SetValue(value any, options ...goka.ContextOption) {
	failpoint.Hit("eos.after-apply")
	c.plain("SetValue", options)
	if value == nil {
		c.giveUp(errors.New("row is nil, want a value, or Delete"))
	}
	bytes, err := c.engine.cfg.Rows.Encode(value)
	if err != nil {
		c.giveUp(fmt.Errorf("encode a row of type %T: %w", value, errUnsaid))
	}
	c.input.part.next.set(c.Key(), bytes)
	failpoint.Hit("eos.after-stage")
}

// Delete implements goka.Context: it stages the row's end.
func (c *recordContext) Delete(options ...goka.ContextOption) {
	c.plain("Delete", options)
	c.input.part.next.set(c.Key(), nil)
}

// Emit implements goka.Context: it stages the output.
func (c *recordContext) Emit(topic goka.Stream, key string, value any, options ...goka.ContextOption) {
	failpoint.Hit("eos.after-apply")
	c.plain("Emit", options)
	r, err := c.engine.cfg.Output(string(topic), key, value)
	if err != nil {
		c.giveUp(err)
	}
	c.input.part.next.emit(r)
	failpoint.Hit("eos.after-stage")
}

// plain refuses options: they cannot be read outside goka.
func (c *recordContext) plain(call string, options []goka.ContextOption) {
	if len(options) > 0 {
		c.refuse(call+" with options", "they cannot be staged")
	}
}

// Fail implements goka.Context. While a partition stops goka's Fail returns,
// and the record would be marked as if nothing had happened: the mark is kept
// from closing the bracket.
func (c *recordContext) Fail(err error) {
	c.failed = true
	c.engine.fail(&ProcessingError{Stage: "process", Err: err})
	c.inner.Fail(err)
}

// giveUp ends the callback. The panic is for the case that goka's Fail returns.
func (c *recordContext) giveUp(err error) {
	c.Fail(err)
	panic(err)
}

// refuse ends the session for a call that a callback must not make.
func (c *recordContext) refuse(call, why string) {
	c.giveUp(fmt.Errorf("callback calls %s, want none: %s", call, why))
}

// Loopback is refused: goka's loop topic keeps records for an hour.
func (c *recordContext) Loopback(string, any, ...goka.ContextOption) {
	c.refuse("Loopback", "its topic keeps records for an hour")
}

// DeferCommit is refused: a mark must come from the callback's own bracket.
func (c *recordContext) DeferCommit() func(error) {
	c.refuse("DeferCommit", "a record is marked when its callback has ended")
	return nil
}

// Join is refused: a joined table is not recovered under the same rules.
func (c *recordContext) Join(goka.Table) any {
	c.refuse("Join", "joined tables are not part of the commit")
	return nil
}

// Lookup is refused: a lookup table is not recovered under the same rules.
func (c *recordContext) Lookup(goka.Table, string) any {
	c.refuse("Lookup", "lookup tables are not part of the commit")
	return nil
}

// interceptor sees every consumed record in the goroutine that fetches it. It
// neither blocks nor changes the record.
type interceptor struct{ engine *Engine }

// OnConsume implements sarama.ConsumerInterceptor.
func (i interceptor) OnConsume(m *sarama.ConsumerMessage) {
	s := i.engine.session.Load()
	if s == nil {
		return
	}
	in := s.input(m.Topic, m.Partition)
	if in == nil || !in.ring.put(m) {
		return
	}
	in.consumed.Inc()
	in.bytes.Add(float64(len(m.Key) + len(m.Value)))
}
