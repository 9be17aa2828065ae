package eos

import (
	"context"
	"errors"
	"time"
)

// ErrStuck means that a partition had input and made no progress for the
// watchdog's time. A new processor may free it.
var ErrStuck = errors.New("partition makes no progress")

// watch looks for parts that stand still although records wait for them, until
// ctx ends. Waiting for room is no standstill of theirs: then it is the
// brokers that do not take an epoch.
func (s *session) watch(ctx context.Context) {
	type seen struct {
		done  int64
		since time.Time
	}
	limit := s.engine.cfg.Watchdog
	last := make([]seen, len(s.parts))
	tick := time.NewTicker(max(limit/10, time.Millisecond))
	defer tick.Stop()
	for {
		now := s.engine.cfg.Now()
		for i, p := range s.parts {
			done := p.done.Load()
			if done != last[i].done || p.idle() || p.held.Load() || last[i].since.IsZero() {
				last[i] = seen{done, now}
				continue
			}
			if now.Sub(last[i].since) >= limit {
				s.stuck(p)
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// stuck ends the session because of a part.
func (s *session) stuck(p *part) {
	e := s.engine
	e.metrics.watchdog.Inc()
	e.cfg.Log.Error("partition makes no progress", "group", e.cfg.Group, "partition", p.number, "duration", e.cfg.Watchdog)
	if e.cfg.OnStuck != nil {
		e.cfg.OnStuck(p.number)
	}
	err := &ProcessingError{Stage: "process", Err: ErrStuck}
	e.fail(err)
	s.cancel(err)
}

// backlog returns what is staged and not yet committed, and the age of its
// oldest record.
func (e *Engine) backlog() (records, bytes int64, age time.Duration) {
	s := e.session.Load()
	if s == nil {
		return 0, 0, 0
	}
	oldest := s.inFlight.Load()
	for _, p := range s.parts {
		records += p.done.Load()
		if at := p.since.Load(); at > 0 && (oldest == 0 || at < oldest) {
			oldest = at
		}
	}
	records = max(0, records-s.committed.Load())
	if oldest > 0 {
		age = max(0, e.cfg.Now().Sub(time.Unix(0, oldest)))
	}
	return records, max(0, s.staged.Load()), age
}

// buffered counts the records that were fetched and wait for their partition.
func (e *Engine) buffered() float64 {
	n := 0
	if s := e.session.Load(); s != nil {
		for _, p := range s.parts {
			for _, in := range p.inputs {
				n += in.ring.len()
			}
		}
	}
	return float64(n)
}
