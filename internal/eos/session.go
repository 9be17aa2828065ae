package eos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
)

// part is one input partition in a session.
type part struct {
	topic     string
	partition int32
	ring      *ring
	track     track
	context   recordContext
	consumed  prometheus.Counter
	bytes     prometheus.Counter
}

// session is the sarama session that goka sees. Marks go to the tracks; goka
// itself commits nothing.
type session struct {
	sarama.ConsumerGroupSession
	engine *Engine
	cancel context.CancelCauseFunc
	parts  []*part // by topic and partition
	lookup map[string]map[int32]*part

	stopping chan struct{}
	stopOnce sync.Once
	wg       sync.WaitGroup
	lost     bool // the coordinator has refused a commit; of the committer alone
}

func newSession(e *Engine, in sarama.ConsumerGroupSession, cancel context.CancelCauseFunc) *session {
	s := &session{
		ConsumerGroupSession: in, engine: e, cancel: cancel,
		lookup: map[string]map[int32]*part{}, stopping: make(chan struct{}),
	}
	// One record may be with sarama's feeder, one with goka's, one in the callback.
	kept := e.cfg.Buffer + 4
	if c := e.cfg.GroupConfig; c != nil {
		kept += c.ChannelBufferSize
	} else {
		kept += e.cfg.Buffer
	}
	claims := in.Claims()
	for _, topic := range slices.Sorted(maps.Keys(claims)) {
		s.lookup[topic] = map[int32]*part{}
		for _, n := range slices.Sorted(slices.Values(claims[topic])) {
			p := &part{topic: topic, partition: n, ring: newRing(kept)}
			p.consumed, p.bytes = e.metrics.input(topic, n)
			s.parts = append(s.parts, p)
			s.lookup[topic][n] = p
		}
	}
	return s
}

// part returns an assigned partition, nil for any other.
func (s *session) part(topic string, partition int32) *part { return s.lookup[topic][partition] }

// partitions returns the numbers of the assigned partitions, ascending.
func (s *session) partitions() []int32 {
	all := make([]int32, 0, len(s.parts))
	for _, p := range s.parts {
		all = append(all, p.partition)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// MarkOffset implements sarama.ConsumerGroupSession. goka calls it once every
// write of a record is acknowledged.
func (s *session) MarkOffset(topic string, partition int32, offset int64, _ string) {
	p := s.part(topic, partition)
	if p != nil && p.track.mark(offset) {
		return
	}
	err := fmt.Errorf("mark of %s/%d@%d is of a record that was never begun, want a begun one", topic, partition, offset-1)
	s.engine.fail(&ProcessingError{Stage: "process", Err: err})
	s.cancel(err)
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

// start commits every interval until stop.
func (s *session) start() {
	s.wg.Go(func() {
		tick := time.NewTicker(s.engine.cfg.CommitInterval)
		defer tick.Stop()
		for {
			select {
			case <-s.stopping:
				return
			case <-tick.C:
				s.commitNow()
			}
		}
	})
}

// stop ends the commits and waits for the one under way.
func (s *session) stop() {
	s.stopOnce.Do(func() { close(s.stopping) })
	s.wg.Wait()
}

// end drops what was not committed: another session will process it again.
func (s *session) end() {
	for _, p := range s.parts {
		p.track.close()
		s.engine.metrics.forget(p.topic, p.partition)
	}
	if s.engine.cfg.OnRevoke == nil {
		return
	}
	for _, n := range s.partitions() {
		s.engine.cfg.OnRevoke(n)
	}
}

// commitTimeout bounds one commit. It outlives the session's context: a commit
// that is under way when the session ends is still good. Two of them and goka's
// own stop must fit into the rebalance timeout.
const commitTimeout = 5 * time.Second

// commitNow commits what has moved. A commit that got no answer is tried again
// with the next; one that was refused ends the session.
func (s *session) commitNow() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.Context()), commitTimeout)
	defer cancel()
	if err := s.commit(ctx); err != nil {
		s.engine.cfg.Log.Warn("commit failed", "group", s.engine.cfg.Group, "err", err)
	}
}

// commitLast commits the rest within a bound, once goka has finished.
func (s *session) commitLast() {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	for pause := 20 * time.Millisecond; ; pause *= 2 {
		err := s.commit(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			s.engine.cfg.Log.Warn("last commit of a session failed", "group", s.engine.cfg.Group, "err", err)
			return
		case <-time.After(pause):
		}
	}
}

// move is a partition to be committed.
type move struct {
	*part
	mark    PositionMark
	records int
}

// moved returns the partitions whose marked prefix has grown.
func (s *session) moved() (moves []move, records int) {
	for _, p := range s.parts {
		next, at, n := p.track.due()
		if n == 0 {
			continue
		}
		mark := PositionMark{Topic: p.topic, Partition: p.partition, Next: next, RecordedAt: at}
		moves = append(moves, move{part: p, mark: mark, records: n})
		records += n
	}
	return moves, records
}

// commit writes the position rows and then commits the offsets of the
// partitions that have moved, if any.
func (s *session) commit(ctx context.Context) error {
	moves, records := s.moved()
	if len(moves) == 0 || s.lost {
		return nil
	}
	m, now := s.engine.metrics, s.engine.cfg.Now
	began := now()
	err := s.write(ctx, moves)
	m.result(err).Inc()
	if isLost(err) {
		s.lost = true
		if errors.Is(err, sarama.ErrFencedInstancedId) {
			s.engine.fail(s.engine.fenced(err))
		}
		s.cancel(err)
	}
	if err != nil {
		return err
	}
	for _, v := range moves {
		v.track.commit(v.records)
		if s.engine.cfg.OnCommit != nil {
			s.engine.cfg.OnCommit(v.topic, v.partition, v.mark.Next)
		}
	}
	m.committed(began, now(), records)
	s.engine.setLastCommit(now())
	return nil
}

// write makes the marks durable: rows first, so that no committed offset is
// ahead of its position row.
func (s *session) write(ctx context.Context, moves []move) error {
	marks := make([]PositionMark, 0, len(moves))
	for _, v := range moves {
		marks = append(marks, v.mark)
	}
	if err := s.engine.cfg.WritePosition(ctx, marks); err != nil {
		return fmt.Errorf("write position rows: %w", err)
	}
	o := Offsets{Group: s.engine.cfg.Group, Member: s.MemberID(), Generation: s.GenerationID(), InstanceID: s.engine.instanceID(), Marks: marks}
	if err := s.engine.commitOffsets(ctx, o); err != nil {
		return fmt.Errorf("commit offsets: %w", err)
	}
	return nil
}

// isLost reports whether the coordinator no longer takes this session's word.
func isLost(err error) bool {
	return errors.Is(err, sarama.ErrIllegalGeneration) || errors.Is(err, sarama.ErrUnknownMemberId) ||
		errors.Is(err, sarama.ErrFencedInstancedId)
}

func (e *Engine) setLastCommit(at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status.LastCommit = at
}
