package bench

import (
	"fmt"
	"slices"
	"strings"
)

// Target is a figure that was set beforehand, and what was measured. Floor and
// Goal are 0 where none was set.
type Target struct {
	Measure  string  `json:"measure"`
	Unit     string  `json:"unit"` // of Floor, Goal and Value; "": a ratio
	Floor    float64 `json:"floor,omitempty"`
	Goal     float64 `json:"goal,omitempty"`
	More     bool    `json:"more_is_better"`
	Value    *Spread `json:"value,omitempty"` // what is held against them; nil: not measured
	Measured string  `json:"measured"`        // in words: the figures behind a ratio, or why there are none
	Ratio    string  `json:"ratio"`           // to what the measure is compared with; "" where that is nothing
	Verdict  string  `json:"verdict"`
}

// Verdicts over the median of a target.
const (
	reachedGoal  = "goal reached"
	reachedFloor = "floor reached"
	belowFloor   = "BELOW THE FLOOR"
	missedGoal   = "goal missed" // where there is no floor
	notMeasured  = "not measured"
)

// judge says how a target stands.
func (t Target) judge() Target {
	better := func(than float64) bool {
		return than != 0 && (t.Value.Median == than || (t.Value.Median > than) == t.More)
	}
	switch {
	case t.Value == nil:
		t.Verdict = notMeasured
		if t.Measured == "" {
			t.Measured = notMeasured
		}
	case t.Goal != 0 && better(t.Goal), t.Goal == 0 && better(t.Floor):
		t.Verdict = reachedGoal
	case t.Floor == 0:
		t.Verdict = missedGoal
	case better(t.Floor):
		t.Verdict = reachedFloor
	default:
		t.Verdict = belowFloor
	}
	return t
}

// targets are those of the state store and of speed, in a fixed order.
func (r *Report) targets() []Target {
	var all []Target
	all = append(all, r.speedTargets()...)
	all = append(all, r.restoreTargets()...)
	all = append(all, r.restartTarget(million, 2, 0.8), r.restartTarget(10*million, 15, 6), r.memoryTarget())
	all = append(all, r.freshTarget(atLeastOnce, 25, 5), r.freshTarget(exactlyOnce, 100, 30))
	all = append(all, r.lookupTargets()...)
	all = append(all, r.pauseTarget())
	for i := range all {
		all[i] = all[i].judge()
	}
	return all
}

// ratio finds a ratio of two arms.
func (r *Report) ratio(of, to Way, what string) *Spread {
	for i, q := range r.Ratios {
		if q.Of == of && q.To == to && q.What == what {
			return &r.Ratios[i].Spread
		}
	}
	return nil
}

// both shows a figure of two arms.
func (r *Report) both(of, to Way, format, unit string, figure func(Summary) Spread) string {
	var words []string
	for _, w := range []Way{of, to} {
		for _, a := range r.Arms {
			if a.Way == w {
				words = append(words, fmt.Sprintf(format, figure(a).Median)+unit)
			}
		}
	}
	return strings.Join(words, " to ")
}

// against is a target for the ratio of two arms.
func (r *Report) against(t Target, of, to Way, what, format, unit string, figure func(Summary) Spread) Target {
	if t.Value = r.ratio(of, to, what); t.Value != nil {
		t.Measured, t.Ratio = r.both(of, to, format, unit, figure), t.Value.short("%.2f")
	}
	return t
}

func (r *Report) speedTargets() []Target {
	cpu := func(a Summary) Spread { return a.CPUPerEvent }
	return []Target{
		r.against(Target{Measure: "CPU per event against stock goka with JSON, at-least-once", Floor: 1.0 / 5, Goal: 1.0 / 8},
			AtLeastOnce, Stock, "CPU per event", "%.1f", " us", cpu),
		r.against(Target{Measure: "CPU per event against stock goka with JSON, exactly-once", Floor: 1.0 / 4, Goal: 1.0 / 6},
			ExactlyOnce, Stock, "CPU per event", "%.1f", " us", cpu),
		r.against(Target{Measure: "throughput against the bare loop with the same writer", Floor: 0.6, Goal: 0.8, More: true},
			ExactlyOnce, Floor, "events per second", "%.0f", "/s", func(a Summary) Spread { return a.EventsPerSecond }),
	}
}

func (r *Report) restoreTargets() []Target {
	rate := Target{Measure: "restore from the broker", Unit: "entries/s", Floor: 400_000, Goal: 1_000_000, More: true}
	for _, a := range r.Arms {
		if a.Way == ExactlyOnce && a.Restored.Max > 0 {
			rate.Value, rate.Measured = &a.Restored, a.Restored.short("%.0f")+"/s"
		}
	}
	return []Target{rate, r.against(Target{Measure: "restore against goka with leveldb", Floor: 4, More: true},
		ExactlyOnce, Stock, "restore, records per second", "%.0f", "/s", func(a Summary) Spread { return a.Restored })}
}

// restartTarget is about the restarts of so many customers that found snapshots.
func (r *Report) restartTarget(customers int, floor, goal float64) Target {
	t := Target{Measure: fmt.Sprintf("restart with a snapshot, %s customers, to ready", thousands(customers)), Unit: "s", Floor: floor, Goal: goal}
	for _, c := range r.Program {
		if c.Customers != customers || len(c.Restarts) == 0 {
			continue
		}
		if slices.ContainsFunc(c.Restarts, func(q Restart) bool { return q.Snapshots == 0 }) {
			t.Measured = "no snapshot was left by the stop"
			continue
		}
		s := over(c.Restarts, func(q Restart) float64 { return q.ReadySeconds })
		t.Value, t.Measured = &s, s.short("%.2f")+" s"
	}
	return t
}

// memoryRatio is the largest memory of a cell over what its keys and rows take.
func (c *Cell) memoryRatio() float64 {
	most := c.Resident
	for _, r := range c.Restarts {
		most = max(most, r.Resident)
	}
	return float64(most) / float64(c.RowBytes)
}

func (r *Report) memoryTarget() Target {
	t := Target{Measure: "memory of a process with 1,000,000 customers over the bytes of keys and rows", Floor: 1.8, Goal: 1.3}
	for _, c := range r.Program {
		if c.Customers == million {
			ratio := c.memoryRatio()
			t.Value = &Spread{Median: ratio, Min: ratio, Max: ratio}
			t.Measured = fmt.Sprintf("%.0f MiB to %.0f MiB", ratio*float64(c.RowBytes)/(1<<20), float64(c.RowBytes)/(1<<20))
			t.Ratio = fmt.Sprintf("%.2f", ratio)
		}
	}
	return t
}

func (r *Report) freshTarget(guarantee string, floor, goal float64) Target {
	t := Target{Measure: fmt.Sprintf("p99 from an event to its lookup, %d/s, %s", freshRate, guarantee), Unit: "ms", Floor: floor, Goal: goal}
	var of []Cell
	for _, c := range r.Program {
		if c.Guarantee == guarantee && c.Rate == freshRate {
			of = append(of, c)
		}
	}
	if len(of) > 0 {
		s := over(of, func(c Cell) float64 { return c.P99 })
		t.Value, t.Measured = &s, s.short("%.1f")+" ms"
	}
	return t
}

func (r *Report) lookupTargets() []Target {
	one := Target{Measure: "CPU of a lookup against a bare echo server", Floor: 1.9, Goal: 1.5}
	if one.Value = r.ratio(Lookup, Echo, lookupCPU); one.Value != nil {
		one.Measured = r.looked(Lookup, cpuPerRequest).short("%.1f") + " us to " + r.looked(Echo, cpuPerRequest).short("%.1f") + " us"
		one.Ratio = one.Value.short("%.2f")
	}
	batch := Target{Measure: fmt.Sprintf("lookups of %d customers at once, of one core", batchKeys), Unit: "keys/s", Goal: 1_000_000, More: true}
	if len(r.lookedBy(Batch)) > 0 {
		s := r.looked(Batch, func(l Looked) float64 { return l.KeysPerCore })
		batch.Value, batch.Measured = &s, s.short("%.0f")+"/s"
	}
	return []Target{one, batch}
}

func cpuPerRequest(l Looked) float64 { return l.CPUPerRequest }

// lookedBy is what a server did in each round.
func (r *Report) lookedBy(w Way) []Looked {
	return slices.DeleteFunc(slices.Clone(r.Lookups), func(l Looked) bool { return l.Way != w })
}

// looked is a figure of a server, of which there is a round.
func (r *Report) looked(w Way, figure func(Looked) float64) Spread {
	return over(r.lookedBy(w), figure)
}

func (r *Report) pauseTarget() Target {
	t := Target{Measure: "longest pause of a writer during a snapshot, p99", Unit: "ms", Floor: 20, Goal: 5}
	if p := r.Paused; p != nil {
		t.Value = &Spread{Median: p.Busy.P99, Min: p.Busy.P50, Max: p.Busy.Max}
		t.Measured = fmt.Sprintf("%.1f ms; without a snapshot %.1f ms", p.Busy.P99, p.Quiet.P99)
	}
	return t
}

// bound shows a floor or a goal.
func (t Target) bound(v float64) string {
	switch {
	case v == 0:
		return "-"
	case t.Unit == "":
		return fmt.Sprintf("%.3g", v)
	case v >= 1000:
		return thousands(int(v)) + " " + t.Unit
	}
	return fmt.Sprintf("%g %s", v, t.Unit)
}
