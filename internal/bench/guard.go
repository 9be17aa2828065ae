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

// guard tells what the machine is worth just now, beside what else runs on it:
// how much work a microsecond of CPU time is, and how much of a core we get.
type guard struct {
	blocks int
	best   effort
}

// effort is what the calibration loop takes.
type effort struct{ cpu, wall time.Duration }

// newGuard makes a loop of about 200 ms.
func newGuard() *guard {
	g := &guard{blocks: 256}
	once := max(g.loop().wall, time.Millisecond)
	g.blocks = max(1, int(float64(g.blocks)*float64(200*time.Millisecond)/float64(once)))
	g.best = g.loop()
	return g
}

// drift runs the loop and returns by how much it was slower than the best one,
// as a share of that: in CPU or in wall time, whichever is worse.
func (g *guard) drift() float64 {
	now := g.loop()
	g.best = effort{cpu: min(g.best.cpu, now.cpu), wall: min(g.best.wall, now.wall)}
	worst := float64(now.wall)/float64(g.best.wall) - 1
	if g.best.cpu > 0 {
		worst = max(worst, float64(now.cpu)/float64(g.best.cpu)-1)
	}
	return worst
}

// loop does a fixed piece of work. Its CPU time is 0 where threads have no
// clock.
func (g *guard) loop() effort {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	block := make([]byte, 64<<10)
	began, start := time.Now(), threadTime()
	for range g.blocks {
		sum := sha256.Sum256(block)
		copy(block, sum[:])
	}
	return effort{cpu: threadTime() - start, wall: time.Since(began)}
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
