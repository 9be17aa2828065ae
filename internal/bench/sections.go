package bench

import (
	"bufio"
	"cmp"
	"context"
	"os"
	"strconv"
	"strings"
	"time"
)

// findings are what is measured beside the arms.
type findings struct {
	Lookups []Looked `json:"lookups,omitempty"` // in the order of running
	Program []Cell   `json:"program,omitempty"` // restarts, and from events to lookups
	Paused  *Paused  `json:"snapshot_pauses,omitempty"`
	Growth  *Growth  `json:"growth,omitempty"`
}

const (
	// million is of how many customers targets speak.
	million = 1_000_000
	// storeRestarts is how often a program is started again.
	storeRestarts = 3
	// freshCustomers are those of whom events become visible.
	freshCustomers = 10_000
	freshRate      = 500
)

// withSections says what belongs to what is asked for.
func (o Options) withSections() Options {
	if o.Targets {
		o.Lookups, o.Freshness, o.Stores = true, true, true
		if len(o.Ways) == 0 {
			o.Ways = []Way{Stock, AtLeastOnce, ExactlyOnce, Floor}
		}
	}
	if o.Stores {
		o.Restore = true
		if len(o.Ways) == 0 {
			o.Ways = []Way{Stock, ExactlyOnce}
		}
		if len(o.StoreCustomers) == 0 {
			o.StoreCustomers = []int{million}
		}
	}
	if len(o.Ways) == 0 && !o.Lookups && !o.Freshness && !o.Growth {
		o.Ways = Ways()[:3]
	}
	o.ProductPartitions = cmp.Or(o.ProductPartitions, 12)
	o.LookupTime = cmp.Or(o.LookupTime, 2*time.Second)
	o.GrowthMax = cmp.Or(o.GrowthMax, million)
	return o
}

// sections measures what is asked for beside the arms.
func (b *bench) sections(ctx context.Context, deadline time.Time) (f findings, err error) {
	if b.o.Lookups {
		if f.Lookups, err = b.lookups(ctx, deadline); err != nil {
			return f, err
		}
	}
	if b.o.Freshness {
		if f.Program, err = b.cells(ctx, deadline, "freshness", b.freshPlan()); err != nil {
			return f, err
		}
	}
	if b.o.Stores {
		cells, err := b.cells(ctx, deadline, "restart", b.restartPlan())
		if err != nil {
			return f, err
		}
		f.Program = append(f.Program, cells...)
		if f.Paused, err = b.pause(ctx, deadline, min(b.o.StoreCustomers[0], million)); err != nil {
			return f, err
		}
	}
	if b.o.Growth {
		if f.Growth, err = b.growth(ctx, deadline); err != nil {
			return f, err
		}
	}
	return f, nil
}

// freshPlan measures both guarantees, one after the other.
func (b *bench) freshPlan() []situation {
	var plan []situation
	for range b.o.Repeats {
		for _, guarantee := range []string{atLeastOnce, exactlyOnce} {
			plan = append(plan, situation{
				customers: min(freshCustomers, b.o.Customers), events: rowEvents, partitions: b.o.ProductPartitions,
				guarantee: guarantee, rate: freshRate, rateTime: b.o.RateTime,
			})
		}
	}
	return plan
}

func (b *bench) restartPlan() []situation {
	var plan []situation
	for _, n := range b.o.StoreCustomers {
		plan = append(plan, situation{
			customers: n, events: rowEvents, partitions: b.o.ProductPartitions, guarantee: exactlyOnce, restarts: storeRestarts,
		})
	}
	return plan
}

// machineMemory is how many bytes this machine has, 0 where that is not known.
func machineMemory() int64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "MemTotal:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}
