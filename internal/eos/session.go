package eos

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/IBM/sarama"

	"billstream/internal/failpoint"
)

// session is the sarama session that goka sees. Marks close the brackets of the
// parts; goka itself commits nothing.
type session struct {
	sarama.ConsumerGroupSession
	engine *Engine
	cancel context.CancelCauseFunc
	parts  []*part // ascending
	lookup map[string]map[int32]*input

	wakes chan struct{} // something is staged
	kicks chan struct{} // callbacks wait for room
	seals chan struct{} // a part has filled its slot

	staged    atomic.Int64 // bytes of the records marked and not yet committed
	committed atomic.Int64 // records, since the session began
	inFlight  atomic.Int64 // when the oldest record of the epoch under way was staged; 0: none is
	roomMu    sync.Mutex
	room      *sync.Cond // staged has fallen, or the session has ended

	failure atomic.Pointer[WriteError] // why the writer's work ended; set by the committer
}

func newSession(e *Engine, in sarama.ConsumerGroupSession, cancel context.CancelCauseFunc) *session {
	s := &session{
		ConsumerGroupSession: in, engine: e, cancel: cancel,
		lookup: map[string]map[int32]*input{},
		wakes:  make(chan struct{}, 1), kicks: make(chan struct{}, 1), seals: make(chan struct{}, 1),
	}
	s.room = sync.NewCond(&s.roomMu)
	claims := in.Claims()
	byNumber := map[int32]*part{}
	for i, topic := range slices.Sorted(maps.Keys(claims)) {
		s.lookup[topic] = map[int32]*input{}
		for _, n := range claims[topic] {
			p := byNumber[n]
			if p == nil {
				p = &part{session: s, number: n, next: newBuffer(len(claims)), committing: newBuffer(len(claims))}
				byNumber[n] = p
			}
			in := &input{part: p, index: i, topic: topic, ring: newRing(e.ringSize())}
			in.consumed, in.bytes = e.metrics.input(topic, n)
			p.inputs = append(p.inputs, in)
			s.lookup[topic][n] = in
		}
	}
	for _, n := range slices.Sorted(maps.Keys(byNumber)) {
		s.parts = append(s.parts, byNumber[n])
	}
	return s
}

// ringSize is how many records of a partition may be on their way from the
// interceptor to the callback: one more may be with sarama's feeder, one with
// goka's, one in the callback.
func (e *Engine) ringSize() int {
	if c := e.cfg.GroupConfig; c != nil {
		return e.cfg.Buffer + c.ChannelBufferSize + 4
	}
	return 2*e.cfg.Buffer + 4
}

// input returns an input of an assigned partition, nil for any other.
func (s *session) input(topic string, partition int32) *input { return s.lookup[topic][partition] }

// partitions returns the numbers of the assigned partitions, ascending.
func (s *session) partitions() []int32 {
	all := make([]int32, 0, len(s.parts))
	for _, p := range s.parts {
		all = append(all, p.number)
	}
	return all
}

// MarkOffset implements sarama.ConsumerGroupSession. goka calls it in the
// goroutine of the partition at the end of the callback, since nothing that the
// callback did is left to wait for.
func (s *session) MarkOffset(topic string, partition int32, offset int64, _ string) {
	in := s.input(topic, partition)
	if in == nil || in.part.context.input != in || in.part.context.record.Offset != offset-1 {
		err := fmt.Errorf("mark of %s/%d@%d is of a record that was never begun, want a begun one", topic, partition, offset-1)
		s.engine.fail(&ProcessingError{Stage: "process", Err: err})
		s.cancel(err)
		return
	}
	c := &in.part.context
	if c.failed && !failpoint.Control("max-mark") {
		return // the bracket stays open: what the record staged must not leave
	}
	in.mark(offset, c.record.Timestamp)
}

// MarkMessage implements sarama.ConsumerGroupSession.
func (s *session) MarkMessage(m *sarama.ConsumerMessage, metadata string) {
	s.MarkOffset(m.Topic, m.Partition, m.Offset+1, metadata)
}

// ResetOffset implements sarama.ConsumerGroupSession. Nothing may move a
// partition back behind the engine's knowledge.
func (s *session) ResetOffset(string, int32, int64, string) {}

// Commit implements sarama.ConsumerGroupSession; the session commits by itself.
func (s *session) Commit() {}

// wake tells the committer that there is something to do.
func (s *session) wake() { notify(s.wakes) }

// sealed tells the committer that a slot was filled.
func (s *session) sealed() { notify(s.seals) }

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is enough: whoever reads it looks at everything
	}
}

// awaitRoom waits while too much is staged, or until the session ends. It holds
// no lock meanwhile, so that the committer can seal the part.
func (s *session) awaitRoom(p *part) {
	if s.staged.Load() <= s.engine.cfg.MaxStaged {
		return
	}
	began := s.engine.cfg.Now()
	p.held.Store(true)
	s.wake()
	notify(s.kicks)
	s.roomMu.Lock()
	for s.staged.Load() > s.engine.cfg.MaxStaged && s.Context().Err() == nil {
		s.room.Wait()
	}
	s.roomMu.Unlock()
	p.held.Store(false)
	s.engine.metrics.phase("backpressure", s.engine.cfg.Now().Sub(began))
}

// release gives room for more.
func (s *session) release(bytes int64) {
	s.staged.Add(-bytes)
	s.roomMu.Lock()
	s.room.Broadcast()
	s.roomMu.Unlock()
}

// full reports whether callbacks wait for a commit.
func (s *session) full() bool { return s.staged.Load() > s.engine.cfg.MaxStaged }

// skipFailed marks the records that failed, which is the defect of a running
// maximum. It is a control: nothing but a test asks for it.
func (s *session) skipFailed() {
	for _, p := range s.parts {
		if !p.mu.TryLock() && p.context.record != nil {
			p.context.input.mark(p.context.record.Offset+1, p.context.record.Timestamp)
			continue
		}
		p.mu.Unlock()
	}
}

// end drops what was not committed: another session will process it again.
func (s *session) end() {
	dropped := 0
	for _, p := range s.parts {
		dropped += p.next.records
		if b := p.slot.Load(); b != nil {
			dropped += b.records
		}
		for _, in := range p.inputs {
			s.engine.metrics.forget(in.topic, p.number)
		}
		if s.engine.cfg.OnRevoke != nil {
			s.engine.cfg.OnRevoke(p.number)
		}
	}
	s.engine.metrics.aborted.Add(float64(dropped))
}
