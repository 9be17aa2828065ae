package eos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"billstream/internal/failpoint"
)

// errInterrupted means that the session ended while a partition recovered.
var errInterrupted = errors.New("recovery was interrupted")

// reloadPause lies between two tries at a table that cannot be read.
const reloadPause = 250 * time.Millisecond

// load brings the base of a partition up to the end of its changelog, all or
// nothing. What may pass, such as brokers that are away or a transaction that
// stays open, is tried again until ctx ends; what only a person can mend is
// returned.
func (e *Engine) load(ctx context.Context, n int32) error {
	r := e.cfg.Recovery
	p := r.begin(n)
	failpoint.Hit("eos.recovery-start")
	for {
		err := e.loadOnce(ctx, p, n)
		switch {
		case ctx.Err() != nil:
			if failpoint.Control("recovery-fallthrough") {
				_ = e.base(n).store.Apply(p.lastRow(), func(func(string, []byte) bool) {})
			}
			return errInterrupted
		case err == nil:
			failpoint.Hit("eos.recovery-end")
			e.fresh(n)
			p.open()
			return nil
		case r.Refused() != nil:
			return r.Refused()
		}
		_ = r.broke(err)
		p.enter(initializing)
		select {
		case <-ctx.Done():
		case <-time.After(reloadPause):
		}
	}
}

// loadOnce reads from where the base stands to the end.
func (e *Engine) loadOnce(ctx context.Context, p *partition, n int32) error {
	r, b := e.cfg.Recovery, e.base(n)
	stored, err := b.offset()
	if err != nil {
		return err
	}
	p.enter(connecting)
	oldest, err := r.cfg.Start(ctx, r.cfg.Table, n)
	if err != nil {
		return fmt.Errorf("find the start of %s/%d: %w", r.cfg.Table, n, err)
	}
	end, err := p.findEnd(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("find the end of %s/%d: %w", r.cfg.Table, n, err)
	case stored >= end:
		return r.refuse(&RefusedError{
			Err:    fmt.Errorf("%s/%d ends at offset %d, want at least %d, which was read before", r.cfg.Table, n, end, stored+1),
			Advice: "the topic was cut or made anew: state and outputs no longer fit together",
		})
	case stored >= 0 && stored+1 < oldest:
		// What was cut off may have held a row's end.
		if err := e.wipe(b, n); err != nil {
			return err
		}
		stored = notStored
	}
	p.setOldest(oldest)
	p.setStored(stored)
	p.announce(end)
	if err := e.read(ctx, p, b, max(stored+1, oldest), end); err != nil {
		return err
	}
	return e.judge(p, b)
}

// judge decides whether the rows are complete, and whether they fit.
func (e *Engine) judge(p *partition, b *base) error {
	at, err := b.offset()
	if err != nil {
		return err
	}
	p.enter(preparing)
	if err := p.finish(at); err != nil {
		return err
	}
	if check := p.r.cfg.CheckEnd; check != nil {
		if err := check(p.number, b.store.Get); err != nil {
			return p.r.refuse(err)
		}
	}
	return nil
}

// loadBatch is how many rows go into the store at a time.
const loadBatch = 512

// read applies the visible rows of [from, to) to the base.
func (e *Engine) read(ctx context.Context, p *partition, b *base, from, to int64) error {
	if from >= to {
		return nil
	}
	consumer, err := e.tableConsumer()
	if err != nil {
		return err
	}
	rows, err := consumer.ConsumePartition(p.r.cfg.Table, p.number, from)
	if err != nil {
		return fmt.Errorf("read %s/%d from offset %d: %w", p.r.cfg.Table, p.number, from, err)
	}
	// The reader lets go when its fetch returns; nobody needs to wait for that.
	defer e.readers.Go(func() { _ = rows.Close() })
	batch := make([]*sarama.ConsumerMessage, 0, loadBatch)
	for {
		var end bool
		if batch, end, err = gather(ctx, rows, batch[:0], to); err != nil {
			return fmt.Errorf("read %s/%d: %w", p.r.cfg.Table, p.number, err)
		}
		if err := e.take(p, b, batch); err != nil {
			return err
		}
		if end {
			return nil
		}
	}
}

// gather waits for rows and returns those that are there; end reports that the
// last one below to is among them. A reader that ended by itself is an error:
// its offset was out of range.
func gather(ctx context.Context, rows sarama.PartitionConsumer, batch []*sarama.ConsumerMessage, to int64) (more []*sarama.ConsumerMessage, end bool, err error) {
	for {
		if ctx.Err() != nil {
			return batch, false, errInterrupted
		}
		select {
		case <-ctx.Done():
			return batch, false, errInterrupted
		case err, ok := <-rows.Errors():
			if !ok {
				return batch, false, errors.New("reader ended, want it to go on to the end")
			}
			return batch, false, err.Err
		case m, ok := <-rows.Messages():
			if !ok {
				return batch, false, errors.New("reader ended, want it to go on to the end")
			}
			batch = append(batch, m)
			if m.Offset >= to-1 {
				return batch, true, nil
			}
			if len(batch) == cap(batch) || len(rows.Messages()) == 0 {
				return batch, false, nil
			}
		}
	}
}

// take checks a batch of rows and applies it.
func (e *Engine) take(p *partition, b *base, batch []*sarama.ConsumerMessage) error {
	if len(batch) == 0 {
		return nil
	}
	if check := p.r.cfg.CheckRow; check != nil {
		for _, m := range batch {
			if m.Value == nil {
				continue
			}
			if err := check(p.number, string(m.Key), m.Value); err != nil {
				return p.r.refuse(err)
			}
		}
	}
	last := batch[len(batch)-1].Offset
	err := b.store.Apply(last, func(yield func(string, []byte) bool) {
		for _, m := range batch {
			if !yield(string(m.Key), bytes.Clone(m.Value)) { // it is a part of what was fetched
				return
			}
		}
	})
	if err != nil {
		return fmt.Errorf("store rows of %s/%d: %w", p.r.cfg.Table, p.number, err)
	}
	p.readAll(last, len(batch))
	failpoint.Hit("eos.recovery-half")
	return nil
}

// tableConsumer returns the engine's reader of the changelog.
func (e *Engine) tableConsumer() (sarama.Consumer, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.reader != nil {
		return e.reader, nil
	}
	c, err := e.cfg.NewConsumer(e.cfg.Brokers, "")
	if err != nil {
		return nil, fmt.Errorf("open the reader of %s: %w", e.cfg.Recovery.cfg.Table, err)
	}
	e.reader = c
	return c, nil
}
