package app

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"billstream/internal/eos"
	"billstream/internal/store"
)

// openKeeper makes the keeper that the configuration asks for.
func (a *App) openKeeper(ctx context.Context) (keeper, error) {
	origin, err := a.origin(ctx)
	if err != nil {
		return nil, err
	}
	rebuilt, ops := countRebuilds(a.registry), store.NewMetrics(a.registry, storeName)
	if a.cfg.Store == StorePebble {
		return openDisk(filepath.Join(StateDir(a.cfg.DataDir), StateDatabase), origin, rebuilt, store.PebbleOptions{Log: a.log, Metrics: ops})
	}
	return &memory{
		dir: StateDir(a.cfg.DataDir), origin: origin, check: a.checkRow, rebuilt: rebuilt, ops: ops, log: a.log,
		saved: make([]saved, origin.Partitions),
	}, nil
}

// countRebuilds counts why state was not continued.
func countRebuilds(reg prometheus.Registerer) func(reason string) {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "billstream_store_rebuilds_total",
		Help: "Partitions whose state was not continued but built from the changelog, by reason.",
	}, []string{"store", "reason"})
	reg.MustRegister(vec)
	for _, r := range []string{"missing", "corrupt", "foreign", "stale", "version"} {
		vec.WithLabelValues(storeName, r)
	}
	return func(reason string) { vec.WithLabelValues(storeName, reason).Inc() }
}

// memory keeps rows in memory, and writes snapshots of them.
type memory struct {
	dir     string
	origin  store.Origin
	check   func(partition int32, key string, value []byte) error // may refuse a row
	rebuilt func(reason string)
	ops     *store.Metrics
	log     *slog.Logger

	mu     sync.Mutex
	saved  []saved // by partition
	failed error   // of the last save
}

// saved is the last good snapshot of a partition.
type saved struct {
	offset int64
	at     time.Time
}

func (m *memory) of(partition int32) store.Origin {
	o := m.origin
	o.Partition = partition
	return o
}

func (m *memory) open(_ context.Context, n int32) (eos.Store, int64, time.Time, error) {
	arena := m.ops.NewArena()
	var refused error
	snap, err := store.LoadSnapshot(m.dir, m.of(n), maxStateAge, time.Now(), func(offset int64, rows iter.Seq2[string, []byte]) error {
		return arena.Apply(offset, m.checked(n, rows, &refused))
	})
	if refused != nil {
		return nil, 0, time.Time{}, &eos.RefusedError{Err: fmt.Errorf("read a snapshot of partition %d: %w", n, refused)}
	}
	if u, ok := errors.AsType[*store.UnusableError](err); ok {
		m.rebuilt(u.Reason)
		if u.Reason != "missing" {
			m.log.Warn("snapshot is not used", "partition", n, "reason", u.Reason, "err", u.Err)
		}
		return m.ops.NewArena(), 0, time.Time{}, nil
	}
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	return arena, snap.Through + 1, snap.At, nil
}

// checked yields rows up to the first that is refused.
func (m *memory) checked(n int32, rows iter.Seq2[string, []byte], refused *error) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for key, value := range rows {
			if *refused = m.check(n, key, value); *refused != nil || !yield(key, value) {
				return
			}
		}
	}
}

func (m *memory) reset(int32) (eos.Store, error) {
	m.rebuilt("stale")
	return m.ops.NewArena(), nil
}

func (m *memory) save(ctx context.Context, bases *eos.Bases) {
	var failed error
	for n := range m.origin.Partitions {
		if err := m.snapshot(ctx, bases.At(n), n); err != nil && ctx.Err() == nil {
			m.log.Warn("snapshot not written", "partition", n, "err", err)
			failed = fmt.Errorf("write a snapshot of partition %d: %w", n, err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed = failed
}

func (m *memory) err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}

// snapshot writes the rows of a partition down unless they are as they were.
func (m *memory) snapshot(ctx context.Context, base *eos.Base, n int32) error {
	rows, ok := base.Rows().(*store.Arena)
	if !ok || !base.Whole() {
		return nil
	}
	m.mu.Lock()
	last := m.saved[n]
	m.mu.Unlock()
	at, err := rows.GetOffset(-1)
	if err != nil || at < 0 || at == last.offset {
		return err
	}
	if _, err := store.WriteSnapshot(ctx, m.dir, m.of(n), rows, base.At()); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saved[n] = saved{offset: at, at: time.Now()}
	return nil
}

// savedAt returns when the partition was saved for which that is longest ago,
// of those that were.
func (m *memory) savedAt() (at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.saved {
		if !s.at.IsZero() && (at.IsZero() || s.at.Before(at)) {
			at = s.at
		}
	}
	return at
}

func (m *memory) close() error { return nil }
