package store

import (
	"iter"
	"sync"
)

// State holds the committed rows of a partition for its processor: single reads
// beside batches, in no order. A fresh one is empty, and a changelog fills it.
type State struct {
	mu     sync.RWMutex
	rows   map[string][]byte
	offset int64
	stored bool // offset was set
}

// NewState returns an empty state.
func NewState() *State { return &State{rows: map[string][]byte{}} }

// Get returns the row of key, nil if there is none. It must not be changed.
func (s *State) Get(key string) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rows[key], nil
}

// GetOffset returns the offset of the last batch, def before the first.
func (s *State) GetOffset(def int64) (int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.stored {
		return def, nil
	}
	return s.offset, nil
}

// Len returns how many rows there are.
func (s *State) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.rows)
}

// applyRows bounds how long a batch keeps readers waiting.
const applyRows = 64

// Apply changes rows, nil deletes, and then sets the offset of the changelog
// that they stand at. Keys and values stay with the state and must not be
// changed. A reader may meet a part of the batch, but never the offset before
// all of it.
func (s *State) Apply(offset int64, rows iter.Seq2[string, []byte]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for key, value := range rows {
		if n++; n%applyRows == 0 {
			s.mu.Unlock() // readers come in between
			s.mu.Lock()
		}
		if value == nil {
			delete(s.rows, key)
			continue
		}
		s.rows[key] = value
	}
	s.offset, s.stored = offset, true
	return nil
}
