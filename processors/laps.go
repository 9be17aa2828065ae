package processors

import "time"

// phased is a context that adds up where time goes.
type phased interface {
	Phase(name string, took time.Duration)
}

// laps measures the phases of one sampled record; nil measures nothing. Each
// sample stands for as many records as are not measured.
type laps struct {
	to   phased
	now  func() time.Time
	last time.Time
}

// lap ends a phase: decode, apply or encode.
func (l *laps) lap(phase string) {
	if l == nil {
		return
	}
	now := l.now()
	l.to.Phase(phase, sampleEvery*now.Sub(l.last))
	l.last = now
}
