package eos

import (
	"sync"

	"github.com/IBM/sarama"
)

// ring keeps the records of one partition between the fetch and the callback,
// as sarama delivered them: goka turns a null key into an empty one and headers
// into a map. It holds no more than fits; the oldest goes first.
type ring struct {
	mu    sync.Mutex
	slots []*sarama.ConsumerMessage // a power of two
	head  uint64                    // the oldest
	tail  uint64                    // one past the newest
}

// newRing returns a ring for at least n records.
func newRing(n int) *ring {
	size := 1
	for size < n {
		size *= 2
	}
	return &ring{slots: make([]*sarama.ConsumerMessage, size)}
}

func (r *ring) slot(i uint64) **sarama.ConsumerMessage {
	return &r.slots[i&uint64(len(r.slots)-1)]
}

// put appends a record. sarama calls interceptors again for the record at which
// a slow consumer timed out, so one that is already there is left alone; the
// result is false for such a record.
func (r *ring) put(m *sarama.ConsumerMessage) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tail > r.head && (*r.slot(r.tail - 1)).Offset >= m.Offset {
		return false
	}
	if r.tail-r.head == uint64(len(r.slots)) {
		r.head++
	}
	*r.slot(r.tail) = m
	r.tail++
	return true
}

// take returns the record at offset and drops it and everything older; nil if
// it is not there.
func (r *ring) take(offset int64) *sarama.ConsumerMessage {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.head < r.tail {
		s := r.slot(r.head)
		m := *s
		if m.Offset > offset {
			return nil
		}
		*s = nil
		r.head++
		if m.Offset == offset {
			return m
		}
	}
	return nil
}

func (r *ring) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int(r.tail - r.head)
}
