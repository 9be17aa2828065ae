package app

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"billstream/internal/eos"
)

// Go lets garbage grow to the size of what lives. Rows live long, and there may
// be gigabytes of them; as they hold no pointers, a collection costs next to
// nothing for their sake. So garbage may grow to the size of the rest, and to an
// eighth of the rows.
const (
	leastGarbage = 64 << 20
	rowsGarbage  = 8
)

// collectEvery is how often the share is set again.
const collectEvery = time.Second

// gcPercent returns what GOGC should be while so many bytes live, rows among
// them: 10 to 100.
func gcPercent(live, rows int64) int {
	if live <= 0 {
		return 100
	}
	garbage := max(live-rows+rows/rowsGarbage, leastGarbage)
	return int(min(max(100*garbage/live, 10), 100))
}

// startCollector lets the garbage collector know how much of the heap is rows,
// where the process is ours alone and nobody has set GOGC.
func (a *App) startCollector(context.Context) error {
	if _, set := os.LookupEnv("GOGC"); !a.opt.OwnProcess || set || a.cfg.Store != StoreMemory {
		return nil
	}
	a.background("garbage collector", func(ctx context.Context) error {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		percent := debug.SetGCPercent(100)
		defer debug.SetGCPercent(percent)
		tick := time.NewTicker(collectEvery)
		defer tick.Stop()
		last := 100
		for {
			metrics.Read(live)
			if p := gcPercent(int64(live[0].Value.Uint64()), rowBytes(a.state.bases)); p != last {
				last = p
				debug.SetGCPercent(p)
			}
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
		}
	})
	return nil
}

// rowBytes returns what the rows of all partitions take up in memory.
func rowBytes(bases *eos.Bases) (sum int64) {
	for n := range bases.Len() {
		_, size := held(bases.At(n), n, bases.Len())
		sum += size.Memory
	}
	return sum
}
