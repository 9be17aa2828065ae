package processors

import (
	"sync"
	"time"

	"billstream/internal/billing"
	"billstream/internal/customer"
)

// entry is what one processed record adds to the counters once it is committed.
type entry struct {
	offset      int64
	timestamp   time.Time
	sampled     bool
	outcome     outcome
	kind        customer.Type
	class       billing.Class
	facets      [billing.FacetPlan + 1]uint8
	code        customer.Code
	updateBytes int
	rowBytes    int
	letterBytes int
}

// ledger keeps what was processed but not yet committed, per partition. The
// counters of business facts advance from it at a commit, so that they equal
// what a reader of the topics can count.
type ledger struct {
	metrics *metrics
	parts   []page
}

// page is one partition's part of the ledger.
type page struct {
	mu      sync.Mutex
	entries []entry // by offset
}

func newLedger(partitions int32, m *metrics) *ledger {
	return &ledger{metrics: m, parts: make([]page, partitions)}
}

func (l *ledger) add(partition int32, e entry) {
	p := &l.parts[partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.entries = append(p.entries, e)
}

// commit counts the entries below next and forgets them.
func (l *ledger) commit(partition int32, next int64, now time.Time) {
	p := &l.parts[partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < len(p.entries) && p.entries[n].offset < next {
		l.metrics.count(&p.entries[n], now)
		n++
	}
	if n > 0 {
		l.metrics.committedAt(partition, now)
	}
	p.entries = append(p.entries[:0], p.entries[n:]...)
}

func (l *ledger) drop(partition int32) {
	p := &l.parts[partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.entries = nil
	l.metrics.forget(partition)
}

// size returns how many records are processed but not committed.
func (l *ledger) size() (n int) {
	for i := range l.parts {
		p := &l.parts[i]
		p.mu.Lock()
		n += len(p.entries)
		p.mu.Unlock()
	}
	return n
}
