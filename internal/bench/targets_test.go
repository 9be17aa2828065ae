package bench

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestVerdictsAreAboutTheMedian(t *testing.T) {
	at := func(v float64) *Spread { return &Spread{Median: v, Min: v / 2, Max: 2 * v} }
	for _, c := range []struct {
		t    Target
		want string
	}{
		{Target{Floor: 2, Goal: 1, Value: at(0.9)}, reachedGoal},
		{Target{Floor: 2, Goal: 1, Value: at(1)}, reachedGoal},
		{Target{Floor: 2, Goal: 1, Value: at(1.5)}, reachedFloor},
		{Target{Floor: 2, Goal: 1, Value: at(2.1)}, belowFloor},
		{Target{Floor: 1, Goal: 2, More: true, Value: at(2.1)}, reachedGoal},
		{Target{Floor: 1, Goal: 2, More: true, Value: at(1.5)}, reachedFloor},
		{Target{Floor: 1, Goal: 2, More: true, Value: at(0.5)}, belowFloor},
		{Target{Goal: 2, More: true, Value: at(1)}, missedGoal},
		{Target{Goal: 2, More: true, Value: at(3)}, reachedGoal},
		{Target{Floor: 4, More: true, Value: at(5)}, reachedGoal},
		{Target{Floor: 4, More: true, Value: at(3)}, belowFloor},
		{Target{Floor: 4, Goal: 3}, notMeasured},
	} {
		if got := c.t.judge().Verdict; got != c.want {
			t.Errorf("verdict of %+v is %q, want %q", c.t, got, c.want)
		}
	}
}

// measuredReport has a figure for every target.
func measuredReport() *Report {
	one := func(v float64) Spread { return Spread{Median: v, Min: v, Max: v} }
	arm := func(w Way, cpu, rate, restored float64) Summary {
		return Summary{Way: w, CPUPerEvent: one(cpu), EventsPerSecond: one(rate), Restored: one(restored)}
	}
	restarts := func(seconds ...float64) (all []Restart) {
		for _, s := range seconds {
			all = append(all, Restart{ReadySeconds: s, Snapshots: 12, Resident: 700e6})
		}
		return all
	}
	r := &Report{
		Arms: []Summary{arm(Stock, 40, 20_000, 100_000), arm(AtLeastOnce, 6, 0, 0), arm(ExactlyOnce, 8, 70_000, 500_000), arm(Floor, 5, 100_000, 0)},
		Ratios: []Ratio{
			{Of: AtLeastOnce, To: Stock, What: "CPU per event", Spread: one(0.15)},
			{Of: ExactlyOnce, To: Stock, What: "CPU per event", Spread: Spread{Median: 0.3, Min: 0.2, Max: 0.4}},
			{Of: ExactlyOnce, To: Floor, What: "events per second", Spread: one(0.7)},
			{Of: ExactlyOnce, To: Stock, What: "restore, records per second", Spread: one(5)},
		},
		findings: findings{
			Lookups: []Looked{{Way: Echo, Round: 1, CPUPerRequest: 10}, {Way: Lookup, Round: 1, CPUPerRequest: 16}, {Way: Batch, Round: 1, CPUPerRequest: 200, KeysPerCore: 500_000}},
			Program: []Cell{
				{Customers: 10_000, Guarantee: atLeastOnce, Rate: freshRate, P99: 4},
				{Customers: 10_000, Guarantee: exactlyOnce, Rate: freshRate, P99: 120},
				{Customers: million, RowBytes: 500e6, Resident: 600e6, Restarts: restarts(0.7, 0.9, 1.1)},
				{Customers: 10 * million, RowBytes: 5000e6, Resident: 6000e6, Restarts: []Restart{{ReadySeconds: 9}}},
			},
			Paused: &Paused{Busy: Waits{P50: 1, P99: 6, Max: 30}, Quiet: Waits{P99: 2}},
		},
	}
	r.Ratios = append(r.Ratios, lookupRatios(r.Lookups)...)
	return r
}

func TestTargetsAreHeldAgainstWhatWasMeasured(t *testing.T) {
	r := measuredReport()
	r.Targets = r.targets()
	var got []string
	for _, row := range r.targetRows() {
		got = append(got, strings.Join(row, " | "))
	}
	want := []string{
		"measure | floor | goal | measured | ratio | verdict",
		"CPU per event against stock goka with JSON, at-least-once | 0.2 | 0.125 | 6.0 us to 40.0 us | 0.15 | floor reached",
		"CPU per event against stock goka with JSON, exactly-once | 0.25 | 0.167 | 8.0 us to 40.0 us | 0.30 [0.20-0.40] | BELOW THE FLOOR",
		"throughput against the bare loop with the same writer | 0.6 | 0.8 | 70000/s to 100000/s | 0.70 | floor reached",
		"restore from the broker | 400,000 entries/s | 1,000,000 entries/s | 500000/s | - | floor reached",
		"restore against goka with leveldb | 4 | - | 500000/s to 100000/s | 5.00 | goal reached",
		"restart with a snapshot, 1,000,000 customers, to ready | 2 s | 0.8 s | 0.90 [0.70-1.10] s | - | floor reached",
		"restart with a snapshot, 10,000,000 customers, to ready | 15 s | 6 s | no snapshot was left by the stop | - | not measured",
		"memory of a process with 1,000,000 customers over the bytes of keys and rows | 1.8 | 1.3 | 668 MiB to 477 MiB | 1.40 | floor reached",
		"p99 from an event to its lookup, 500/s, at-least-once | 25 ms | 5 ms | 4.0 ms | - | goal reached",
		"p99 from an event to its lookup, 500/s, exactly-once | 100 ms | 30 ms | 120.0 ms | - | BELOW THE FLOOR",
		"CPU of a lookup against a bare echo server | 1.9 | 1.5 | 16.0 us to 10.0 us | 1.60 | floor reached",
		"lookups of 100 customers at once, of one core | - | 1,000,000 keys/s | 500000/s | - | goal missed",
		"longest pause of a writer during a snapshot, p99 | 20 ms | 5 ms | 6.0 ms; without a snapshot 2.0 ms | - | floor reached",
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("rows are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestWhatWasNotMeasuredSaysSo(t *testing.T) {
	for _, g := range new(Report).targets() {
		if g.Verdict != notMeasured || g.Value != nil || g.Measured != notMeasured {
			t.Errorf("target %s of an empty report is %+v, want it not measured", g.Measure, g)
		}
	}
}

func TestTargetsAndCellsComeBackFromTheirFile(t *testing.T) {
	r := measuredReport()
	r.Targets = r.targets()
	r.Growth = &Growth{Cells: grown(), Projection: project(grown(), 16<<30, 4)}
	r.Missing = []string{"growth: too many"}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	again := new(Report)
	if err := json.Unmarshal(text, again); err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := r.Print(&a); err != nil {
		t.Fatal(err)
	}
	if err := again.Print(&b); err != nil {
		t.Fatal(err)
	}
	if a.String() != b.String() {
		t.Errorf("report of what was read is\n%s\nwant\n%s", b.String(), a.String())
	}
	for _, want := range []string{"BELOW THE FLOOR", "left out, the time was up: growth: too many", "100,000,000 customers on machines such as this one", "\nduring a snapshot "} {
		if !strings.Contains(a.String(), want) {
			t.Errorf("report lacks %q:\n%s", want, a.String())
		}
	}
}
