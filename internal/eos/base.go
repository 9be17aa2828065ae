package eos

import (
	"iter"
	"slices"
	"time"
)

// Store holds the committed rows of a partition. Callbacks read it while the
// committer applies an epoch to it.
type Store interface {
	// Get returns the row of key, nil if there is none. It must not be changed.
	Get(key string) ([]byte, error)
	// GetOffset returns the offset given to the last Apply, def before the first.
	GetOffset(def int64) (int64, error)
	// Apply changes rows, nil deletes, and sets the offset of the changelog that
	// they stand at. It may keep keys and values.
	Apply(offset int64, rows iter.Seq2[string, []byte]) error
}

// base is the committed state of a partition. It outlives sessions in which the
// partition stays with us: the next recovery goes on where it stands.
type base struct {
	store Store
	at    time.Time // of the last epoch or recovery; of the engine's lock
}

// maxKeptBase is how old a base may be that is continued: half of the time for
// which Kafka keeps the tombstones of a compacted topic by default. Of an older
// one, such as that of a process that was frozen, rows may be gone for good.
const maxKeptBase = 12 * time.Hour

// notStored is what a store answers that has no offset.
const notStored = -1

func (b *base) offset() (int64, error) { return b.store.GetOffset(notStored) }

// apply makes the rows of a committed epoch the state.
func (b *base) apply(p *EpochPart) error {
	return b.store.Apply(p.LastRow, func(yield func(string, []byte) bool) {
		for _, r := range p.Rows {
			if !yield(r.Key, r.Value) {
				return
			}
		}
	})
}

// bases returns the base of each partition: the kept one, or a new and empty
// one. What is no longer ours is let go.
func (e *Engine) bases(partitions []int32) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for n, b := range e.kept {
		if !slices.Contains(partitions, n) || e.cfg.Now().Sub(b.at) > maxKeptBase {
			delete(e.kept, n)
		}
	}
	for _, n := range partitions {
		if e.kept[n] != nil {
			continue
		}
		s, err := e.cfg.NewStore(n)
		if err != nil {
			return err
		}
		e.kept[n] = &base{store: s, at: e.cfg.Now()}
	}
	return nil
}

// fresh notes that the bases stand where their changelogs do.
func (e *Engine) fresh(partitions ...int32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, n := range partitions {
		if b := e.kept[n]; b != nil {
			b.at = e.cfg.Now()
		}
	}
}

// base returns the base of an assigned partition.
func (e *Engine) base(n int32) *base {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.kept[n]
}

// wipe starts a base over: what it holds cannot be continued.
func (e *Engine) wipe(b *base, n int32) error {
	s, err := e.cfg.NewStore(n)
	if err != nil {
		return err
	}
	b.store = s
	return nil
}
