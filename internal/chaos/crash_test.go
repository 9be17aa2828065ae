//go:build chaos

package chaos_test

import (
	"fmt"
	"sync"
	"syscall"
	"time"
)

// crashing lets workers kill themselves under load, each point so many times.
func (l *lab) crashing(points []string, times int) {
	l.t.Helper()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { l.produce(1<<30, 600, stop) })
	l.run("steady").ready()
	var lanes sync.WaitGroup
	for lane := range 3 {
		first := l.rng.IntN(8)
		lanes.Go(func() {
			for i := lane; i < len(points); i += 3 {
				for n := range times {
					l.crash(fmt.Sprintf("lane%d", lane), points[i], 1+(first+n*3)%9)
				}
			}
		})
	}
	lanes.Wait()
	close(stop)
	wg.Wait()
	for lane := range 3 { // as whoever watches over the program would do
		l.run(fmt.Sprintf("lane%d", lane)).ready()
	}
}

// crash runs a worker until it kills itself at a point. What does not come by
// itself comes with a clean stop; a point that is not passed is an error.
func (l *lab) crash(id, point string, n int) {
	l.t.Helper()
	switch point {
	case "eos.recovery-start", "eos.recovery-half", "eos.recovery-end", "eos.setup", "eos.cleanup", "eos.drain":
		n = 1 // each comes once in the life of a quiet member
	case "store.flush-begin", "store.flush-end":
		n = 1 + n%2 // one comes a second
	}
	w := l.run(id, fmt.Sprintf("BILLSTREAM_FAILPOINT=%s:%d", point, n))
	select {
	case <-w.ended:
	case <-time.After(4 * time.Second):
		w.signal(syscall.SIGTERM)
		select {
		case <-w.ended:
		case <-time.After(20 * time.Second):
			l.t.Errorf("%s goes on 20 s after SIGTERM", id)
			w.kill()
		}
	}
	if w.exitCode() != -1 {
		l.t.Errorf("%s ended with code %d and has not passed %s %d times", id, w.exitCode(), point, n)
		return
	}
	l.fault()
}

// mixing freezes, stops, slows down and kills three workers at random.
func (l *lab) mixing(most time.Duration) {
	l.t.Helper()
	ids := names(3)
	running := map[string]*worker{}
	for _, id := range ids {
		running[id] = l.run(id)
	}
	for until := time.Now().Add(most); time.Now().Before(until); {
		<-time.After(l.around(800 * time.Millisecond))
		id := ids[l.rng.IntN(len(ids))]
		w := running[id]
		l.fault()
		switch l.rng.IntN(5) {
		case 0:
			w.signal(syscall.SIGSTOP)
			<-time.After(1500 * time.Millisecond)
			w.signal(syscall.SIGCONT)
		case 1:
			w.signal(syscall.SIGTERM)
			<-w.ended
		case 2:
			w.kill()
			running[id] = l.run(id, "BILLSTREAM_DELAY=eos.recovery-half:200,eos.sealed:20")
		default:
			w.kill()
		}
		if running[id].dead() {
			running[id] = l.run(id)
		}
	}
	for _, id := range ids {
		if running[id].dead() {
			running[id] = l.run(id)
		}
	}
}
