package bench

import (
	"crypto/sha256"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxDrift is how much slower than at its best the machine may be beside an
// arm; maxTries how often an arm is run for a quiet moment.
const (
	maxDrift = 0.15
	maxTries = 3
)

// guard tells how much work a microsecond of CPU time is worth just now: other
// processes on the same cores change it.
type guard struct {
	blocks int
	best   time.Duration
}

// newGuard makes a loop of about 200 ms.
func newGuard() *guard {
	g := &guard{blocks: 256}
	g.blocks = int(float64(g.blocks) * float64(200*time.Millisecond) / float64(max(g.loop(), time.Millisecond)))
	g.best = g.loop()
	return g
}

// drift runs the loop and returns by how much it was slower than the best one,
// as a share of that.
func (g *guard) drift() float64 {
	took := g.loop()
	g.best = min(g.best, took)
	return float64(took)/float64(g.best) - 1
}

// loop returns the CPU time of a fixed piece of work, or its wall time where
// threads have no clock.
func (g *guard) loop() time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	block := make([]byte, 64<<10)
	began, start := time.Now(), threadTime()
	for range g.blocks {
		sum := sha256.Sum256(block)
		copy(block, sum[:])
	}
	if took := threadTime() - start; took > 0 {
		return took
	}
	return time.Since(began)
}

// ofThread is RUSAGE_THREAD, which Linux alone has.
const ofThread = 1

func threadTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(ofThread, &used); err != nil {
		return 0
	}
	return cpuOf(&used)
}

// machineLoad is the load average of the last minute, 0 where it is not known.
func machineLoad() float64 {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return load
}
