package bench

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// Growth is how the program does with more of everything: one cell in the
// middle, and others that differ from it in one way.
type Growth struct {
	Cells      []Cell      `json:"cells"`
	Projection *Projection `json:"projection,omitempty"`
}

// Growing situations begin with this one.
const (
	growthCustomers  = 100_000
	growthPartitions = 12
	growthLoad       = 200_000
	growthRate       = 500
	growthRateTime   = 4 * time.Second
)

// growthPlan lists the situations, from few customers to most.
func growthPlan(most, load int) []situation {
	middle := situation{
		customers: min(growthCustomers, most), events: rowEvents, partitions: growthPartitions, guarantee: exactlyOnce,
		load: load, rate: growthRate, rateTime: growthRateTime,
	}
	var plan []situation
	with := func(change func(*situation)) {
		s := middle
		change(&s)
		if s.customers <= most && !slices.Contains(plan, s) {
			plan = append(plan, s)
		}
	}
	for n := 10_000; n <= 10_000_000; n *= 10 {
		with(func(s *situation) { s.customers = n })
	}
	for _, n := range []int32{1, 4, 64} {
		with(func(s *situation) { s.partitions = n })
	}
	for _, n := range []int{1, 20, 50} {
		with(func(s *situation) { s.events = n })
	}
	with(func(s *situation) { s.zipf = true })
	with(func(s *situation) { s.zipf, s.customers = true, most })
	with(func(*situation) {}) // the middle, where most is below all steps
	return plan
}

// growth measures the plan, as far as the time reaches.
func (b *bench) growth(ctx context.Context, deadline time.Time) (*Growth, error) {
	g := new(Growth)
	plan := growthPlan(b.o.GrowthMax, min(b.o.Events, growthLoad))
	if b.o.few {
		plan = plan[len(plan)-1:]
		plan[0].restarts, plan[0].rateTime = 1, b.o.RateTime
	}
	cells, err := b.cells(ctx, deadline, "growth", plan)
	if err != nil {
		return nil, err
	}
	g.Cells = cells
	g.Projection = project(cells, machineMemory(), machine(b.o).Cores)
	return g, nil
}

// cells measures situations one after the other; those that the time is too
// short for are named in the report.
func (b *bench) cells(ctx context.Context, deadline time.Time, what string, plan []situation) (all []Cell, err error) {
	for _, s := range plan {
		name := what + ": " + s.name()
		if time.Now().Add(s.estimate()).After(deadline) {
			b.missing = append(b.missing, name)
			continue
		}
		b.o.Progress(name)
		c, err := b.cell(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("measure %s: %w", name, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// Projection is what a hundred million customers would need, if machines like
// this one were alike and nothing else ran on them. A customer costs what one
// more cost between the two largest cells, an event what it cost in the largest,
// and as much more for each tenfold of a machine's customers as the last tenfold
// did. A machine's memory is used to memoryShare, its cores to coreShare.
type Projection struct {
	Customers        int     `json:"customers"`
	BytesPerCustomer float64 `json:"bytes_per_customer"`
	BytesBeside      float64 `json:"bytes_of_a_process"` // whatever its customers
	CPUPerEvent      float64 `json:"cpu_us_per_event"`
	CPUPerTenfold    float64 `json:"cpu_us_per_event_and_tenfold"`
	From             int     `json:"from_customers"` // of the largest cell
	MachineBytes     int64   `json:"machine_bytes"`
	MachineCores     int     `json:"machine_cores"`
	Needs            []Need  `json:"needs"`
}

// Need is how many machines a rate of events takes.
type Need struct {
	Rate     int     `json:"events_per_second"`
	Machines int     `json:"machines"`
	ByMemory int     `json:"machines_by_memory"`
	ByCPU    int     `json:"machines_by_cpu"`
	Restore  float64 `json:"restore_seconds"` // of one machine's share, from the brokers
}

const (
	projected   = 100_000_000
	memoryShare = 0.7
	coreShare   = 0.6
)

// project works the largest cells out to projected customers; nil where there
// are no two to compare, or the machine is not known.
func project(cells []Cell, memory int64, cores int) *Projection {
	var by []Cell
	for _, c := range cells {
		if !c.Zipf && c.Partitions == growthPartitions && c.Events == rowEvents {
			by = append(by, c)
		}
	}
	slices.SortFunc(by, func(a, b Cell) int { return a.Customers - b.Customers })
	if len(by) < 2 || memory == 0 {
		return nil
	}
	small, large := by[len(by)-2], by[len(by)-1]
	p := &Projection{
		Customers: projected, From: large.Customers, MachineBytes: memory, MachineCores: cores,
		BytesPerCustomer: float64(large.Resident-small.Resident) / float64(large.Customers-small.Customers),
		CPUPerEvent:      large.CPUPerEvent,
		CPUPerTenfold:    max(0, large.CPUPerEvent-small.CPUPerEvent) / math.Log10(float64(large.Customers)/float64(small.Customers)),
	}
	if p.BytesPerCustomer <= 0 || large.CPUPerEvent == 0 {
		return nil
	}
	p.BytesBeside = max(0, float64(large.Resident)-p.BytesPerCustomer*float64(large.Customers))
	room := max(memoryShare*float64(memory)-p.BytesBeside, memoryShare*float64(memory)/2)
	for _, rate := range []int{1000, 10_000, 100_000, 1_000_000} {
		n := Need{Rate: rate, ByMemory: int(math.Ceil(projected * p.BytesPerCustomer / room))}
		n.Machines = n.ByMemory
		for { // fewer customers on each make an event cheaper
			n.ByCPU = int(math.Ceil(float64(rate) * p.cpu(projected/n.Machines) / (coreShare * float64(cores) * 1e6)))
			if n.ByCPU <= n.Machines {
				break
			}
			n.Machines = n.ByCPU
		}
		n.Restore = float64(projected/n.Machines) / large.RestoredPerSecond
		p.Needs = append(p.Needs, n)
	}
	return p
}

// cpu is what an event costs where so many customers are.
func (p *Projection) cpu(customers int) float64 {
	tenfolds := math.Log10(max(1, float64(customers)/float64(p.From)))
	return p.CPUPerEvent + tenfolds*p.CPUPerTenfold
}
