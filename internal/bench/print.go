package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	t := &table{Writer: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	r.circumstances(t)
	t.row("")
	t.row("arm", "CPU us/event", "whole", "broker", "events/s", "allocs/event", "peak RSS", "stalled", "rows/event", "first update")
	for _, a := range r.Arms {
		t.row(string(a.Way), a.CPUPerEvent.show("%.1f"), fmt.Sprintf("%.1f", a.WholePerEvent.Median),
			fmt.Sprintf("%.1f", a.BrokerPerEvent.Median), a.EventsPerSecond.show("%.0f"),
			fmt.Sprintf("%.1f", a.AllocsPerEvent.Median), fmt.Sprintf("%.0f MiB", a.PeakRSS.Max/(1<<20)),
			fmt.Sprintf("%.1f %%", 100*a.StalledShare.Median), fmt.Sprintf("%.2f", a.RowsPerEvent.Median),
			fmt.Sprintf("%.1f s%s", a.FirstSeconds.Median, noise(a.Noisy, len(r.Rounds))))
	}
	if len(r.Ratios) > 0 {
		t.row("")
		t.row("ratio", "of", "to", "median [span of the rounds]")
	}
	for _, q := range r.Ratios {
		t.row(q.What, string(q.Of), string(q.To), q.show("%.2f"))
	}
	if len(r.Rates) > 0 {
		t.row("")
		t.row("arm", "events/s", "p50 ms", "p99 ms", "max ms", "CPU ms/s", "broker", "commits/s", "rows/s", "position rows/s")
	}
	for _, q := range r.Rates {
		t.row(string(q.Way), fmt.Sprint(q.Rate), fmt.Sprintf("%.1f", q.P50), fmt.Sprintf("%.1f", q.P99), fmt.Sprintf("%.1f", q.Max),
			fmt.Sprintf("%.1f", q.CPUPerSecond), fmt.Sprintf("%.1f", q.BrokerCPU), fmt.Sprintf("%.1f", q.CommitsPerSec),
			fmt.Sprintf("%.1f", q.RowsPerSec), fmt.Sprintf("%.1f", q.PositionsPer))
	}
	if r.LeftOut > 0 {
		t.line("%d measurements at a rate were left out: the time was up", r.LeftOut)
	}
	return t.end()
}

// circumstances says what the figures hold for.
func (r *Report) circumstances(t *table) {
	m, l := r.Machine, r.Workload
	var versions []string
	for _, name := range slices.Sorted(maps.Keys(m.Versions)) {
		versions = append(versions, name+" "+m.Versions[name])
	}
	t.line("%d cores, %s/%s, %s, revision %s", m.Cores, m.OS, m.Arch, m.Go, m.Revision)
	t.line("%s; broker: %s", strings.Join(versions, ", "), m.Broker)
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
