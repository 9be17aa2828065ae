package bench

import (
	"fmt"
	"slices"
)

// sections shows what was measured beside the arms.
func (r *Report) sections(t *table) {
	r.printLookups(t)
	if len(r.Program) > 0 {
		t.row("")
		cellHead(t)
	}
	for _, c := range r.Program {
		c.print(t)
	}
	r.printRestarts(t)
	if p := r.Paused; p != nil {
		t.row("")
		t.row("longest pause, ms", "p50", "p99", "max")
		t.row("during a snapshot", fmt.Sprintf("%.2f", p.Busy.P50), fmt.Sprintf("%.2f", p.Busy.P99), fmt.Sprintf("%.2f", p.Busy.Max))
		t.row("for as long, without", fmt.Sprintf("%.2f", p.Quiet.P50), fmt.Sprintf("%.2f", p.Quiet.P99), fmt.Sprintf("%.2f", p.Quiet.Max))
		t.line("%d snapshots of %s customers in %d partitions, %.0f rows/s; %d batches of %d rows meanwhile",
			p.Snapshots, thousands(p.Customers), p.Partitions, p.RowsPerSec, p.Batches, pauseBatch)
	}
	if r.Growth != nil {
		r.Growth.print(t)
	}
	r.printTargets(t)
}

func (r *Report) printLookups(t *table) {
	if len(r.Lookups) == 0 {
		return
	}
	t.row("")
	t.row("lookups", "CPU us/request", "requests/s", "keys/s of a core", "allocs/request", "answer, B")
	for _, w := range lookupWays {
		of := r.lookedBy(w)
		if len(of) == 0 {
			continue
		}
		noisy := len(slices.DeleteFunc(slices.Clone(of), func(l Looked) bool { return !l.Noisy }))
		t.row(string(w), over(of, cpuPerRequest).show("%.1f"),
			over(of, func(l Looked) float64 { return l.RequestsPerSecond }).show("%.0f"),
			over(of, func(l Looked) float64 { return l.KeysPerCore }).show("%.0f"),
			fmt.Sprintf("%.1f", over(of, func(l Looked) float64 { return l.AllocsPerRequest }).Median),
			fmt.Sprint(of[0].AnswerBytes)+noise(noisy, len(of)))
	}
}

// cellHead names the columns of Cell.print.
func cellHead(t *table) {
	t.row("customers", "events each", "partitions", "keys", "guarantee", "CPU us/event", "events/s", "B/customer", "times rows", "restore", "p50 ms", "p99 ms")
}

// print writes a cell as a row.
func (c *Cell) print(t *table) {
	keys := "uniform"
	if c.Zipf {
		keys = fmt.Sprintf("Zipf %g", zipfSkew)
	}
	t.row(thousands(c.Customers), fmt.Sprint(c.Events), fmt.Sprint(c.Partitions), keys, c.Guarantee,
		known("%.1f", c.CPUPerEvent), known("%.0f", c.EventsPerSecond),
		fmt.Sprintf("%.0f", float64(c.Resident)/float64(c.Customers)), fmt.Sprintf("%.2f", c.memoryRatio()),
		fmt.Sprintf("%.2f s, %.0f/s", c.RestoreSeconds, c.RestoredPerSecond),
		known("%.1f", c.P50), known("%.1f", c.P99))
}

// known shows a figure, or that it was not measured.
func known(format string, v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

func (r *Report) printRestarts(t *table) {
	head := false
	for _, c := range r.Program {
		for _, q := range c.Restarts {
			if !head {
				head = true
				t.row("")
				t.row("restart of customers", "ready after", "stopped in", "snapshots", "memory")
			}
			t.row(thousands(c.Customers), fmt.Sprintf("%.2f s", q.ReadySeconds), fmt.Sprintf("%.2f s", q.StopSeconds),
				fmt.Sprintf("%d, %.0f MiB", q.Snapshots, float64(q.SnapshotBytes)/(1<<20)), fmt.Sprintf("%.0f MiB", float64(q.Resident)/(1<<20)))
		}
	}
}

// print shows all cells, and what a hundred million customers would need.
func (g *Growth) print(t *table) {
	t.row("")
	cellHead(t)
	for _, c := range g.Cells {
		c.print(t)
	}
	p := g.Projection
	if p == nil {
		return
	}
	t.row("")
	t.line("%s customers on machines such as this one, %.0f %% of %.1f GiB and %.0f %% of %d cores: %.0f B a customer, %.0f MiB a process, %.1f us an event and %.1f more for each tenfold of %s customers on a machine",
		thousands(p.Customers), 100*memoryShare, float64(p.MachineBytes)/(1<<30), 100*coreShare, p.MachineCores,
		p.BytesPerCustomer, p.BytesBeside/(1<<20), p.CPUPerEvent, p.CPUPerTenfold, thousands(p.From))
	t.row("events/s", "machines", "by memory", "by CPU", "restore of a share")
	for _, n := range p.Needs {
		t.row(thousands(n.Rate), fmt.Sprint(n.Machines), fmt.Sprint(n.ByMemory), fmt.Sprint(n.ByCPU), fmt.Sprintf("%.0f s", n.Restore))
	}
}

func (r *Report) printTargets(t *table) {
	if len(r.Targets) == 0 {
		return
	}
	t.row("")
	for _, row := range r.targetRows() {
		t.row(row...)
	}
}

// targetRows is the table of targets with its heading.
func (r *Report) targetRows() [][]string {
	rows := [][]string{{"measure", "floor", "goal", "measured", "ratio", "verdict"}}
	for _, g := range r.Targets {
		ratio := g.Ratio
		if ratio == "" {
			ratio = "-"
		}
		rows = append(rows, []string{g.Measure, g.bound(g.Floor), g.bound(g.Goal), g.Measured, ratio, g.Verdict})
	}
	return rows
}
