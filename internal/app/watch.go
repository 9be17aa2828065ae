package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"billstream/internal/eos"
	"billstream/internal/kafka"
	"billstream/internal/topics"
)

// How often the process looks at itself, and at its brokers.
const (
	watchEvery   = 200 * time.Millisecond
	brokerEvery  = 5 * time.Second
	logEvery     = 5 * time.Second
	lagTooOld    = 120 * time.Second
	caughtUpPoll = 100 * time.Millisecond
)

// startLag begins to measure the lag.
func (a *App) startLag(context.Context) error {
	a.lag = kafka.NewLagMonitor(a.admin, kafka.LagOptions{
		Group: topics.Group, Topic: topics.CustomerEvents, Counts: topics.Names(), Log: a.log,
		Open: []string{topics.CustomerEvents, topics.BillingTable, topics.BillingUpdates},
	}, a.registry)
	publish := a.lag.Publish
	a.lag.Publish = func(l kafka.Lag) {
		publish(l)
		if n := l.Counts[topics.CustomerEvents]; n > a.input.Partitions {
			a.fail("watch the lag", grown(n, a.input.Partitions))
		}
	}
	if a.input.ID != "" { // else this process may only read the table
		a.background("lag monitor", a.lag.Run)
	}
	a.background("broker check", a.broker.run)
	return nil
}

// startWatch begins to watch over readiness and recovery.
func (a *App) startWatch(context.Context) error {
	a.built.Store(true)
	a.life.enter(recovering)
	a.log.Info("recovery started", "partitions", a.input.Partitions)
	a.background("watch", a.watch)
	if a.opt.OnReady != nil {
		a.background("on ready", func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return nil
			case <-a.ready:
				return a.opt.OnReady(ctx, a)
			}
		})
	}
	return nil
}

// watch looks at the checks until ctx ends, and tells how recovery goes.
func (a *App) watch(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	logged := time.Now()
	for {
		a.ask()
		if a.life.state() == recovering {
			p := a.progress()
			a.tell(p)
			if time.Since(logged) > logEvery {
				logged = time.Now()
				a.log.Info("recovery progress", "records", p.Done, "target", p.Target, "rate", int64(p.Rate), "eta_seconds", p.ETASeconds)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// ask asks the checks. Whoever first hears that all pass, the watch or a probe,
// ends the first recovery.
func (a *App) ask() (ready bool, results []CheckResult) {
	ready, results = a.health.refresh()
	if ready && a.life.state() == recovering && a.life.enter(running) {
		a.becomeReady()
	}
	return ready, results
}

func (a *App) tell(p Progress) {
	if a.opt.OnRecovery != nil {
		a.opt.OnRecovery(p)
	}
}

// becomeReady announces the end of the first recovery.
func (a *App) becomeReady() {
	p := a.progress()
	p.Finished = true
	a.tell(p)
	took := time.Since(a.began)
	a.log.Info("recovery finished", "records", p.Target, "duration", took)
	at := a.Addresses()
	a.notice("billstream %s ready: %s, %s, %d partitions, lookups on %s, admin on %s, after %.1f s",
		a.opt.Version, a.cfg.Guarantee, a.brokerName(), a.input.Partitions, shown(at.Data), shown(at.Admin), took.Seconds())
	close(a.ready)
}

func (a *App) brokerName() string {
	if a.cfg.Embedded() {
		return "embedded broker on " + a.Addresses().Broker
	}
	return fmt.Sprintf("Kafka at %v", a.cfg.Brokers)
}

func shown(addr string) string {
	if addr == "" {
		return "no listener"
	}
	return "http://" + addr
}

// recoveries returns the recoveries of this process's roles.
func (a *App) recoveries() []*eos.Recovery {
	var all []*eos.Recovery
	if a.group != nil {
		all = append(all, a.group.recovery)
	}
	if a.view != nil {
		all = append(all, a.view.recovery)
	}
	return all
}

// progress adds up the recoveries of all roles.
func (a *App) progress() Progress {
	p := Progress{Table: topics.BillingTable}
	for _, r := range a.recoveries() {
		s := r.Summary()
		p.Done += s.Done
		p.Target += s.Target
		p.Rate += s.Rate
		p.Partitions += s.Partitions
		p.Ready += s.Ready
		if s.ETA < 0 || p.ETASeconds < 0 {
			p.ETASeconds = -1
			continue
		}
		p.ETASeconds = max(p.ETASeconds, s.ETA.Seconds())
	}
	return p
}

// brokerCheck asks from time to time whether a broker answers, and whether it
// still lets us read.
type brokerCheck struct {
	now     func() time.Time
	ask     func(context.Context) (string, error) // nil until there is a client
	rights  []right
	denials *denials

	mu   sync.Mutex
	good time.Time // of the last answer
}

// run asks until ctx ends.
func (b *brokerCheck) run(ctx context.Context) error {
	tick := time.NewTicker(brokerEvery)
	defer tick.Stop()
	for {
		if _, err := b.ask(ctx); err == nil {
			b.mu.Lock()
			b.good = b.now()
			b.mu.Unlock()
			b.askRights(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// answered returns how long ago a broker answered; false if none ever did.
func (b *brokerCheck) answered() (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now().Sub(b.good), !b.good.IsZero()
}

// CaughtUp waits until every record of customer.events that was there at the
// call has been processed and committed. progress is told how many of them are
// done; it may be nil.
func (a *App) CaughtUp(ctx context.Context, progress func(done, target int64)) error {
	ends, err := a.admin.Offsets(ctx, topics.CustomerEvents)
	if err != nil {
		return err
	}
	tick := time.NewTicker(caughtUpPoll)
	defer tick.Stop()
	for {
		committed, err := a.admin.Committed(ctx, topics.Group, topics.CustomerEvents)
		if err != nil {
			return err
		}
		var done, target int64
		for _, p := range ends {
			target += p.Newest - p.Oldest
			done += min(max(committed[p.Partition]-p.Oldest, 0), p.Newest-p.Oldest)
		}
		if progress != nil {
			progress(done, target)
		}
		if done == target {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
