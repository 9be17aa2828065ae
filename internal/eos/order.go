package eos

import (
	"errors"
	"hash/maphash"
	"sync"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
)

// orderedProducer keeps the writes of a key in an order that survives a crash
// and a refused write. An output is sent when the one before it is
// acknowledged, a row when the outputs before it are. So whatever breaks off,
// what was written is a beginning of what was to be written, and the event
// behind it is processed again to the same output. With a row before its
// output, the row would say that the event is done; with two outputs on their
// way, the second could be written although the first was refused.
//
//	Emit ──> lane of the key ──first in it──> sender ──> inner ──ack──┐
//	             ▲                                                    │
//	             └──────────── the next output, or rows ──────────────┘
//
// A goroutine of its own sends: acknowledgements come from the goroutine that
// makes room in the inner producer, which must not wait for it.
type orderedProducer struct {
	inner  goka.Producer
	table  string
	seed   maphash.Seed
	failed func(error) // told of every write's end, for the first cause
	lanes  [lanes]lane
	slots  chan struct{} // one for each write between Emit and the inner producer
	ready  chan *held    // as long as slots: a send never waits
	sender sync.WaitGroup
}

const (
	// lanes bounds how many outputs are on their way at a time; keys that share
	// a lane wait for one another.
	lanes = 4096
	// maxHeld is how many writes may wait; then callbacks wait.
	maxHeld = 16384
)

// lane keeps the order of the writes of some keys. At most its first write, an
// output, is on its way.
type lane struct {
	mu     sync.Mutex
	queue  []*held
	broken error // an output was not written: nothing behind it may be
}

// held is a write in its lane.
type held struct {
	output bool // not a row
	sent   bool // of an output: on its way
	finish goka.PromiseFinisher

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
			p.send(h)
			<-p.slots
		}
	})
	return p
}

// send hands a write to the inner producer. The lane moves on before the
// promise resolves, since that may end the session.
func (p *orderedProducer) send(h *held) {
	p.inner.EmitWithHeaders(h.topic, h.key, h.value, h.headers).ThenWithMessage(func(m *sarama.ProducerMessage, err error) {
		if h.output {
			p.acknowledge(p.lane(h.key), err)
		}
		h.finish(m, err)
	})
}

// Emit implements goka.Producer.
func (p *orderedProducer) Emit(topic, key string, value []byte) *goka.Promise {
	return p.EmitWithHeaders(topic, key, value, nil)
}

// EmitWithHeaders implements goka.Producer. It waits while too much is held.
func (p *orderedProducer) EmitWithHeaders(topic, key string, value []byte, headers goka.Headers) *goka.Promise {
	promise, finish := goka.NewPromiseWithFinisher()
	promise.Then(p.failed)
	p.slots <- struct{}{}
	p.enter(p.lane(key), &held{output: topic != p.table, finish: finish, topic: topic, key: key, value: value, headers: headers})
	return promise
}

func (p *orderedProducer) lane(key string) *lane {
	return &p.lanes[maphash.String(p.seed, key)%uint64(len(p.lanes))]
}

// enter queues a write and sends it if nothing is before it.
func (p *orderedProducer) enter(l *lane, h *held) {
	l.mu.Lock()
	l.queue = append(l.queue, h)
	dead := l.advance(p.ready)
	l.mu.Unlock()
	p.drop(l, dead)
}

// acknowledge notes the end of the output at the front and sends what waited
// for it.
func (p *orderedProducer) acknowledge(l *lane, err error) {
	l.mu.Lock()
	if err != nil && l.broken == nil {
		l.broken = err
	}
	l.queue = l.queue[1:]
	dead := l.advance(p.ready)
	l.mu.Unlock()
	p.drop(l, dead)
}

// advance sends from the front of the lane what needs to wait no longer. In a
// broken lane it gives back everything that is not on its way.
func (l *lane) advance(ready chan<- *held) (dead []*held) {
	for len(l.queue) > 0 {
		h := l.queue[0]
		switch {
		case h.sent && l.broken == nil:
			return nil
		case h.sent:
			dead = append(dead, l.queue[1:]...)
			l.queue = l.queue[:1]
			return dead
		case l.broken != nil:
			dead = append(dead, h)
		case h.output:
			h.sent = true
			ready <- h
			return nil
		default:
			ready <- h
		}
		l.queue = l.queue[1:]
	}
	return dead
}

// drop fails the writes behind an output that was not written.
func (p *orderedProducer) drop(l *lane, dead []*held) {
	for _, h := range dead {
		<-p.slots
		h.finish(nil, l.broken)
	}
}

// Close implements goka.Producer. What still waits is not written.
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
