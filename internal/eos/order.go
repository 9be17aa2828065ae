package eos

import (
	"errors"
	"hash/maphash"
	"sync"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
)

// orderedProducer holds a row back until the outputs that the same key has
// before it are acknowledged. A crash then leaves an output without its row,
// and the event is processed again to the same output; the other way round the
// row would say that the event is done, and the output would never be written.
//
//	Emit output ──────────────> inner ──ack──┐
//	Emit row ──> lane, behind the outputs ──>┴──> sender ──> inner ──ack──> promise
//
// A row is sent by a goroutine of its own: acknowledgements come from the
// goroutine that makes room in the inner producer, which must not wait for it.
type orderedProducer struct {
	inner  goka.Producer
	table  string
	seed   maphash.Seed
	failed func(error) // told of every write's end, for the first cause
	lanes  [256]lane
	slots  chan struct{} // one for each row between Emit and the inner producer
	ready  chan *held    // as long as slots: a send never waits
	sender sync.WaitGroup
}

// maxHeld is how many rows may wait; then callbacks wait.
const maxHeld = 16384

// lane keeps the order of the writes of some keys.
type lane struct {
	mu     sync.Mutex
	queue  []*held
	broken error // an output was not written: no later row may be
}

// held is a write in its lane: an output that is on its way, or a row.
type held struct {
	acked  bool                 // of an output
	finish goka.PromiseFinisher // of a row; nil for an output

	topic, key string
	value      []byte
	headers    goka.Headers
}

var errProducerClosed = errors.New("producer is closed")

func newOrderedProducer(inner goka.Producer, table string, failed func(error)) *orderedProducer {
	p := &orderedProducer{
		inner: inner, table: table, seed: maphash.MakeSeed(), failed: failed,
		slots: make(chan struct{}, maxHeld), ready: make(chan *held, maxHeld),
	}
	p.sender.Go(func() {
		for h := range p.ready {
			finish := h.finish
			p.inner.EmitWithHeaders(h.topic, h.key, h.value, h.headers).ThenWithMessage(func(m *sarama.ProducerMessage, err error) {
				finish(m, err)
			})
			<-p.slots
		}
	})
	return p
}

// Emit implements goka.Producer.
func (p *orderedProducer) Emit(topic, key string, value []byte) *goka.Promise {
	return p.EmitWithHeaders(topic, key, value, nil)
}

// EmitWithHeaders implements goka.Producer. It waits while too much is held.
func (p *orderedProducer) EmitWithHeaders(topic, key string, value []byte, headers goka.Headers) *goka.Promise {
	l := p.lane(key)
	if topic == p.table {
		return p.hold(l, &held{topic: topic, key: key, value: value, headers: headers})
	}
	h := &held{}
	l.mu.Lock()
	l.queue = append(l.queue, h)
	l.mu.Unlock()
	return p.inner.EmitWithHeaders(topic, key, value, headers).Then(func(err error) {
		p.failed(err)
		p.acknowledge(l, h, err)
	})
}

func (p *orderedProducer) lane(key string) *lane {
	return &p.lanes[maphash.String(p.seed, key)%uint64(len(p.lanes))]
}

// hold queues a row and sends it if nothing is before it.
func (p *orderedProducer) hold(l *lane, h *held) *goka.Promise {
	promise, finish := goka.NewPromiseWithFinisher()
	h.finish = finish
	promise.Then(p.failed)
	p.slots <- struct{}{}
	l.mu.Lock()
	l.queue = append(l.queue, h)
	dead := l.advance(p.ready)
	l.mu.Unlock()
	p.drop(l, dead)
	return promise
}

// acknowledge notes the end of an output and sends the rows that waited for it.
func (p *orderedProducer) acknowledge(l *lane, h *held, err error) {
	l.mu.Lock()
	h.acked = true
	if err != nil && l.broken == nil {
		l.broken = err
	}
	dead := l.advance(p.ready)
	l.mu.Unlock()
	p.drop(l, dead)
}

// advance takes what needs to wait no longer from the front of the lane. In a
// broken lane the rows come back as dead.
func (l *lane) advance(ready chan<- *held) (dead []*held) {
	n := 0
	for ; n < len(l.queue); n++ {
		h := l.queue[n]
		switch {
		case h.finish != nil && l.broken != nil:
			dead = append(dead, h)
		case h.finish != nil:
			ready <- h
		case !h.acked && l.broken == nil:
			l.queue = l.queue[n:]
			return dead
		}
	}
	l.queue = nil
	return dead
}

// drop fails the rows behind an output that was not written.
func (p *orderedProducer) drop(l *lane, dead []*held) {
	for _, h := range dead {
		<-p.slots
		h.finish(nil, l.broken)
	}
}

// Close implements goka.Producer. Rows that still wait are not written.
func (p *orderedProducer) Close() error {
	for i := range p.lanes {
		l := &p.lanes[i]
		l.mu.Lock()
		if l.broken == nil {
			l.broken = errProducerClosed
		}
		dead := l.advance(p.ready)
		l.mu.Unlock()
		p.drop(l, dead)
	}
	close(p.ready)
	p.sender.Wait()
	return p.inner.Close()
}
