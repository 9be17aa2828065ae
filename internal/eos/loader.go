package eos

import (
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

// load brings a base up to the end of its changelog, all or nothing. What may
// pass, such as brokers that are away or a transaction that stays open, is tried
// again until ctx ends; what only a person can mend is returned. A base that
// another role has recovered or owns costs little or nothing.
func (b *Bases) load(ctx context.Context, r *Recovery, base *Base) error {
	p := r.resume(base)
	failpoint.Hit("eos.recovery-start")
	select {
	case base.turn <- struct{}{}:
	case <-ctx.Done():
		return errInterrupted
	}
	defer func() { <-base.turn }()
	for {
		err := b.loadOnce(ctx, r, p, base)
		switch {
		case ctx.Err() != nil:
			if failpoint.Control("recovery-fallthrough") && base.Rows() != nil {
				_ = base.Rows().Apply(p.lastRow(), func(func(string, []byte) bool) {})
			}
			return errInterrupted
		case err == nil:
			failpoint.Hit("eos.recovery-end")
			p.open()
			return nil
		case r.Refused() != nil:
			return r.Refused()
		}
		if refused, ok := errors.AsType[*RefusedError](err); ok {
			return r.refuse(refused)
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
func (b *Bases) loadOnce(ctx context.Context, r *Recovery, p *partition, base *Base) error {
	if r.cfg.Role != Active && base.settled() {
		return b.adopt(p, base)
	}
	if base.Rows() == nil {
		if err := b.open(ctx, base); err != nil {
			return err
		}
		r.loaded(base)
	}
	from, end, err := b.span(ctx, r, p, base)
	if err != nil {
		return err
	}
	if err := b.read(ctx, p, base, from, end); err != nil {
		return err
	}
	if err := p.judge(base); err != nil {
		return err
	}
	// Goka goes on behind the base's offset, which must be one that exists.
	if err := base.Rows().Apply(end-1, func(func(string, []byte) bool) {}); err != nil {
		return err
	}
	base.fresh(b.cfg.Now())
	base.whole.Store(true)
	base.lost.Store(false)
	b.changed(base.number)
	if b.cfg.OnWhole != nil {
		b.cfg.OnWhole(base.number)
	}
	return nil
}

// adopt takes over what the owner of a base keeps up to date.
func (b *Bases) adopt(p *partition, base *Base) error {
	at, err := base.offset()
	if err != nil {
		return err
	}
	p.setStored(at)
	p.announce(at + 1)
	return p.finish(at)
}

// span returns what is to be read: [from, end).
func (b *Bases) span(ctx context.Context, r *Recovery, p *partition, base *Base) (from, end int64, err error) {
	stored, err := base.offset()
	if err != nil {
		return 0, 0, err
	}
	p.enter(connecting)
	oldest, err := r.cfg.Start(ctx, b.cfg.Table, base.number)
	if err != nil {
		return 0, 0, fmt.Errorf("find the start of %s/%d: %w", b.cfg.Table, base.number, err)
	}
	end, err = p.findEnd(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("find the end of %s/%d: %w", b.cfg.Table, base.number, err)
	}
	bound := max(stored+1, base.bound.Load())
	switch {
	case bound > end && !failpoint.Control("early-store"): // whose state is ahead of any changelog
		return 0, 0, r.refuse(&RefusedError{
			Err:    fmt.Errorf("%s/%d ends at offset %d, want at least %d, which was read before", b.cfg.Table, base.number, end, bound),
			Advice: "the topic was cut or made anew: state and outputs no longer fit together",
		})
	case stored >= 0 && (stored+1 < oldest || b.cfg.Now().Sub(base.At()) > b.cfg.MaxAge):
		// What was cut off may have held a row's end.
		if err := b.wipe(base); err != nil {
			return 0, 0, err
		}
		stored = notStored
	}
	if stored == notStored {
		base.fresh(b.cfg.Now()) // what is read from now on is as old as that
	}
	p.setOldest(oldest)
	p.setStored(stored)
	p.announce(end)
	return max(stored+1, oldest), end, nil
}

// judge decides whether the rows are complete, and whether they fit.
func (p *partition) judge(base *Base) error {
	at, err := base.offset()
	if err != nil {
		return err
	}
	p.enter(preparing)
	if err := p.finish(at); err != nil {
		return err
	}
	if check := p.r.cfg.CheckEnd; check != nil {
		if err := check(p.number, base.get); err != nil {
			return p.r.refuse(err)
		}
	}
	return nil
}

// loadBatch is how many rows go into the store at a time.
const loadBatch = 512

// read applies the visible rows of [from, to) to the base.
func (b *Bases) read(ctx context.Context, p *partition, base *Base, from, to int64) error {
	if from >= to {
		return nil
	}
	consumer, err := b.consumer()
	if err != nil {
		return err
	}
	rows, err := consumer.ConsumePartition(b.cfg.Table, p.number, from)
	if err != nil {
		return fmt.Errorf("read %s/%d from offset %d: %w", p.r.cfg.Table, p.number, from, err)
	}
	// The reader lets go when its fetch returns; only Close waits for that.
	defer b.readers.Go(func() { _ = rows.Close() })
	batch := make([]*sarama.ConsumerMessage, 0, loadBatch)
	for {
		var end bool
		if batch, end, err = gather(ctx, rows, batch[:0], to); err != nil {
			return fmt.Errorf("read %s/%d: %w", p.r.cfg.Table, p.number, err)
		}
		if err := p.take(base, batch); err != nil {
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
func (p *partition) take(base *Base, batch []*sarama.ConsumerMessage) error {
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
	err := base.Rows().Apply(last, func(yield func(string, []byte) bool) {
		for _, m := range batch {
			if !yield(string(m.Key), m.Value) {
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
