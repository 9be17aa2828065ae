package app

import (
	"fmt"
	"time"

	"billstream/internal/topics"
)

// checks are the lines of /readyz. Each reads what the parts know; none asks
// the network.
func (a *App) checks() []check {
	return []check{
		{name: "broker", ask: a.brokerAnswers},
		{name: "group", ask: a.groupJoined},
		{name: "recovery", ask: a.groupRecovered},
		{name: "view", ask: a.viewRecovered},
		{name: "writer", ask: a.writerCommits},
		{name: "store", ask: a.storeWorks},
		{name: "drain", ask: a.notDraining},
		{name: "lag_monitor", advice: true, ask: a.lagKnown},
	}
}

func (a *App) brokerAnswers() (bool, string) {
	ago, ever := a.broker.answered()
	switch {
	case !ever:
		return false, "no broker has answered yet"
	case ago > max(a.cfg.ReadyGrace, 2*brokerEvery): // less is no sign: it is not asked more often
		return false, fmt.Sprintf("no broker has answered for %s", ago.Round(time.Second))
	}
	return true, ""
}

// groupJoined passes without partitions too: there may be more members than
// partitions, and a rollout must not wait for the spare ones.
func (a *App) groupJoined() (bool, string) {
	if !a.cfg.has(RoleProcessor) {
		return true, ""
	}
	if !a.built.Load() {
		return false, "not started"
	}
	if s := a.group.engine.Status(); s.Generation == 0 {
		return false, s.Reason
	}
	if missing := a.broker.denials.longer(a.cfg.ReadyGrace, toRead(topics.CustomerEvents), toRead(topics.BillingTable), toJoin); missing != "" {
		return false, missing
	}
	return true, ""
}

// groupRecovered tolerates a rebalance for the grace period, but not before the
// first recovery.
func (a *App) groupRecovered() (bool, string) {
	if !a.cfg.has(RoleProcessor) {
		return true, ""
	}
	now := a.life.state()
	if !a.built.Load() {
		return false, "not started"
	}
	s := a.group.engine.Status()
	if s.Running || (now != recovering && time.Since(s.Since) < a.cfg.ReadyGrace) {
		return true, ""
	}
	sum := a.group.recovery.Summary()
	return false, fmt.Sprintf("%s: %d of %d partitions running, %d of %d records read", s.Reason, sum.Ready, sum.Partitions, sum.Done, sum.Target)
}

// commitGrace is how long staged records may wait for a commit.
const commitGrace = 30 * time.Second

// writerCommits fails while records are staged and none has been committed for
// a while, or while the writer cannot get its identity.
func (a *App) writerCommits() (bool, string) {
	if !a.cfg.has(RoleProcessor) || !a.built.Load() {
		return true, ""
	}
	s := a.group.engine.Status()
	if denied := a.writerDenied(s); denied != "" {
		return false, denied
	}
	stopped := !s.Running && time.Since(s.Since) > commitGrace
	switch {
	case s.WriterError != "" && (stopped || s.EpochAge > commitGrace):
		return false, s.WriterError
	case s.EpochAge > commitGrace:
		return false, fmt.Sprintf("%d records are staged, the oldest for %s", s.StagedRecords, s.EpochAge.Round(time.Second))
	}
	return true, ""
}

func (a *App) viewRecovered() (bool, string) {
	if !a.cfg.has(RoleView) {
		return true, ""
	}
	if !a.built.Load() {
		return false, "not started"
	}
	if missing := a.broker.denials.longer(a.cfg.ReadyGrace, toRead(topics.BillingTable)); missing != "" {
		return false, missing
	}
	for p := range a.input.Partitions {
		if remaining, ok := a.view.recovery.Ready(p); !ok {
			return false, fmt.Sprintf("partition %d has %d records left", p, remaining)
		}
	}
	return true, ""
}

func (a *App) notDraining() (bool, string) {
	if s := a.life.state(); s == draining || s == failed {
		return false, string(s)
	}
	return true, ""
}

func (a *App) lagKnown() (bool, string) {
	if !a.built.Load() {
		return true, ""
	}
	at := a.lag.Last().At
	if ago := time.Since(at); !at.IsZero() && ago > lagTooOld {
		return false, fmt.Sprintf("last refresh was %s ago", ago.Round(time.Second))
	}
	return true, ""
}
