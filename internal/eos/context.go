package eos

import (
	"fmt"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
)

// inner gives the embedded context a field name that does not collide with its
// method Context.
type inner = goka.Context

// recordContext is the context that callbacks get. Beside goka's methods it has
// RecordKey, RecordValue and RecordHeaders, for a consumer that declares them.
// Their bytes belong to sarama and are valid during the callback only. There is
// one object per partition, used again for every record.
type recordContext struct {
	inner
	part   *part
	engine *Engine
	record *sarama.ConsumerMessage
}

// wrap opens the bracket around a record; goka's mark closes it. It is called
// in the goroutine of the partition, just before the callback.
func (e *Engine) wrap(ctx goka.Context) goka.Context {
	p, m, err := e.intake(ctx)
	if err != nil {
		e.fail(&ProcessingError{Stage: "process", Err: err})
		ctx.Fail(err)
		// Fail returns while the partition stops. Without its original the
		// record would be taken for another one.
		panic(err)
	}
	c := &p.context
	c.inner, c.part, c.engine, c.record = ctx, p, e, m
	return c
}

// intake finds the record that goka is about to process.
func (e *Engine) intake(ctx goka.Context) (*part, *sarama.ConsumerMessage, error) {
	topic, partition, offset := string(ctx.Topic()), ctx.Partition(), ctx.Offset()
	s := e.session.Load()
	if s == nil {
		return nil, nil, fmt.Errorf("record %s/%d@%d is outside a session, want one", topic, partition, offset)
	}
	p := s.part(topic, partition)
	if p == nil {
		return nil, nil, fmt.Errorf("record %s/%d@%d is of an unassigned partition, want a claim", topic, partition, offset)
	}
	m := p.ring.take(offset)
	if m == nil {
		return nil, nil, fmt.Errorf("record %s/%d@%d is not kept, want it from the interceptor", topic, partition, offset)
	}
	if !p.track.begin(offset, m.Timestamp) {
		return nil, nil, fmt.Errorf("record %s/%d@%d is out of order, want ascending offsets", topic, partition, offset)
	}
	return p, m, nil
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

// Fail implements goka.Context. While a partition stops goka's Fail returns,
// and the record would be marked as if nothing had happened: it is struck out
// first.
func (c *recordContext) Fail(err error) {
	c.part.track.fail(c.record.Offset)
	c.engine.fail(&ProcessingError{Stage: "process", Err: err})
	c.inner.Fail(err)
}

// refuse ends the session for a call that a callback must not make.
func (c *recordContext) refuse(call, why string) {
	err := fmt.Errorf("callback calls %s, want none: %s", call, why)
	c.Fail(err)
	panic(err) // Fail returns while the partition stops, and the caller expects a result
}

// Loopback is refused: goka's loop topic keeps records for an hour.
func (c *recordContext) Loopback(string, any, ...goka.ContextOption) {
	c.refuse("Loopback", "its topic keeps records for an hour")
}

// DeferCommit is refused: a mark must come from the callback's own bracket.
func (c *recordContext) DeferCommit() func(error) {
	c.refuse("DeferCommit", "a record is marked when its callback and its writes have ended")
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
	p := s.part(m.Topic, m.Partition)
	if p == nil || !p.ring.put(m) {
		return
	}
	p.consumed.Inc()
	p.bytes.Add(float64(len(m.Key) + len(m.Value)))
}
