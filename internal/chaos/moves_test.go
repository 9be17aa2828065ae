//go:build chaos || apache

package chaos_test

import (
	"fmt"
	"sync"
	"syscall"
	"time"
)

// names of the workers of a lab.
func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("w%d", i)
	}
	return all
}

// load sends events in the background; the returned func waits for the last.
func (l *lab) load(n, perSecond int) (done func()) {
	var wg sync.WaitGroup
	wg.Go(func() { l.produce(n, perSecond, nil) })
	l.t.Cleanup(wg.Wait) // a failure must not leave it behind
	return wg.Wait
}

// around returns d times 0.5 to 1.5.
func (l *lab) around(d time.Duration) time.Duration {
	return time.Duration((0.5 + l.rng.Float64()) * float64(d))
}

// killing kills workers at random and starts them again.
func (l *lab) killing(kills int, every time.Duration, ids []string, env ...string) {
	l.t.Helper()
	running := map[string]*worker{}
	for _, id := range ids {
		running[id] = l.run(id, env...)
	}
	for _, w := range running {
		w.ready()
	}
	for range kills {
		<-time.After(l.around(every))
		id := ids[l.rng.IntN(len(ids))]
		running[id].kill()
		l.fault()
		running[id] = l.run(id, env...)
	}
}

// pausing freezes two of four workers at a time for three sessions. One that
// leaves because others have its name is started again.
func (l *lab) pausing(pauses int) {
	l.t.Helper()
	ids := names(4)
	running := map[string]*worker{}
	for _, id := range ids {
		running[id] = l.run(id)
	}
	for _, w := range running {
		w.ready()
	}
	for range pauses / 2 {
		<-time.After(l.around(400 * time.Millisecond))
		two := l.rng.Perm(len(ids))[:2]
		for _, i := range two {
			running[ids[i]].signal(syscall.SIGSTOP)
			l.fault()
		}
		<-time.After(3 * time.Second)
		for _, i := range two {
			running[ids[i]].signal(syscall.SIGCONT)
		}
		<-time.After(500 * time.Millisecond)
		for _, id := range ids {
			if !running[id].dead() {
				continue
			}
			if code := running[id].exitCode(); code != 4 {
				l.t.Errorf("%s ended with code %d, want it to go on or 4", id, code)
			}
			running[id] = l.run(id)
		}
	}
}
