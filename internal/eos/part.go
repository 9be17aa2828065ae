package eos

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"

	"billstream/internal/failpoint"
)

// part is a partition in a session. Its callbacks fill one buffer while the
// other is being committed.
//
//	open ── seal ──> sealed ── write ──> written ── apply ──> readable until the next seal
//	 ▲                                                                │
//	 └──────────────────────── reset, when swapped ───────────────────┘
type part struct {
	session *session
	number  int32
	base    *Base
	inputs  []*input
	context recordContext

	// mu is held from begin to mark, and while the buffers are swapped. A
	// callback that failed holds it for ever: nothing staged by it may leave.
	mu         sync.Mutex
	next       *buffer
	committing *buffer // sealed, and when written, readable until the next seal
	last       int64   // marks so far

	asked bool                   // of the committer alone: a buffer is owed
	want  atomic.Bool            // the committer asks for a seal
	slot  atomic.Pointer[buffer] // the sealed buffer, until the committer takes it
	since atomic.Int64           // when next got its first record, in nanoseconds; 0: it is empty
	done  atomic.Int64           // marks so far, for the watchdog
	held  atomic.Bool            // waits for room
}

// input is one input topic of a part.
type input struct {
	part     *part
	index    int // in the part's inputs
	topic    string
	ring     *ring
	next     int64 // of the partition's goroutine alone
	consumed prometheus.Counter
	bytes    prometheus.Counter
}

// nothing stands in the slot of a part that had nothing to seal.
var nothing = newBuffer(0)

// begin opens the bracket around a record. It waits while too much is staged.
func (in *input) begin(m *sarama.ConsumerMessage) error {
	p := in.part
	p.session.awaitRoom(p)
	p.mu.Lock()
	if m.Offset < in.next {
		p.mu.Unlock()
		return fmt.Errorf("record %s/%d@%d is out of order, want offset %d or more", in.topic, p.number, m.Offset, in.next)
	}
	in.next = m.Offset + 1
	return nil
}

// mark closes the bracket: the record's effect may leave with the next epoch.
// It is called by the goroutine that called begin.
func (in *input) mark(next int64, at time.Time) {
	p := in.part
	b := p.next
	b.mark(in.index, in.topic, p.number, next, at)
	added := b.bytes - b.counted
	b.counted = b.bytes
	first := b.records == 1
	if first {
		p.since.Store(p.session.engine.cfg.Now().UnixNano())
	}
	p.last++
	p.done.Store(p.last)
	p.session.staged.Add(added)
	p.mu.Unlock()
	failpoint.Hit("eos.after-mark")
	if first {
		p.session.wake()
	}
	if p.want.Load() {
		p.trySeal()
		p.session.wake() // the round that asked may be over
	}
}

// trySeal hands the staged records over if the committer asks for them and no
// callback is running: one buffer for each time that it asks, and it asks again
// only when it has taken that one. The committer calls it for idle partitions, a partition
// itself behind each mark: one of the two succeeds.
//
//	committer: want = true; TryLock        fails only while a callback runs
//	partition: mark: unlock; want is true ─► TryLock
//
// If the partition read want before it was set, it had unlocked before the
// committer's TryLock; that one fails only if another callback has begun, whose
// mark reads want again.
func (p *part) trySeal() {
	if !p.mu.TryLock() {
		return
	}
	defer p.mu.Unlock()
	if !p.want.CompareAndSwap(true, false) {
		return
	}
	if p.next.records == 0 {
		p.slot.Store(nothing)
	} else {
		p.committing, p.next = p.next, p.committing
		p.next.reset()
		p.since.Store(0)
		p.slot.Store(p.committing)
	}
	p.session.sealed()
}

// get returns the row of a key as the callbacks before this one left it. It is
// called within the bracket.
func (p *part) get(key string) ([]byte, error) {
	if v, ok := p.next.get(key); ok {
		return v, nil
	}
	if v, ok := p.committing.get(key); ok {
		return v, nil
	}
	return p.base.get(key)
}

// idle returns whether no input of the part has records waiting.
func (p *part) idle() bool {
	for _, in := range p.inputs {
		if in.ring.len() > 0 {
			return false
		}
	}
	return true
}
