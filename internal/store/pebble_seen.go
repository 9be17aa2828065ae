package store

import "sync"

// seenSlots is how many rows are remembered: more than a few epochs write.
const seenSlots = 1 << 17

// seen remembers rows that were there lately, by the hashes of their keys, so
// that a batch which writes what was just read need not look for it again: that
// costs more than to write it. It forgets at will, and is never wrong about what
// it says but by two hashes of 64 bits that are the same.
type seen struct {
	mu    sync.Mutex
	moves uint64 // how many batches have taken rows away
	slots []uint64
}

func newSeen() *seen { return &seen{slots: make([]uint64, seenSlots)} }

func (s *seen) slot(hash uint64) *uint64 { return &s.slots[hash%seenSlots] }

// has reports whether the row of hash is known to be there. Only the writer of
// its partition may rely on that.
func (s *seen) has(hash uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.slot(hash) == hash
}

// now is what a reader notes before it looks.
func (s *seen) now() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.moves
}

// found adds a row that a reader has met after it noted then, unless it may have
// gone meanwhile.
func (s *seen) found(hash, then uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.moves == then {
		*s.slot(hash) = hash
	}
}

// wrote follows a batch, which readers see already: whoever looks from now on
// finds what it left.
func (s *seen) wrote(rows func(yield func(hash uint64, there bool) bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := false
	for hash, there := range rows {
		slot := s.slot(hash)
		switch {
		case there:
			*slot = hash
		case *slot == hash:
			*slot = 0
		}
		gone = gone || !there
	}
	if gone {
		s.moves++
	}
}

// forget empties it.
func (s *seen) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.slots)
	s.moves++
}
