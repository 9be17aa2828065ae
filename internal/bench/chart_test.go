package bench_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"billstream/internal/bench"
)

// report is one of two arms and two rounds, in which one arm was twice as good;
// the other one was neither restored nor measured at a rate.
func report() *bench.Report {
	m := func(w bench.Way, times float64) bench.Measured {
		return bench.Measured{
			Way: w, CPUPerEvent: 10 * times, WholePerEvent: 20 * times, EventsPerSecond: 100_000 / times,
			PeakRSS: int64(100*times) << 20, FirstSeconds: 0.5 * times,
		}
	}
	eos := m(bench.ExactlyOnce, 1)
	eos.RestoreSeconds = 1.5
	rounds := [][]bench.Measured{{eos, m(bench.Floor, 2)}, {m(bench.Floor, 4), eos}}
	return &bench.Report{
		Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Command: "billstream bench --arms <eos&floor>",
		Machine:  bench.Machine{CPU: "Abacus", Cores: 2, Pinned: true, Go: "go1", Versions: map[string]string{"beads": "v3"}},
		Workload: bench.Workload{Events: 12345, Customers: 678, Partitions: 9, Seed: 42},
		Arms:     []bench.Summary{{Way: bench.ExactlyOnce}, {Way: bench.Floor}},
		Rounds:   rounds,
		Rates:    []bench.AtRate{{Way: bench.ExactlyOnce, Rate: 5000, P50: 7, P99: 33}},
		Ratios:   []bench.Ratio{{Of: bench.ExactlyOnce, To: bench.Floor, What: "CPU per event", Spread: bench.Spread{Median: 0.375, Min: 0.25, Max: 0.5}}},
	}
}

func TestTheTableHoldsTheFigures(t *testing.T) {
	var text bytes.Buffer
	if err := report().Markdown(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| arm | CPU per event, warm, µs | CPU per event, whole process, µs | Events per second, thousand | Peak memory, MiB | Start to first update, s | Restore from the changelog, s | Event to committed update at 5,000/s, median, ms | Event to committed update at 5,000/s, 99 %, ms |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
		"| `eos` | 10.0 | 20.0 | 100 | 100 | 0.50 | 1.5 | 7 | 33 |\n",
		"| `floor` | 30.0 [20.0-40.0] | 60.0 [40.0-80.0] | 38 [25-50] | 300 [200-400] | 1.50 [1.00-2.00] | - | - | - |\n",
		"| ratio within rounds | `eos` to `floor` |\n|---|---:|\n| CPU per event | 0.38 [0.25-0.50] |\n",
		"\n2026-01-02, Abacus, 2 cores, the broker on one and the arm on another one;",
		"\ngo1, beads v3.",
		"\n12,345 events of 678 customers in 9 partitions,",
		"median [span] of 2 rounds, seed 42.\n",
		"\n    billstream bench --arms <eos&floor>\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("table lacks %q:\n%s", want, text.String())
		}
	}
}

// picture is what of an SVG file is looked at.
type picture struct {
	Texts []string `xml:"text"`
	Group []struct {
		Texts []string `xml:"text"`
		Rects []struct {
			Width float64 `xml:"width,attr"`
			Class string  `xml:"class,attr"`
		} `xml:"rect"`
		Paths []struct{} `xml:"path"`
	} `xml:"g"`
}

func TestTheChartHoldsTheFigures(t *testing.T) {
	var text bytes.Buffer
	if err := report().Chart(&text); err != nil {
		t.Fatal(err)
	}
	var p picture
	if err := xml.Unmarshal(text.Bytes(), &p); err != nil {
		t.Fatalf("chart is no XML: %v\n%s", err, text.String())
	}
	if len(p.Group) != 8 {
		t.Fatalf("panels are %d, want 8", len(p.Group))
	}
	cpu := p.Group[0]
	if got, want := strings.Join(cpu.Texts, "|"), "CPU per event, warm, µs|eos|10.0|floor|30.0"; got != want {
		t.Errorf("texts of the first panel are %q, want %q", got, want)
	}
	if a, b := cpu.Rects[0], cpu.Rects[1]; a.Class != "ours" || b.Class != "other" || b.Width < a.Width*2.9 || b.Width > a.Width*3.1 {
		t.Errorf("bars are %+v, want ours, and another one three times as long", cpu.Rects)
	}
	if len(cpu.Paths) != 1 {
		t.Errorf("spans are %d, want that of the floor alone", len(cpu.Paths))
	}
	if got, want := strings.Join(p.Group[7].Texts, "|"), "Event to committed update at 5,000/s, 99 %, ms|eos|33|floor|not measured"; got != want {
		t.Errorf("texts of the last panel are %q, want %q", got, want)
	}
	if got, want := p.Texts[len(p.Texts)-1], "billstream bench --arms <eos&floor>"; got != want {
		t.Errorf("last line is %q, want %q", got, want)
	}
	if !strings.Contains(text.String(), "prefers-color-scheme: dark") {
		t.Error("chart has no colours for the dark, want some")
	}
}

func TestAReportComesBackFromItsFile(t *testing.T) {
	text, err := json.Marshal(report())
	if err != nil {
		t.Fatal(err)
	}
	again := new(bench.Report)
	if err := json.Unmarshal(text, again); err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := errors.Join(report().Markdown(&a), again.Markdown(&b)); err != nil {
		t.Fatal(err)
	}
	if a.String() != b.String() {
		t.Errorf("table of what was read is\n%s\nwant\n%s", b.String(), a.String())
	}
}

// full takes a few bytes and no more.
type full struct{ room int }

// Write implements io.Writer.
func (f *full) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, io.ErrShortWrite
	}
	return len(b), nil
}

func TestAFullDiskIsNoticed(t *testing.T) {
	for name, write := range map[string]func(io.Writer) error{"chart": report().Chart, "table": report().Markdown} {
		if err := write(&full{room: 100}); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("error of the %s is %v, want that of the disk", name, err)
		}
	}
}
