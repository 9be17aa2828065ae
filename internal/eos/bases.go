package eos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
)

// BasesConfig is what Bases need.
type BasesConfig struct {
	Table      string // the changelog topic
	Partitions int32

	// Open returns the store of a partition as an earlier process has left it,
	// or an empty one. bound is one past the newest offset of the changelog that
	// its rows may be from, which may be above the store's offset; at is when it
	// stood at the end of the changelog. Both are zero for an empty one.
	Open func(ctx context.Context, partition int32) (s Store, bound int64, at time.Time, err error)
	// Reset returns a fresh and empty store for a partition; the one before is
	// of no use any more.
	Reset func(partition int32) (Store, error)
	// MaxAge is how old a base may be that is continued. It must be below the
	// time for which the changelog keeps tombstones: of an older one, such as
	// that of a process that was frozen, rows may be gone for good. 0 means 12 h,
	// half of Kafka's default.
	MaxAge time.Duration
	// Followed says that a view keeps all bases up to date; Standby that some are,
	// and that a Standby lets go of the others. Without either the processor lets
	// go of what it does not own.
	Followed, Standby bool
	// Grown says why a table of so many partitions cannot be used. It may be nil.
	Grown func(partitions int32) error
	// OnRows is told that the rows of a partition have changed; OnWhole that a
	// recovery of one has ended; OnLost that a base which the view follows must
	// be recovered anew. All may be nil.
	OnRows  func(partition int32)
	OnWhole func(partition int32)
	OnLost  func()

	Brokers     []string
	NewConsumer goka.SaramaConsumerBuilder // reads the changelog: read committed, errors returned
	Now         func() time.Time           // nil: time.Now
}

// Bases are the bases of a table, one of each partition.
type Bases struct {
	cfg     BasesConfig
	all     []*Base
	readers sync.WaitGroup // of the changelog, letting go

	mu     sync.Mutex
	reader sarama.Consumer // of the changelog; nil until it is needed
}

// NewBases returns the bases of all partitions; none is open.
func NewBases(cfg BasesConfig) *Bases {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.MaxAge = cmp.Or(cfg.MaxAge, 12*time.Hour)
	b := &Bases{cfg: cfg}
	for n := range cfg.Partitions {
		base := newBase(n)
		base.followed = cfg.Followed
		b.all = append(b.all, base)
	}
	return b
}

// At returns the base of a partition, 0 to Partitions-1.
func (b *Bases) At(partition int32) *Base { return b.all[partition] }

// Len returns how many partitions there are.
func (b *Bases) Len() int32 { return int32(len(b.all)) }

// check refuses partitions that were not there at the start.
func (b *Bases) check(partitions ...int32) error {
	for _, n := range partitions {
		if int(n) < len(b.all) {
			continue
		}
		if b.cfg.Grown != nil {
			return b.cfg.Grown(n + 1)
		}
		return fmt.Errorf("partition of %s is %d, want 0 to %d", b.cfg.Table, n, len(b.all)-1)
	}
	return nil
}

// Close disconnects the reader of the changelog. Nobody may recover any more.
func (b *Bases) Close() error {
	b.mu.Lock()
	reader := b.reader
	b.reader = nil
	b.mu.Unlock()
	if reader == nil {
		return nil
	}
	err := reader.Close()
	b.readers.Wait()
	return err
}

// own gives partitions to the processor. What it owned before and does not own
// any more is let go, unless somebody follows it, or may.
func (b *Bases) own(partitions []int32) {
	for _, base := range b.all {
		if slices.Contains(partitions, base.number) {
			base.own()
			continue
		}
		if !b.cfg.Standby {
			base.release()
		}
	}
}

// disown gives partitions back, each of them, whatever becomes of one.
func (b *Bases) disown(partitions []int32) (err error) {
	lost := false
	for _, n := range partitions {
		err = errors.Join(err, b.At(n).disown())
		lost = lost || b.At(n).lost.Load()
		b.changed(n)
	}
	if lost && b.cfg.Followed && b.cfg.OnLost != nil {
		b.cfg.OnLost()
	}
	return err
}

// open opens the store of a base at its first recovery.
func (b *Bases) open(ctx context.Context, base *Base) error {
	if base.Rows() != nil {
		return nil
	}
	s, bound, at, err := b.cfg.Open(ctx, base.number)
	if err != nil {
		return fmt.Errorf("open the store of partition %d: %w", base.number, err)
	}
	base.bound.Store(bound)
	base.fresh(at)
	base.store.Store(&s)
	return nil
}

// wipe starts a base over: what it holds cannot be continued.
func (b *Bases) wipe(base *Base) error {
	if base.whole.Swap(false) {
		base.lost.Store(true)
	}
	s, err := b.cfg.Reset(base.number)
	if err != nil {
		return fmt.Errorf("empty the store of partition %d: %w", base.number, err)
	}
	base.bound.Store(0)
	base.store.Store(&s)
	return nil
}

// changed tells that rows of a partition can be read.
func (b *Bases) changed(n int32) {
	if b.cfg.OnRows != nil {
		b.cfg.OnRows(n)
	}
}

// consumer returns the reader of the changelog.
func (b *Bases) consumer() (sarama.Consumer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reader != nil {
		return b.reader, nil
	}
	c, err := b.cfg.NewConsumer(b.cfg.Brokers, "")
	if err != nil {
		return nil, fmt.Errorf("open the reader of %s: %w", b.cfg.Table, err)
	}
	b.reader = c
	return c, nil
}
