package eos

import (
	"iter"
	"sync"
	"sync/atomic"
	"time"
)

// Store holds the committed rows of a partition. Any number of goroutines read
// it while one writes.
type Store interface {
	// Get returns the row of key, nil if there is none. It must not be changed.
	Get(key string) ([]byte, error)
	// GetOffset returns the offset given to the last Apply, def before the first.
	GetOffset(def int64) (int64, error)
	// Apply changes rows, nil deletes, and sets the offset of the changelog that
	// they stand at. It does nothing unless the offset is above the store's own.
	// It keeps neither keys nor values. Of 512 rows or less readers see all or
	// none.
	Apply(offset int64, rows iter.Seq2[string, []byte]) error
}

// Base is the committed state of a partition in this process. There is one,
// whoever needs it: the processor that owns the partition, the view that
// follows it, or both.
//
// At any time one of three writes to it: a recovery, which has the turn; the
// committer, while the partition is owned; or the view. What the view reads of
// an owned partition waits in line, and is dropped when the committer has
// passed it, since those are its own rows. Were it written, a row that somebody
// else has written in our place would become our state while we believe to be
// the owner.
type Base struct {
	number int32
	turn   chan struct{} // one token: recoveries come one after the other
	store  atomic.Pointer[Store]

	bound atomic.Int64 // the changelog ends here or later, if the store's first rows are from it
	at    atomic.Int64 // of the last epoch, row or recovery, in nanoseconds
	whole atomic.Bool  // a recovery has ended, and nothing was lost since
	lost  atomic.Bool  // it was whole, and no recovery has ended since

	mu       sync.Mutex
	owned    bool
	followed bool    // by a view or as a standby
	line     []lined // ascending; empty unless owned
}

// lined is a row that a view has read of an owned partition.
type lined struct {
	offset int64
	key    string
	value  []byte
}

// notStored is what a store answers that has no offset.
const notStored = -1

func newBase(n int32) *Base {
	return &Base{number: n, turn: make(chan struct{}, 1)}
}

// Rows returns the store, nil before the first recovery began.
func (b *Base) Rows() Store {
	if s := b.store.Load(); s != nil {
		return *s
	}
	return nil
}

// Whole reports whether the base has every row of its changelog up to a point.
func (b *Base) Whole() bool { return b.whole.Load() }

// get returns the committed row of key.
func (b *Base) get(key string) ([]byte, error) { return (*b.store.Load()).Get(key) }

// offset is where the store stands.
func (b *Base) offset() (int64, error) {
	s := b.Rows()
	if s == nil {
		return notStored, nil
	}
	return s.GetOffset(notStored)
}

// apply makes the rows of a committed epoch the state.
func (b *Base) apply(p *EpochPart) error {
	return b.Rows().Apply(p.LastRow, func(yield func(string, []byte) bool) {
		for _, r := range p.Rows {
			if !yield(r.Key, r.Value) {
				return
			}
		}
	})
}

// own makes the processor the writer.
func (b *Base) own() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.owned = true
}

// disown makes the follower the writer, with all that it has read meanwhile. A
// base that was lost takes nothing before a recovery has ended: what is missing
// lies below.
func (b *Base) disown() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.owned = false
	line := b.line
	b.line = nil
	if b.lost.Load() {
		return nil
	}
	for _, r := range line {
		if err := b.put(r); err != nil {
			return err
		}
	}
	return nil
}

// settled reports whether an owner keeps the base up to date.
func (b *Base) settled() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.owned && b.whole.Load()
}

// beFollowed says whether somebody is to follow the base.
func (b *Base) beFollowed(yes bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.followed = yes
}

// release lets go of the rows, unless somebody needs them or is reading them in.
func (b *Base) release() {
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	default:
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owned || b.followed || b.Rows() == nil {
		return
	}
	b.whole.Store(false)
	b.store.Store(nil)
}

// astray reports whether a follower must recover the base: it was lost, and its
// owner has left it so.
func (b *Base) astray() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.owned && b.lost.Load()
}

// Behind returns how many offsets a copy of somebody else's partition is behind
// stable, the last stable offset of the changelog; 0 of an owner's own base. ok
// is false of a base that is not whole, or that nobody keeps up to date.
func (b *Base) Behind(stable int64) (offsets int64, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.whole.Load() || !b.owned && !b.followed {
		return 0, false
	}
	if b.owned {
		return 0, true
	}
	at, err := b.offset()
	return max(0, stable-at-1), err == nil
}

// follow takes a row that a view or a standby has read; nil deletes.
func (b *Base) follow(offset int64, key string, value []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := lined{offset: offset, key: key, value: value}
	if !b.owned {
		if b.lost.Load() {
			return nil // the recovery that must come reads it
		}
		return b.put(r)
	}
	passed, err := b.offset()
	if err != nil {
		return err
	}
	if offset > passed {
		r.value = append(make([]byte, 0, len(value)), value...) // it is a part of what was fetched
		if value == nil {
			r.value = nil
		}
		b.line = append(b.line, r)
	}
	for len(b.line) > 0 && b.line[0].offset <= passed {
		b.line = b.line[1:]
	}
	return nil
}

// put stores a row unless the store has passed it.
func (b *Base) put(r lined) error {
	return b.Rows().Apply(r.offset, func(yield func(string, []byte) bool) { yield(r.key, r.value) })
}

// fresh notes that the base stands where its changelog does.
func (b *Base) fresh(now time.Time) { b.at.Store(now.UnixNano()) }

// At is when the base last stood at the end of its changelog, as far as it
// knows.
func (b *Base) At() time.Time { return time.Unix(0, b.at.Load()) }
