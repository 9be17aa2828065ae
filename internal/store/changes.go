package store

import "sync"

// Changes wakes those who wait for a partition to change. A change that nobody
// waits for costs a lock.
type Changes struct{ parts []change }

type change struct {
	mu   sync.Mutex
	next chan struct{} // closed by the next change; nil while nobody waits
}

// NewChanges returns the changes of n partitions.
func NewChanges(n int32) *Changes { return &Changes{parts: make([]change, n)} }

// Next returns a channel that the next change of a partition closes. To miss
// none, take it first, and look at the partition then.
func (c *Changes) Next(partition int32) <-chan struct{} {
	p := &c.parts[partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == nil {
		p.next = make(chan struct{})
	}
	return p.next
}

// Announce says that a partition has changed. What has changed must be there to
// be read before.
func (c *Changes) Announce(partition int32) {
	p := &c.parts[partition]
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next != nil {
		close(p.next)
		p.next = nil
	}
}
