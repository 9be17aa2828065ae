//go:build chaos

package chaos_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"billstream/internal/verify"
)

func TestKills(t *testing.T) {
	l := newLab(t, t.Name())
	kills, events := scaled(120), scaled(100_000)
	done := l.load(events, events*10/(kills*7))
	l.killing(kills, 700*time.Millisecond, names(3))
	done()
	l.finish(t.Name(), 45*time.Second)
}

func TestKillsAtLeastOnce(t *testing.T) {
	l := newLab(t, t.Name())
	l.guarantee = verify.AtLeastOnce
	kills := scaled(30)
	done := l.load(scaled(20_000), 1000)
	l.killing(kills, 600*time.Millisecond, names(3))
	done()
	l.finish(t.Name(), 45*time.Second)
}

func TestKillsWithASmallStagingLimit(t *testing.T) {
	l := newLab(t, t.Name())
	l.args = []string{"--max-staged", "20kB"}
	done := l.load(scaled(8_000), 800)
	l.killing(scaled(12), 700*time.Millisecond, names(2))
	done()
	l.finish(t.Name(), 45*time.Second)
}

func TestKillsWithSlowCallbacks(t *testing.T) {
	t.Parallel()
	l := newLab(t, t.Name())
	l.env = []string{"BILLSTREAM_DELAY=eos.after-apply:300"}
	done := l.load(150, 15)
	l.killing(scaled(6), 1500*time.Millisecond, names(2))
	done()
	l.finish(t.Name(), 60*time.Second)
}

func TestPanicsUnderKills(t *testing.T) {
	l := newLab(t, t.Name())
	done := l.load(scaled(8_000), 500)
	ids := names(2)
	running := map[string]*worker{}
	for _, id := range ids {
		running[id] = l.run(id, fmt.Sprintf("BILLSTREAM_PANIC=eos.after-stage:%d", 50+l.rng.IntN(500)))
	}
	for range scaled(10) {
		<-time.After(l.around(time.Second))
		id := ids[l.rng.IntN(len(ids))]
		running[id].kill()
		l.fault()
		running[id] = l.run(id, fmt.Sprintf("BILLSTREAM_PANIC=eos.after-stage:%d", 50+l.rng.IntN(500)))
	}
	done()
	l.finish(t.Name(), 45*time.Second)
}

func TestZombies(t *testing.T) {
	l := newLab(t, t.Name())
	pauses := scaled(26)
	done := l.load(scaled(40_000), 800)
	l.pausing(pauses)
	done()
	l.finish(t.Name(), 45*time.Second)
}

// points are the crash points of processing, commit, recovery and membership.
var points = []string{
	"eos.after-apply", "eos.after-stage", "eos.after-mark", "eos.dead-letter-staged",
	"eos.sealed", "eos.some-updates-acked", "eos.after-produce", "eos.before-offsets", "eos.after-offsets",
	"eos.end-sent", "eos.end-acked", "eos.after-store",
	"eos.recovery-start", "eos.recovery-half", "eos.recovery-end",
	"eos.setup", "eos.cleanup", "eos.drain",
	"views.after-apply",
}

// Each store has points of its own, where it saves.
var (
	snapshotPoints = []string{"store.snapshot-half", "store.snapshot-rename"}
	databasePoints = []string{"store.flush-begin", "store.flush-end"}
)

func TestCrashPoints(t *testing.T) {
	l := newLab(t, t.Name())
	l.crashing(slices.Concat(points, snapshotPoints), scaled(5))
	l.finish(t.Name(), 45*time.Second)
}

func TestChurn(t *testing.T) {
	l := newLab(t, t.Name())
	done := l.load(scaled(30_000), 1000)
	steady := l.run("steady")
	_, admin := steady.ready()
	before := gauges(t, admin)
	until := time.Now().Add(time.Duration(scaled(30)) * time.Second)
	for i := 0; time.Now().Before(until); i++ {
		w := l.run(fmt.Sprintf("guest%d", i%3), "BILLSTREAM_LEAVE_ON_STOP=true")
		w.ready()
		<-time.After(l.around(500 * time.Millisecond))
		if i%4 == 3 {
			w.kill()
		} else {
			w.stop()
		}
		l.fault()
	}
	done()
	l.drained(45 * time.Second)
	for name, after := range gauges(t, admin) {
		if limit := before[name]*1.5 + slack[name]; after > limit {
			t.Errorf("%s is %.0f after the churn, want at most %.0f", name, after, limit)
		}
		t.Logf("%s: %.0f before, %.0f after", name, before[name], after)
	}
	l.finish(t.Name(), 45*time.Second)
}

// fixedSeed is of a schedule that every run goes through.
const fixedSeed = 4

// TestMixed mixes what the other tests do one by one, and must drain soon after
// the last fault, again and again.
func TestMixed(t *testing.T) {
	for i := range scaled(2) {
		l := newLab(t, fmt.Sprint(t.Name(), i))
		if i == 0 {
			l.rng = schedule(fixedSeed, t.Name()) // beside those that differ from run to run
		}
		done := l.load(20_000, 700)
		l.mixing(30 * time.Second)
		done()
		l.finish(fmt.Sprint(t.Name(), i), 45*time.Second)
	}
}
