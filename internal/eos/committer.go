package eos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"billstream/internal/failpoint"
)

// committer makes epochs of what the parts of a session stage, one at a time.
type committer struct {
	session *session
	pace    pace
	stop    chan struct{}
	ended   sync.WaitGroup
	ctx     context.Context // of writes: it outlives the session's
	cancel  context.CancelFunc
}

// lateness is how long a seal waits for running callbacks. A part that is late
// goes with the next epoch: a slow callback delays its own partition alone.
const lateness = 5 * time.Millisecond

func newCommitter(s *session) *committer {
	c := &committer{session: s, pace: pace{interval: s.engine.cfg.CommitInterval}, stop: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// start commits whenever something is staged, until finish.
func (c *committer) start() {
	c.ended.Go(func() {
		for {
			select {
			case <-c.stop:
				return
			case <-c.session.wakes:
			}
			if !c.rest() || c.session.failure.Load() != nil {
				return
			}
			c.commit()
		}
	})
}

// rest waits until the next epoch is due. Callbacks that wait for room cut it
// short.
func (c *committer) rest() bool {
	left := c.pace.due().Sub(c.session.engine.cfg.Now())
	if left <= 0 || c.session.full() {
		return true
	}
	due := time.NewTimer(left)
	defer due.Stop()
	select {
	case <-c.stop:
		return false
	case <-c.session.kicks:
	case <-due.C:
	}
	return true
}

// drainLimit is how long the end of a session waits for the epoch under way.
// It must fit into the rebalance timeout.
const drainLimit = 15 * time.Second

// finish stops the commits, waits for the one under way and commits the rest.
// goka's goroutines have ended by then: whatever lock is still held belongs to
// a callback that failed.
func (c *committer) finish() {
	close(c.stop)
	late := time.AfterFunc(drainLimit, c.cancel)
	defer c.cancel()
	defer late.Stop()
	c.ended.Wait()
	failpoint.Hit("eos.drain")
	if failpoint.Control("max-mark") {
		c.session.skipFailed()
	}
	// Twice: a part that was late has filled both buffers.
	for range 2 {
		if c.session.failure.Load() == nil {
			c.commit()
		}
	}
}

// commit seals what is staged and makes an epoch of it, if there is anything.
func (c *committer) commit() {
	e := c.session.engine
	began := e.cfg.Now()
	_, _, age := e.backlog()
	parts, buffers := c.seal()
	if len(parts) == 0 {
		return
	}
	c.pace.started = began
	c.session.inFlight.Store(began.Add(-age).UnixNano())
	defer c.session.inFlight.Store(0)
	sealed := e.cfg.Now()
	failpoint.Hit("eos.sealed")
	epoch := c.epoch(parts, buffers)
	err := c.write(epoch)
	ended := e.cfg.Now()
	c.pace.took = ended.Sub(began)
	e.metrics.phase("seal", sealed.Sub(began))
	e.metrics.phases(epoch.Took)
	if err != nil {
		c.fail(err, buffers)
		return
	}
	c.apply(epoch, parts, buffers)
	e.metrics.phase("store", e.cfg.Now().Sub(ended))
	e.metrics.committed(began, e.cfg.Now(), records(buffers))
	e.setLastCommit(e.cfg.Now())
}

// seal asks every part for what it has staged, and takes what it gets in time.
func (c *committer) seal() (parts []*part, buffers []*buffer) {
	for _, p := range c.session.parts {
		if p.slot.Load() != nil {
			c.session.wake() // it may have staged more behind what it sealed late
			continue
		}
		c.ask(p)
	}
	c.await()
	for _, p := range c.session.parts {
		if b := c.take(p); b != nil {
			parts, buffers = append(parts, p), append(buffers, b)
		}
	}
	return parts, buffers
}

// ask wants one buffer of a part. A part that was late still owes the one of
// the round before, and may fill its slot at any moment: asked again, it would
// seal a second time, over the first or over the buffer that is being written.
func (c *committer) ask(p *part) {
	if !p.asked {
		p.asked = true
		p.want.Store(true)
	}
	p.trySeal()
}

// take empties the slot of a part; nil if there is nothing to write.
func (c *committer) take(p *part) *buffer {
	b := p.slot.Swap(nil)
	if b == nil {
		return nil // late: it still owes it
	}
	p.asked = false
	if b == nothing {
		return nil
	}
	return b
}

// await waits until every slot is filled, but not for long.
func (c *committer) await() {
	late := time.NewTimer(lateness)
	defer late.Stop()
	for _, p := range c.session.parts {
		for p.slot.Load() == nil {
			select {
			case <-c.session.seals:
			case <-late.C:
				return
			}
		}
	}
}

// epoch puts together what the sealed buffers hold. The position rows stand
// last: whoever has read them has read the rest.
func (c *committer) epoch(parts []*part, buffers []*buffer) *Epoch {
	s := c.session
	e := &Epoch{Member: Member{
		Group: s.engine.cfg.Group, ID: s.MemberID(), Generation: s.GenerationID(), InstanceID: s.engine.instanceID(),
	}}
	for i, b := range buffers {
		p := EpochPart{Partition: parts[i].number, Outputs: b.outputs, Rows: b.rows, Marks: b.moved()}
		for _, m := range p.Marks {
			p.Rows = append(p.Rows, s.engine.cfg.PositionRow(m))
		}
		e.Parts = append(e.Parts, p)
	}
	return e
}

// write makes the epoch durable.
func (c *committer) write(epoch *Epoch) *WriteError {
	if failpoint.Control("early-store") {
		for i := range epoch.Parts {
			p := epoch.Parts[i] // a copy: its offset is not known yet
			base := c.session.engine.cfg.Bases.At(p.Partition)
			p.LastRow, _ = base.offset()
			p.LastRow++
			_ = base.apply(&p)
		}
	}
	err := c.session.engine.cfg.Writer.Write(c.ctx, epoch)
	return writeError(err)
}

// apply makes a committed epoch the state. Nobody may see a row before that:
// what is not committed has not happened.
func (c *committer) apply(epoch *Epoch, parts []*part, buffers []*buffer) {
	s := c.session
	var room int64
	for i, p := range parts {
		room += buffers[i].counted
		if err := p.base.apply(&epoch.Parts[i]); err != nil {
			// What callbacks read from now on may lack these rows. The next
			// session reads them from the changelog.
			failed := &WriteError{Failure: Unknown, Step: "apply", Err: fmt.Errorf("rows of partition %d: %w", p.number, err)}
			s.failure.Store(failed)
			s.engine.setWriterError(failed)
			s.cancel(failed)
			continue
		}
		p.base.fresh(s.engine.cfg.Now())
		s.engine.cfg.Bases.changed(p.number)
	}
	failpoint.Hit("eos.after-store")
	c.tell(epoch)
	s.committed.Add(int64(records(buffers)))
	s.release(room)
}

// tell passes the committed offsets on.
func (c *committer) tell(epoch *Epoch) {
	told := c.session.engine.cfg.OnCommit
	if told == nil {
		return
	}
	for i := range epoch.Parts {
		for _, m := range epoch.Parts[i].Marks {
			told(m.Topic, m.Partition, m.Next)
		}
	}
}

// fail ends the session: what is staged may be half of what another session
// finds, so none of it is used.
func (c *committer) fail(err *WriteError, buffers []*buffer) {
	s := c.session
	s.failure.Store(err)
	s.engine.metrics.dropped(err.Failure)
	s.engine.setWriterError(err)
	s.engine.metrics.aborted.Add(float64(records(buffers)))
	s.engine.cfg.Log.Warn("commit failed, epoch dropped", "group", s.engine.cfg.Group,
		"reason", string(err.Failure), "records", records(buffers), "err", err)
	s.cancel(err)
	s.release(0)
}

func records(buffers []*buffer) (n int) {
	for _, b := range buffers {
		n += b.records
	}
	return n
}

// writeError makes sure that an error says what it means.
func writeError(err error) *WriteError {
	if err == nil {
		return nil
	}
	if w, ok := errors.AsType[*WriteError](err); ok {
		return w
	}
	return &WriteError{Failure: Aborted, Step: "write", Err: err}
}
