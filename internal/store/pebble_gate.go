package store

import (
	"sync"
	"time"
)

// gate lets operations in until it is shut, and knows when the last one has
// left. One that is in may enter again: behind a shut gate it is refused, and
// never waits for itself.
type gate struct {
	mu     sync.Mutex
	inside int
	idle   chan struct{} // made when the gate is shut; closed when nobody is inside
}

// enter reports whether the operation may go on; it must leave then.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.idle != nil {
		return false
	}
	g.inside++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	g.settle()
}

// shut reports whether it was this call that shut the gate.
func (g *gate) shut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.idle != nil {
		return false
	}
	g.idle = make(chan struct{})
	g.settle()
	return true
}

func (g *gate) settle() {
	if g.idle != nil && g.inside == 0 {
		close(g.idle)
	}
}

// wait reports whether everybody has left a shut gate within d.
func (g *gate) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-g.idle:
		return true
	case <-t.C:
		return false
	}
}
