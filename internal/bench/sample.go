package bench

import (
	"bufio"
	"cmp"
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// sample is what a process has used since its start.
type sample struct {
	At         time.Time     `json:"at"`
	CPU        time.Duration `json:"cpu"` // user and system, of all threads
	PeakRSS    int64         `json:"peak_rss"`
	Allocs     uint64        `json:"allocs"`
	AllocBytes uint64        `json:"alloc_bytes"`
	Commits    float64       `json:"commits"`
	// Phases is where time went, in seconds, as the engine's metrics name it;
	// waiting for room ("backpressure") is summed over the partitions.
	Phases    map[string]float64 `json:"phases"`
	Processed int64              `json:"processed"` // events whose callback has ended
}

// takeSample looks at this process, at its metrics, and at how many events it
// has processed.
func takeSample(from prometheus.Gatherer, processed int64) (sample, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return sample{}, os.NewSyscallError("getrusage", err)
	}
	heap := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(heap)
	s := sample{
		At:        time.Now(),
		Processed: processed,
		CPU:       cpuOf(&used),
		PeakRSS:   cmp.Or(highWater(), int64(used.Maxrss)<<10),
		Phases:    map[string]float64{},
		Allocs:    heap[0].Value.Uint64(), AllocBytes: heap[1].Value.Uint64(),
	}
	families, err := from.Gather()
	if err != nil {
		return sample{}, err
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				switch {
				case f.GetName() == "billstream_phase_seconds_total" && l.GetName() == "phase":
					s.Phases[l.GetValue()] = m.GetCounter().GetValue()
				case f.GetName() == "billstream_commits_total" && l.GetValue() == "committed":
					s.Commits += m.GetCounter().GetValue()
				}
			}
		}
	}
	return s, nil
}

func cpuOf(used *syscall.Rusage) time.Duration {
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// highWater is the peak of this process's resident memory, 0 where there is no
// /proc. The one of getrusage begins with that of the parent.
func highWater() int64 { return memoryOf("self", "VmHWM:") }

// memoryOf is a line of a process's status in bytes, 0 where there is none.
func memoryOf(process, name string) int64 {
	f, err := os.Open("/proc/" + process + "/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), name); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}
