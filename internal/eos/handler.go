package eos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/IBM/sarama"

	"billstream/internal/failpoint"
)

// sessionHandler stands between sarama and goka for one session.
//
//	Setup: recovery ──> claims, commits ──> Cleanup: goka ──> last commits ──> end
type sessionHandler struct {
	engine    *Engine
	handler   sarama.ConsumerGroupHandler // goka's processor
	cancel    context.CancelCauseFunc     // ends the session
	session   *session                    // set by Setup
	committer *committer                  // set by Setup
	watch     sync.WaitGroup              // the watchdog
	unwatch   context.CancelFunc          // ends it; nil before it was started

	mu    sync.Mutex
	stage string
	err   error // the first error of goka
}

// fail keeps goka's first error and the step that gave it.
func (h *sessionHandler) fail(stage string, err error) error {
	if err == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		h.stage, h.err = stage, err
	}
	return err
}

func (h *sessionHandler) failure() (stage string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stage, h.err
}

func (h *sessionHandler) failed() error {
	_, err := h.failure()
	return err
}

// hear judges an error that sarama reported beside the session. A claim that
// cannot start at its offset ends the session with no error at all: unheard,
// one session would follow the other some thousand times in a second.
func (h *sessionHandler) hear(err error) {
	e := h.engine
	if errors.Is(err, sarama.ErrFencedInstancedId) {
		e.fail(e.fenced(err))
		h.cancel(err)
		return
	}
	ce, ok := errors.AsType[*sarama.ConsumerError](err)
	if ok && errors.Is(err, sarama.ErrOffsetOutOfRange) && slices.Contains(e.cfg.Inputs, ce.Topic) {
		e.fail(&RefusedError{
			Err:    fmt.Errorf("committed offset of %s/%d is outside the topic, want a record that still exists", ce.Topic, ce.Partition),
			Advice: "records were deleted before they were billed, or the topic was made anew: compare the topic with the group's offsets",
		})
		h.cancel(err)
		return
	}
	if h.failed() == nil && !errors.Is(err, context.Canceled) {
		e.cfg.Log.Debug("group reported an error", "group", e.cfg.Group, "err", err)
	}
}

// Setup implements sarama.ConsumerGroupHandler: it prepares the session, lets
// goka recover, and starts to commit.
func (h *sessionHandler) Setup(inner sarama.ConsumerGroupSession) error {
	e := h.engine
	failpoint.Hit("eos.setup")
	h.session = newSession(e, inner, h.cancel)
	context.AfterFunc(inner.Context(), func() { h.session.release(0) }) // whoever waits for room
	h.committer = newCommitter(h.session)
	if err := e.cfg.Bases.check(h.session.partitions()...); err != nil {
		return h.fail("setup", e.cfg.Recovery.refuse(err))
	}
	e.cfg.Bases.own(h.session.partitions())
	for _, p := range h.session.parts {
		p.base = e.cfg.Bases.At(p.number)
	}
	e.session.Store(h.session)
	e.cfg.Recovery.expect(h.session.partitions())
	e.setStatus(false, "recovering", func(s *Status) {
		s.Generation, s.Member = inner.GenerationID(), inner.MemberID()
		s.Partitions = h.session.partitions()
	})
	err := h.handler.Setup(h.session)
	if inner.Context().Err() != nil {
		return nil // goka takes an interrupted recovery for a good one, or not; no claim will start
	}
	if err != nil {
		return h.fail("setup", err)
	}
	for _, p := range h.session.partitions() {
		if _, ok := e.cfg.Recovery.Ready(p); !ok {
			return h.fail("setup", fmt.Errorf("partition %d is not recovered", p))
		}
	}
	e.metrics.rebalanced(e.cfg.Now())
	e.setStatus(true, "", nil)
	e.cfg.Log.Info("rebalance", "group", e.cfg.Group, "generation", inner.GenerationID(), "partitions", h.session.partitions())
	h.committer.start()
	var watching context.Context
	watching, h.unwatch = context.WithCancel(inner.Context())
	h.watch.Go(func() { h.session.watch(watching) })
	return nil
}

// ConsumeClaim implements sarama.ConsumerGroupHandler.
func (h *sessionHandler) ConsumeClaim(inner sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	if inner.Context().Err() != nil {
		return nil
	}
	return h.fail("consume", h.handler.ConsumeClaim(h.session, claim))
}

// Cleanup implements sarama.ConsumerGroupHandler. The generation is valid until
// it returns, so what the callbacks finished is committed here.
func (h *sessionHandler) Cleanup(sarama.ConsumerGroupSession) error {
	e := h.engine
	failpoint.Hit("eos.cleanup")
	e.metrics.revoking(e.cfg.Now())
	e.setStatus(false, "rebalancing", func(s *Status) { s.Partitions = nil })
	err := h.fail("process", h.handler.Cleanup(h.session))
	if h.unwatch != nil {
		h.unwatch()
	}
	h.watch.Wait()
	h.committer.finish()
	h.session.end()
	err = errors.Join(err, h.fail("cleanup", e.cfg.Bases.disown(h.session.partitions())))
	e.session.CompareAndSwap(h.session, nil)
	e.cfg.Recovery.forget(h.session.partitions())
	return err
}
