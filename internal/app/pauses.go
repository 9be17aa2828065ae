package app

import (
	"context"
	"time"
)

// pauses grow from first, doubling, to last.
type pauses struct {
	first, last time.Duration
	next        time.Duration
}

func (p *pauses) reset() { p.next = 0 }

// wait pauses; false means that ctx ended meanwhile.
func (p *pauses) wait(ctx context.Context) bool {
	p.next = min(max(2*p.next, p.first), p.last)
	select {
	case <-ctx.Done():
		return false
	case <-time.After(p.next):
		return true
	}
}
