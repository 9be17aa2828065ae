package eos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// Pauses of the loop over sessions.
const (
	firstPause    = 100 * time.Millisecond // after broker trouble or a short session, doubling
	lastPause     = 5 * time.Second
	unstablePause = 250 * time.Millisecond // while somebody's transaction holds the offsets
	droppedPause  = 50 * time.Millisecond  // after an epoch that was dropped
	deniedPause   = 5 * time.Second        // while a right or a login is missing
	shortSession  = time.Second
)

// group is the sarama.ConsumerGroup that goka gets. Its Consume goes from
// session to session by itself and returns only for good: goka pauses for five
// seconds whenever Consume returns.
type group struct {
	engine *Engine
	errs   chan error // what goka reads; nothing is ever sent

	mu     sync.Mutex
	member sarama.ConsumerGroup // nil until the first session
	closed bool
}

// buildGroup implements goka.ConsumerGroupBuilder. The member itself is opened
// by Consume, where a broker that is down can be waited for.
func (e *Engine) buildGroup([]string, string, string) (sarama.ConsumerGroup, error) {
	return &group{engine: e, errs: make(chan error)}, nil
}

// Consume implements sarama.ConsumerGroup. It returns nil once ctx ends, and
// otherwise a *RefusedError, a *FencedError or a *ProcessingError.
func (g *group) Consume(ctx context.Context, topics []string, handler sarama.ConsumerGroupHandler) error {
	var pause time.Duration
	for {
		g.engine.takeFailure()
		g.engine.cfg.Recovery.takeBroken()
		began := g.engine.cfg.Now()
		h := &sessionHandler{engine: g.engine, handler: handler}
		err := g.consume(ctx, topics, h)
		err = g.judge(ctx, h, err)
		if ctx.Err() != nil && !final(err) {
			g.engine.setStatus(false, "stopped", nil)
			return nil
		}
		switch {
		case final(err):
			g.engine.setStatus(false, "session failed", nil)
			g.engine.sayFenced(err)
			return err
		case errors.Is(err, sarama.ErrUnstableOffsetCommit):
			pause = unstablePause
		case isDenied(err):
			pause = deniedPause
		case isDropped(err) && pause == 0:
			pause = droppedPause
		case err != nil || g.engine.cfg.Now().Sub(began) < shortSession:
			pause = min(max(2*pause, firstPause), lastPause)
		default:
			pause = 0
		}
		g.engine.interrupted(err, pause)
		select {
		case <-ctx.Done():
			g.engine.setStatus(false, "stopped", nil)
			return nil
		case <-time.After(pause):
		}
	}
}

// consume runs one session and returns what ended it, nil for a rebalance.
func (g *group) consume(ctx context.Context, topics []string, h *sessionHandler) error {
	if err := g.engine.cfg.Writer.Open(ctx); err != nil {
		return g.engine.writerFailed(writeError(err))
	}
	member, err := g.open()
	if err != nil {
		return err
	}
	sctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h.cancel = cancel
	heard := g.engine.listen(member.Errors(), h.hear)
	err = member.Consume(sctx, topics, h)
	heard()
	if h.session != nil {
		if w := h.session.failure.Load(); w != nil {
			return g.engine.writerFailed(w)
		}
	}
	return err
}

// writerFailed gives the writer's identity up and returns what its error means
// for the loop. Nobody takes an identity again that somebody else has: two
// twins must not fence each other for ever.
func (e *Engine) writerFailed(err *WriteError) error {
	e.setWriterError(err)
	switch err.Failure {
	case Fenced:
		e.metrics.restarts["fenced"].Inc()
		return e.fenced(err)
	case Unsupported:
		return refused(err)
	case Aborted, Lost:
		e.metrics.restarts["aborted"].Inc()
	default:
		e.metrics.restarts["error"].Inc()
	}
	e.cfg.Writer.Reset()
	return err
}

func isDenied(err error) bool {
	w, ok := errors.AsType[*WriteError](err)
	return ok && w.Failure == Unauthorized
}

func isDropped(err error) bool {
	_, ok := errors.AsType[*WriteError](err)
	return ok
}

// listen passes the member's errors to hear until the returned func is called.
// That one waits, and leaves no error of the session unheard: sarama drops
// what nobody reads.
func (e *Engine) listen(errs <-chan error, hear func(error)) func() {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case err, ok := <-errs:
				if !ok {
					return
				}
				hear(err)
			case <-stop:
				return
			}
		}
	})
	return func() {
		close(stop)
		wg.Wait()
		for {
			select {
			case err, ok := <-errs:
				if !ok {
					return
				}
				hear(err)
			default:
				return
			}
		}
	}
}

// judge turns what is known about the end of a session into one error. Identity
// and refusals come before what goka says, which they may have caused.
func (g *group) judge(ctx context.Context, h *sessionHandler, err error) error {
	e := g.engine
	seen, broken := e.takeFailure(), e.cfg.Recovery.takeBroken()
	if errors.Is(err, sarama.ErrFencedInstancedId) {
		seen = e.fenced(err)
	}
	if identity(err) {
		seen = err
	}
	if r := e.cfg.Recovery.Refused(); r != nil {
		seen = r
	}
	switch {
	case identity(seen):
		return seen
	case ctx.Err() != nil:
		return nil
	case h.failed() != nil:
		stage, cause := h.failure()
		e.cfg.Log.Error("session failed", "group", e.cfg.Group, "stage", stage, "places", places(cause))
		if seen == nil && broken != nil {
			seen = &ProcessingError{Stage: stage, Err: broken}
		}
		return strip(stage, cause, seen)
	case errors.Is(err, sarama.ErrClosedConsumerGroup):
		return &ProcessingError{Stage: "consume", Err: err}
	case err == nil:
		return seen
	}
	if _, ok := errors.AsType[sarama.ConfigurationError](err); ok {
		return refused(err)
	}
	return cmp.Or(seen, err)
}

// identity reports whether err ends the process rather than the session.
func identity(err error) bool {
	_, isRefused := errors.AsType[*RefusedError](err)
	_, isFenced := errors.AsType[*FencedError](err)
	return isRefused || isFenced
}

// final reports whether Consume must return err to goka.
func final(err error) bool {
	_, isProcessing := errors.AsType[*ProcessingError](err)
	return isProcessing || identity(err)
}

// fenced names the identity that somebody else has.
func (e *Engine) fenced(err error) error {
	return &FencedError{Group: e.cfg.Group, InstanceID: e.instanceID(), Err: err}
}

// sayFenced logs which answer told that our name is taken.
func (e *Engine) sayFenced(err error) {
	if f, ok := errors.AsType[*FencedError](err); ok {
		e.cfg.Log.Error("fenced", "group", f.Group, "instance", f.InstanceID, "err", f.Err)
	}
}

func (e *Engine) instanceID() string {
	if e.cfg.GroupConfig == nil {
		return ""
	}
	return e.cfg.GroupConfig.Consumer.Group.InstanceId
}

// interrupted says that the member is between two sessions.
func (e *Engine) interrupted(err error, pause time.Duration) {
	if err == nil {
		e.setStatus(false, "rebalancing", nil)
		return
	}
	e.metrics.failed.Inc()
	if w, ok := errors.AsType[*WriteError](err); ok {
		if w.Step != "open" {
			e.setStatus(false, fmt.Sprintf("epoch dropped: %s", w.Failure), nil)
			return // the committer has said so
		}
		e.setStatus(false, "no identity: "+w.Error(), nil)
		e.cfg.Log.Warn("writer not opened", "group", e.cfg.Group, "reason", string(w.Failure), "err", err, "pause", pause)
		return
	}
	e.setStatus(false, "no session with the brokers", nil)
	e.cfg.Log.Warn("session ended", "group", e.cfg.Group, "err", err, "pause", pause)
}

// open returns the member, which it makes at first.
func (g *group) open() (sarama.ConsumerGroup, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, sarama.ErrClosedConsumerGroup
	}
	if g.member != nil {
		return g.member, nil
	}
	m, err := g.engine.newMember()
	if err != nil {
		return nil, fmt.Errorf("join group %s: %w", g.engine.cfg.Group, err)
	}
	g.member = m
	return m, nil
}

func (e *Engine) newMember() (sarama.ConsumerGroup, error) {
	seen := interceptor{e}
	if e.cfg.NewGroup != nil {
		return e.cfg.NewGroup(seen)
	}
	c := *e.cfg.GroupConfig
	c.Consumer.Interceptors = append([]sarama.ConsumerInterceptor{seen}, c.Consumer.Interceptors...)
	return sarama.NewConsumerGroup(e.cfg.Brokers, e.cfg.Group, &c)
}

// Errors implements sarama.ConsumerGroup. Nothing comes: the loop judges errors.
func (g *group) Errors() <-chan error { return g.errs }

// Close implements sarama.ConsumerGroup: it leaves the group.
func (g *group) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	if g.member == nil {
		return nil
	}
	return g.member.Close()
}

// Pause implements sarama.ConsumerGroup; goka does not call it.
func (g *group) Pause(map[string][]int32) {}

// Resume implements sarama.ConsumerGroup; goka does not call it.
func (g *group) Resume(map[string][]int32) {}

// PauseAll implements sarama.ConsumerGroup; goka does not call it.
func (g *group) PauseAll() {}

// ResumeAll implements sarama.ConsumerGroup; goka does not call it.
func (g *group) ResumeAll() {}
