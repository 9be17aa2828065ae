package eos

import "time"

// pace says when the next epoch may begin. Commits follow one another at a
// multiple of what one takes, so that waiting for them stays a small part of
// the brokers' and our own work; under load that makes large epochs by itself.
type pace struct {
	interval time.Duration // the longest gap between the starts of two epochs
	took     time.Duration // of the last commit
	started  time.Time     // the last commit
}

const (
	// shortestGap bounds how often a lightly loaded group commits.
	shortestGap = 10 * time.Millisecond
	// gapPerCommit is how many times its own duration an epoch waits.
	gapPerCommit = 2.5
)

// due returns when the next epoch may begin.
func (p *pace) due() time.Time {
	gap := time.Duration(gapPerCommit * float64(p.took))
	return p.started.Add(min(max(gap, shortestGap), p.interval))
}
