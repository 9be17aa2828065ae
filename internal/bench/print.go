package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	t := &table{Writer: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	r.circumstances(t)
	if len(r.Arms) > 0 {
		t.row("")
		t.row("arm", "CPU us/event", "whole", "broker", "events/s", "allocs/event", "peak RSS", "stalled", "rows/event", "first update", "restore")
	}
	for _, a := range r.Arms {
		t.row(string(a.Way), a.CPUPerEvent.show("%.1f"), fmt.Sprintf("%.1f", a.WholePerEvent.Median),
			fmt.Sprintf("%.1f", a.BrokerPerEvent.Median), a.EventsPerSecond.show("%.0f"),
			fmt.Sprintf("%.1f", a.AllocsPerEvent.Median), fmt.Sprintf("%.0f MiB", a.PeakRSS.Max/(1<<20)),
			fmt.Sprintf("%.1f %%", 100*a.StalledShare.Median), fmt.Sprintf("%.2f", a.RowsPerEvent.Median),
			fmt.Sprintf("%.2f s", a.FirstSeconds.Median), restored(a)+noise(a.Noisy, len(r.Rounds)))
	}
	if len(r.Ratios) > 0 {
		t.row("")
		t.row("ratio", "of", "to", "median [span of the rounds]")
	}
	for _, q := range r.Ratios {
		t.row(q.What, string(q.Of), string(q.To), q.show("%.2f"))
	}
	r.steady(t)
	r.sections(t)
	if r.LeftOut > 0 {
		t.line("%d measurements were left out: the time was up", r.LeftOut)
	}
	for _, name := range r.Missing {
		t.line("left out, the time was up: %s", name)
	}
	return t.end()
}

// restored shows a restore, where there is one.
func restored(a Summary) string {
	if a.Restore.Max == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f s, %.0f/s", a.Restore.Median, a.Restored.Median)
}

// steady shows what was measured under a steady load: medians, and of a gap its
// worst too.
func (r *Report) steady(t *table) {
	if len(r.Rates) > 0 {
		t.row("")
		t.row("arm", "events/s", "p50 ms", "p99 ms", "max ms", "CPU ms/s", "broker", "commits/s", "rows/s", "position rows/s")
	}
	for _, g := range grouped(r.Rates) {
		cells := []string{string(g[0].Way), fmt.Sprint(g[0].Rate)}
		for _, figure := range []func(AtRate) float64{
			func(q AtRate) float64 { return q.P50 }, func(q AtRate) float64 { return q.P99 }, func(q AtRate) float64 { return q.Max },
			func(q AtRate) float64 { return q.CPUPerSecond }, func(q AtRate) float64 { return q.BrokerCPU },
			func(q AtRate) float64 { return q.CommitsPerSec }, func(q AtRate) float64 { return q.RowsPerSec },
			func(q AtRate) float64 { return q.PositionsPer },
		} {
			cells = append(cells, fmt.Sprintf("%.1f", over(g, figure).Median))
		}
		t.row(cells...)
	}
	if len(r.Rebalances) > 0 {
		t.row("")
		t.row("arm", "longest silence, s", "while a member joins", "while it leaves", "repeated updates")
	}
	for _, g := range group(r.Rebalances, func(q Rebalanced) Way { return q.Way }) {
		t.row(string(g[0].Way),
			fmt.Sprintf("%.2f", over(g, func(q Rebalanced) float64 { return q.Quiet }).Median),
			over(g, func(q Rebalanced) float64 { return q.Join }).show("%.2f"),
			over(g, func(q Rebalanced) float64 { return q.Leave }).show("%.2f"),
			fmt.Sprintf("%.0f", over(g, func(q Rebalanced) float64 { return float64(q.Again) }).Median))
	}
}

// circumstances says what the figures hold for.
func (r *Report) circumstances(t *table) {
	m, l := r.Machine, r.Workload
	var versions []string
	for _, name := range slices.Sorted(maps.Keys(m.Versions)) {
		versions = append(versions, name+" "+m.Versions[name])
	}
	pinned := ""
	if m.Pinned {
		pinned = ", one for the broker and one for the arm"
	}
	t.line("%s: %d cores%s, %s, %s/%s, %s, revision %s", r.Began.Format(time.DateOnly), m.Cores, pinned, m.CPU, m.OS, m.Arch, m.Go, m.Revision)
	t.line("%s", strings.Join(versions, ", "))
	if len(r.Arms) == 0 {
		t.line("seed %d; %.0f s; all answers were right", l.Seed, r.Seconds)
		return
	}
	t.line("broker: %s", m.Broker)
	t.line("seed %d: %d events of %d customers in %d partitions, %d B an event, %d B a row (%d B as JSON), %d B an update, commits after %.0f ms at most",
		l.Seed, l.Events, l.Customers, l.Partitions, l.EventBytes, l.RowBytes, l.JSONRowBytes, l.UpdateBytes, l.CommitInterval)
	t.line("%d of %d rounds in %.0f s; all outputs were right", len(r.Rounds), r.Wanted, r.Seconds)
}

// show is the median with the span.
func (s Spread) show(format string) string {
	return fmt.Sprintf(format+" ["+format+"-"+format+"]", s.Median, s.Min, s.Max)
}

// noise marks an arm that the machine disturbed.
func noise(noisy, rounds int) string {
	if noisy == 0 {
		return ""
	}
	return fmt.Sprintf("  (noisy in %d of %d)", noisy, rounds)
}

// table keeps the first error of its writes.
type table struct {
	*tabwriter.Writer
	err error
}

func (t *table) row(cells ...string) { t.line("%s", strings.Join(cells, "\t")) }

func (t *table) line(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.Writer, format+"\n", args...)
	}
}

func (t *table) end() error {
	if t.err != nil {
		return t.err
	}
	return t.Flush()
}
