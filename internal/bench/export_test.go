package bench

import "time"

// Spoil makes the updates of an arm wrong.
func (o *Options) Spoil(w Way) { o.spoil = w }

// Once runs every arm once, however busy the machine is, and nothing before.
func (o *Options) Once() { o.tries, o.cold = 1, true }

// Hurry makes a rebalance, and a look at a program, take no longer than they must.
func (o *Options) Hurry() { o.settled, o.rest = 500*time.Millisecond, time.Millisecond }

// Every restores and rebalances arms that cannot.
func (o *Options) Every() { o.every = true }

// Few measures growth in one cell, which it starts again.
func (o *Options) Few() { o.few = true }
