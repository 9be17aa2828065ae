package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// figure is what tables and charts show of every arm.
type figure struct {
	what   string
	unit   string // "" where what says it
	format string // of one number
	more   bool   // is better
	of     func(Way) []float64
}

// figures are those that some arm has.
func (r *Report) figures() []figure {
	all := []figure{
		{what: "CPU per event, warm", unit: "µs", format: "%.1f", of: r.round(func(m Measured) float64 { return m.CPUPerEvent })},
		{what: "CPU per event, whole process", unit: "µs", format: "%.1f", of: r.round(func(m Measured) float64 { return m.WholePerEvent })},
		{what: "Events per second", unit: "thousand", format: "%.0f", more: true, of: r.round(func(m Measured) float64 { return m.EventsPerSecond / 1000 })},
		{what: "Peak memory", unit: "MiB", format: "%.0f", of: r.round(func(m Measured) float64 { return float64(m.PeakRSS) / (1 << 20) })},
		{what: "Start to first update", unit: "s", format: "%.2f", of: r.round(func(m Measured) float64 { return m.FirstSeconds })},
		{what: "Restore from the changelog", unit: "s", format: "%.1f", of: r.round(func(m Measured) float64 { return m.RestoreSeconds })},
	}
	for _, rate := range ratesOf(r.Rates) {
		at := fmt.Sprintf("Event to committed update at %s/s, ", thousands(rate))
		all = append(all,
			figure{what: at + "median", unit: "ms", format: "%.0f", of: ofRates("", r.Rates, rate, func(q AtRate) float64 { return q.P50 }).of},
			figure{what: at + "99 %", unit: "ms", format: "%.0f", of: ofRates("", r.Rates, rate, func(q AtRate) float64 { return q.P99 }).of})
	}
	all = append(all,
		figure{what: "Silence while a member joins", unit: "s", format: "%.2f", of: ofRebalances("", r.Rebalances, func(q Rebalanced) float64 { return q.Join }).of},
		figure{what: "Silence while a member leaves", unit: "s", format: "%.2f", of: ofRebalances("", r.Rebalances, func(q Rebalanced) float64 { return q.Leave }).of})
	return slices.DeleteFunc(all, func(f figure) bool {
		return !slices.ContainsFunc(r.Arms, func(a Summary) bool { _, ok := f.spread(a.Way); return ok })
	})
}

// round is a figure of every round.
func (r *Report) round(of func(Measured) float64) func(Way) []float64 {
	return ofRounds("", r.Rounds, of).of
}

// spread sums up what is known of an arm; zeroes are not.
func (f figure) spread(w Way) (Spread, bool) {
	values := slices.DeleteFunc(f.of(w), func(v float64) bool { return v == 0 })
	if len(values) == 0 {
		return Spread{}, false
	}
	return spread(values), true
}

// title is the figure with its unit.
func (f figure) title() string {
	if f.unit == "" {
		return f.what
	}
	return f.what + ", " + f.unit
}

// thousands writes 5000 as 5,000.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// short is the median, with the span where there is one.
func (s Spread) short(format string) string {
	low, high := fmt.Sprintf(format, s.Min), fmt.Sprintf(format, s.Max)
	if low == high {
		return low
	}
	return s.show(format)
}

// where says when and on what machine the figures came about.
func (r *Report) where() string {
	text := fmt.Sprintf("%s, %s, %d cores", r.Began.Format(time.DateOnly), r.Machine.CPU, r.Machine.Cores)
	if r.Machine.Pinned {
		text += ", the broker on one and the arm on another one"
	}
	return text
}

// caption says what the figures hold for, one sentence each.
func (r *Report) caption() []string {
	m, l := r.Machine, r.Workload
	var versions []string
	for _, name := range slices.Sorted(maps.Keys(m.Versions)) {
		versions = append(versions, name+" "+m.Versions[name])
	}
	return []string{
		r.where() + fmt.Sprintf("; %s/%s, revision %s.", m.OS, m.Arch, m.Revision),
		m.Go + ", " + strings.Join(versions, ", ") + ".",
		fmt.Sprintf("%s events of %s customers in %d partitions, %d B an event, %d B a row, commits after %.0f ms at most; median [span] of %d rounds, seed %d.",
			thousands(l.Events), thousands(l.Customers), l.Partitions, l.EventBytes, l.RowBytes, l.CommitInterval, len(r.Rounds), l.Seed),
	}
}
