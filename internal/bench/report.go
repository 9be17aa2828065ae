package bench

import (
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// Report is what a run found out, and under which circumstances.
type Report struct {
	Machine  Machine      `json:"machine"`
	Workload Workload     `json:"workload"`
	Arms     []Summary    `json:"arms"`
	Ratios   []Ratio      `json:"ratios"`
	Rates    []AtRate     `json:"rates,omitempty"`
	LeftOut  int          `json:"rates_left_out"` // the time was too short for them
	Rounds   [][]Measured `json:"rounds"`         // in the order of running
	Wanted   int          `json:"rounds_wanted"`
	Seconds  float64      `json:"seconds"`
}

// Machine is what the figures hold for.
type Machine struct {
	Cores    int               `json:"cores"`
	OS       string            `json:"os"`
	Arch     string            `json:"arch"`
	Go       string            `json:"go"`
	Revision string            `json:"revision"` // of this program
	Versions map[string]string `json:"versions"` // of the clients
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
	AllocsPerEvent  Spread  `json:"allocs_per_event"`
	BytesPerEvent   Spread  `json:"alloc_bytes_per_event"`
	PeakRSS         Spread  `json:"peak_rss_bytes"`
	StalledShare    Spread  `json:"stalled_share"`
	RowsPerEvent    Spread  `json:"rows_per_event"`
	FirstSeconds    Spread  `json:"first_update_seconds"`
	Noisy           int     `json:"noisy_rounds"`
	Drift           float64 `json:"largest_drift"`
}

// Spread is a figure over the rounds.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Ratio compares two arms round by round.
type Ratio struct {
	Of   Way    `json:"of"`
	To   Way    `json:"to"`
	What string `json:"what"`
	Spread
}

// spread sums values up; there is at least one.
func spread(values []float64) Spread {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return Spread{Median: (s[(n-1)/2] + s[n/2]) / 2, Min: s[0], Max: s[n-1]}
}

func newReport(o Options, rounds [][]Measured, rates []AtRate, took time.Duration) *Report {
	r := &Report{
		Machine: machine(o.Revision), Workload: workload(o),
		Rates: rates, Rounds: rounds, Wanted: o.Rounds, Seconds: took.Seconds(),
	}
	for _, w := range o.Ways {
		if of := collect(rounds, w); len(of) > 0 {
			r.Arms = append(r.Arms, summarise(w, of))
		}
	}
	r.Ratios = ratios(o.Ways, rounds)
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
	over := func(figure func(Measured) float64) Spread {
		values := make([]float64, 0, len(of))
		for _, m := range of {
			values = append(values, figure(m))
		}
		return spread(values)
	}
	s := Summary{
		Way:             w,
		CPUPerEvent:     over(func(m Measured) float64 { return m.CPUPerEvent }),
		WholePerEvent:   over(func(m Measured) float64 { return m.WholePerEvent }),
		BrokerPerEvent:  over(func(m Measured) float64 { return m.BrokerPerEvent }),
		EventsPerSecond: over(func(m Measured) float64 { return m.EventsPerSecond }),
		AllocsPerEvent:  over(func(m Measured) float64 { return m.AllocsPerEvent }),
		BytesPerEvent:   over(func(m Measured) float64 { return m.BytesPerEvent }),
		PeakRSS:         over(func(m Measured) float64 { return float64(m.PeakRSS) }),
		StalledShare:    over(func(m Measured) float64 { return m.StalledShare }),
		RowsPerEvent:    over(func(m Measured) float64 { return m.RowsPerEvent }),
		FirstSeconds:    over(func(m Measured) float64 { return m.FirstSeconds }),
	}
	for _, m := range of {
		s.Drift = max(s.Drift, m.Drift)
		if m.Noisy {
			s.Noisy++
		}
	}
	return s
}

// ratios compares ours with the stock arm, and the guarantees with each other.
func ratios(ways []Way, rounds [][]Measured) []Ratio {
	figures := []struct {
		what string
		of   func(Measured) float64
	}{
		{"CPU per event", func(m Measured) float64 { return m.CPUPerEvent }},
		{"CPU per event, whole process", func(m Measured) float64 { return m.WholePerEvent }},
		{"events per second", func(m Measured) float64 { return m.EventsPerSecond }},
	}
	var all []Ratio
	for _, pair := range [][2]Way{{AtLeastOnce, Stock}, {ExactlyOnce, Stock}, {ExactlyOnce, AtLeastOnce}, {ExactlyOnce, Unpositioned}} {
		if !slices.Contains(ways, pair[0]) || !slices.Contains(ways, pair[1]) || len(rounds) == 0 {
			continue
		}
		of, to := collect(rounds, pair[0]), collect(rounds, pair[1])
		for _, f := range figures {
			values := make([]float64, len(of))
			for i := range of {
				values[i] = f.of(of[i]) / f.of(to[i])
			}
			all = append(all, Ratio{Of: pair[0], To: pair[1], What: f.what, Spread: spread(values)})
		}
	}
	return all
}

func machine(revision string) Machine {
	m := Machine{
		Cores: runtime.NumCPU(), OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version(),
		Revision: revision, Versions: map[string]string{},
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
