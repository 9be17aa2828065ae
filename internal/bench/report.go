package bench

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"billstream/internal/bench/kstreams"
	"billstream/internal/kafkatest"
)

// Report is what a run found out, and under which circumstances.
type Report struct {
	Began      time.Time    `json:"began"`
	Command    string       `json:"command,omitempty"`
	Machine    Machine      `json:"machine"`
	Workload   Workload     `json:"workload"`
	Arms       []Summary    `json:"arms"`
	Ratios     []Ratio      `json:"ratios"`
	Rates      []AtRate     `json:"rates,omitempty"`
	Rebalances []Rebalanced `json:"rebalances,omitempty"`
	LeftOut    int          `json:"left_out"`          // measurements at a rate and rebalances that the time was too short for
	Rounds     [][]Measured `json:"rounds"`            // in the order of running
	Missing    []string     `json:"missing,omitempty"` // what else it was too short for
	findings
	Targets []Target `json:"targets,omitempty"`
	Wanted  int      `json:"rounds_wanted"`
	Seconds float64  `json:"seconds"`
}

// Machine is what the figures hold for.
type Machine struct {
	CPU      string            `json:"cpu"` // its model, "" where it is not known
	Cores    int               `json:"cores"`
	Pinned   bool              `json:"pinned"` // the broker to one core, each arm to another one
	OS       string            `json:"os"`
	Arch     string            `json:"arch"`
	Go       string            `json:"go"`
	Revision string            `json:"revision"` // of this program
	Versions map[string]string `json:"versions"` // of the clients, of Java and of the broker
	Broker   string            `json:"broker"`   // embedded and where its files are, or the addresses
}

// Workload is what the arms had to do.
type Workload struct {
	Seed           uint64  `json:"seed"`
	Events         int     `json:"events"`
	Customers      int     `json:"customers"`
	Partitions     int32   `json:"partitions"`
	CommitInterval float64 `json:"commit_interval_ms"`
	EventBytes     int     `json:"event_bytes"`  // of the first event's value
	RowBytes       int     `json:"row_bytes"`    // of the row that it makes, binary
	UpdateBytes    int     `json:"update_bytes"` // and of the update
	JSONRowBytes   int     `json:"json_row_bytes"`
}

// Summary is an arm over all rounds.
type Summary struct {
	Way             Way     `json:"arm"`
	CPUPerEvent     Spread  `json:"cpu_us_per_event"`
	WholePerEvent   Spread  `json:"whole_cpu_us_per_event"`
	BrokerPerEvent  Spread  `json:"broker_cpu_us_per_event"`
	EventsPerSecond Spread  `json:"events_per_second"`
	AllocsPerEvent  Spread  `json:"allocs_per_event"` // 0 of Kafka Streams, where they are not counted
	BytesPerEvent   Spread  `json:"alloc_bytes_per_event"`
	PeakRSS         Spread  `json:"peak_rss_bytes"`
	StalledShare    Spread  `json:"stalled_share"`
	RowsPerEvent    Spread  `json:"rows_per_event"`
	FirstSeconds    Spread  `json:"first_update_seconds"`
	Restore         Spread  `json:"restore_seconds"` // 0 where it was not measured, as the next
	Restored        Spread  `json:"restored_records_per_second"`
	Noisy           int     `json:"noisy_rounds"`
	Drift           float64 `json:"largest_drift"`
}

// Spread is a figure over the rounds.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spread sums values up; there is at least one.
func spread(values []float64) Spread {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return Spread{Median: (s[(n-1)/2] + s[n/2]) / 2, Min: s[0], Max: s[n-1]}
}

// over is a figure of some measurements, of which there is at least one.
func over[T any](of []T, figure func(T) float64) Spread {
	values := make([]float64, len(of))
	for i, m := range of {
		values[i] = figure(m)
	}
	return spread(values)
}

// measurements are what a run has to report.
type measurements struct {
	rounds     [][]Measured
	rates      []AtRate
	rebalances []Rebalanced
	left       int // that the time was too short for
	findings
}

func newReport(o Options, m measurements, began time.Time) *Report {
	r := &Report{
		Began: began.UTC(), Command: o.Command, Machine: machine(o), Workload: workload(o),
		Rates: m.rates, Rebalances: m.rebalances, Rounds: m.rounds, Wanted: o.Rounds, Seconds: time.Since(began).Seconds(),
		LeftOut: m.left, findings: m.findings,
	}
	for _, w := range o.Ways {
		if of := collect(m.rounds, w); len(of) > 0 {
			r.Arms = append(r.Arms, summarise(w, of))
		}
	}
	r.Ratios = append(ratios(o.Ways, m), lookupRatios(m.Lookups)...)
	return r
}

// collect returns what an arm did in each round.
func collect(rounds [][]Measured, w Way) []Measured {
	var of []Measured
	for _, round := range rounds {
		for _, m := range round {
			if m.Way == w {
				of = append(of, m)
			}
		}
	}
	return of
}

func summarise(w Way, of []Measured) Summary {
	s := Summary{
		Way:             w,
		CPUPerEvent:     over(of, func(m Measured) float64 { return m.CPUPerEvent }),
		WholePerEvent:   over(of, func(m Measured) float64 { return m.WholePerEvent }),
		BrokerPerEvent:  over(of, func(m Measured) float64 { return m.BrokerPerEvent }),
		EventsPerSecond: over(of, func(m Measured) float64 { return m.EventsPerSecond }),
		AllocsPerEvent:  over(of, func(m Measured) float64 { return m.AllocsPerEvent }),
		BytesPerEvent:   over(of, func(m Measured) float64 { return m.BytesPerEvent }),
		PeakRSS:         over(of, func(m Measured) float64 { return float64(m.PeakRSS) }),
		StalledShare:    over(of, func(m Measured) float64 { return m.StalledShare }),
		RowsPerEvent:    over(of, func(m Measured) float64 { return m.RowsPerEvent }),
		FirstSeconds:    over(of, func(m Measured) float64 { return m.FirstSeconds }),
		Restore:         over(of, func(m Measured) float64 { return m.RestoreSeconds }),
		Restored:        over(of, func(m Measured) float64 { return m.RestoredPerSecond }),
	}
	for _, m := range of {
		s.Drift = max(s.Drift, m.Drift)
		if m.Noisy {
			s.Noisy++
		}
	}
	return s
}

func machine(o Options) Machine {
	m := Machine{
		CPU: cpuModel(), Cores: runtime.NumCPU(), Pinned: o.Pin, OS: runtime.GOOS, Arch: runtime.GOARCH,
		Go: runtime.Version(), Revision: o.Revision, Versions: map[string]string{},
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return m
	}
	for _, d := range info.Deps {
		for _, of := range []string{"lovoo/goka", "IBM/sarama", "twmb/franz-go", "twmb/franz-go/pkg/kfake"} {
			if d.Path == "github.com/"+of {
				m.Versions[of] = d.Version
			}
		}
	}
	return m
}

// cpuModel is what the first processor calls itself.
func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(info)) {
		if name, model, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return ""
}

// versions are those of what is not in this program.
func (b *bench) versions(ctx context.Context) (map[string]string, error) {
	found := map[string]string{}
	if b.o.Broker == Apache && len(b.o.Brokers) == 0 {
		found["Apache Kafka"] = kafkatest.Version
	}
	if b.twin == nil {
		return found, nil
	}
	streams, java, err := kstreams.Versions(ctx)
	found["Kafka Streams"], found["Java"] = streams, java
	return found, err
}

// workload describes the job by its first event.
func workload(o Options) Workload {
	_, e := newScript(o.Seed, o.Customers).next(eventTime(0))
	var a account
	u := a.apply(&e)
	asJSON, err := formOf(Stock).account.Encode(&a)
	if err != nil {
		asJSON = nil // cannot be: the fields are numbers and strings
	}
	return Workload{
		Seed: o.Seed, Events: o.Events, Customers: o.Customers, Partitions: o.Partitions,
		CommitInterval: micros(o.CommitInterval) / 1000,
		EventBytes:     len(e.append(nil)), RowBytes: len(a.append(nil)), UpdateBytes: len(u.append(nil)),
		JSONRowBytes: len(asJSON),
	}
}
