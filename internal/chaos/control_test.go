//go:build chaos

package chaos_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/topics"
	"billstream/internal/verify"
)

// Zombies write on under names of their own, and for no generation.
func TestControlNoFence(t *testing.T) {
	t.Parallel()
	control(t, "no-fence", func(t *testing.T, env string) *lab {
		l := newLab(t, t.Name())
		// An epoch waits before it is written, so that the freeze meets one.
		l.env = []string{env, "BILLSTREAM_DELAY=eos.sealed:300"}
		done := l.load(12_000, 800)
		l.pausing(8)
		done()
		return l
	})
}

// State that is ahead of a dropped epoch suppresses what the epoch held. Its
// records are in the changelog, aborted: a changelog that ended before the state
// would be refused.
func TestControlEarlyStore(t *testing.T) {
	t.Parallel()
	control(t, "early-store", func(t *testing.T, env string) *lab {
		l, c, _ := newFakeLab(t, t.Name())
		l.env = []string{env, "BILLSTREAM_DELAY=eos.sealed:50"}
		l.run("w0").ready()
		done := l.load(4_000, 500)
		for range 8 {
			<-time.After(800 * time.Millisecond)
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.UnknownServerError, Count: 1})
			l.fault()
		}
		done()
		return l
	})
}

// Half a table taken for a whole one.
func TestControlRecoveryFallthrough(t *testing.T) {
	t.Parallel()
	control(t, "recovery-fallthrough", func(t *testing.T, env string) *lab {
		l := newLab(t, t.Name())
		ids := names(4)
		for _, id := range ids { // each has snapshots, which soon are old
			l.run(id).ready()
		}
		l.load(2_000, 4000)()
		l.drained(45 * time.Second)
		l.stopWorkers()
		l.run("other").ready()
		l.load(30_000, 6000)() // behind them is more than one batch
		l.drained(45 * time.Second)
		l.stopWorkers()
		// Without a view, whose recovery would come first.
		l.env = []string{env, "BILLSTREAM_DELAY=eos.recovery-half:300", "BILLSTREAM_LEAVE_ON_STOP=true", "BILLSTREAM_ROLES=processor"}
		for _, id := range ids { // each join interrupts the recoveries of the others
			l.run(id)
			<-time.After(700 * time.Millisecond)
			l.fault()
		}
		l.load(2_000, 500)()
		return l
	})
}

// Offsets are taken while a dead member's transaction still holds newer ones.
func TestControlUnstableOffsets(t *testing.T) {
	t.Parallel()
	control(t, "unstable-offsets", func(t *testing.T, env string) *lab {
		l, _, w := newFakeLab(t, t.Name())
		l.env = []string{env}
		done := l.load(20_000, 1000)
		id := topics.Group + "-victim"
		large := "BILLSTREAM_DELAY=eos.sealed:300" // epochs, so that dead letters are in each: rows know what they have seen
		victim := l.run("victim", large)
		l.run("heir").ready()
		for range 4 {
			victim.ready()
			<-time.After(l.around(700 * time.Millisecond))
			w.held.Store(&id)
			select {
			case <-w.holds:
			case <-time.After(5 * time.Second):
				t.Fatal("no transaction of the victim has ended within 5 s")
			}
			victim.kill()
			l.fault()
			<-time.After(3500 * time.Millisecond) // the heir has it all, and the transaction has ended
			victim = l.run("victim", large)
		}
		done()
		return l
	})
}

// A record that failed is passed by the offset of those behind it.
func TestControlMaxMark(t *testing.T) {
	t.Parallel()
	control(t, "max-mark", func(t *testing.T, env string) *lab {
		l := newLab(t, t.Name())
		l.guarantee = verify.AtLeastOnce
		done := l.load(6_000, 500)
		for i := range 6 {
			// Before a staging: whichever of a record's two calls it is, something is missing.
			w := l.run("w0", env, fmt.Sprintf("BILLSTREAM_PANIC=eos.after-apply:%d", 101+101*i))
			w.ready()
			w.waitFor(`panic`, 20*time.Second)
			<-time.After(300 * time.Millisecond)
			w.stop()
			l.fault()
		}
		done()
		l.run("w1").ready()
		return l
	})
}

// Rows before updates: what a row proves is not there.
func TestControlNaiveSuppress(t *testing.T) {
	t.Parallel()
	control(t, "naive-suppress", func(t *testing.T, env string) *lab {
		l := newLab(t, t.Name())
		l.guarantee = verify.AtLeastOnce
		done := l.load(6_000, 600)
		for i := range 8 {
			w := l.run("w0", env, fmt.Sprintf("BILLSTREAM_FAILPOINT=eos.after-produce:%d", 5+2*i))
			select {
			case <-w.ended:
				l.fault()
			case <-time.After(5 * time.Second):
				w.kill()
			}
		}
		done()
		l.run("w1").ready()
		return l
	})
}
