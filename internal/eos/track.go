package eos

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// track keeps the records of one input partition between their begin and their
// mark, and knows how far everything before is done.
//
// goka marks a record once its writes are acknowledged, which is not always in
// order, and a record that failed never. Kafka takes a committed offset for
// "everything below is done". So the offset to commit is the end of the prefix
// of begun records that are all marked, and a record without a mark holds it
// back for the rest of the session.
type track struct {
	mu      sync.Mutex
	queue   []begun   // ascending offsets; what stands before head is done
	head    int       // the first record of the queue that holds the prefix back
	next    int64     // the end of the marked prefix; 0 before the first
	at      time.Time // timestamp of the record before next
	records int       // marked into the prefix since the last commit
	closed  bool
}

// begun is a record whose callback has started.
type begun struct {
	offset int64
	at     time.Time
	state  mark
}

type mark uint8

const (
	pending mark = iota
	marked
	failed // never to be marked, whatever comes
)

// begin opens a record. Offsets must ascend; the result is false otherwise.
func (t *track) begin(offset int64, at time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	open := t.open()
	if offset < t.next || (len(open) > 0 && offset <= open[len(open)-1].offset) {
		return false
	}
	t.queue = append(t.queue, begun{offset: offset, at: at})
	return true
}

// mark closes the record before next. A record that was never begun is
// reported as false; one that failed, and any after close, is ignored.
func (t *track) mark(next int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return true
	}
	b := t.find(next - 1)
	if b == nil {
		return false
	}
	if b.state == pending {
		b.state = marked
	}
	t.advance()
	return true
}

// fail makes sure that a record is never counted as done.
func (t *track) fail(offset int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if b := t.find(offset); b != nil {
		b.state = failed
	}
}

// open returns the begun records that the prefix does not cover.
func (t *track) open() []begun { return t.queue[t.head:] }

// find returns an open record, nil if there is none at offset.
func (t *track) find(offset int64) *begun {
	open := t.open()
	i, ok := slices.BinarySearchFunc(open, offset, func(b begun, o int64) int { return cmp.Compare(b.offset, o) })
	if !ok {
		return nil
	}
	return &open[i]
}

// advance moves the marked records at the front into the prefix. The queue is
// moved up only when half of it is done, so that a mark costs the same however
// many writes are on their way.
func (t *track) advance() {
	for t.head < len(t.queue) && t.queue[t.head].state == marked {
		t.next, t.at = t.queue[t.head].offset+1, t.queue[t.head].at
		t.head++
		t.records++
	}
	if t.head > len(t.queue)/2 {
		t.queue = append(t.queue[:0], t.open()...)
		t.head = 0
	}
}

// due returns the end of the prefix, the timestamp of the record before it and
// the number of records to be committed; records is 0 when nothing has moved.
func (t *track) due() (next int64, at time.Time, records int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next, t.at, t.records
}

// commit notes that so many records of the prefix are committed.
func (t *track) commit(records int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.records -= records
}

// close ignores whatever is marked from now on: the session is over.
func (t *track) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
}
