package bench_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"billstream/internal/bench"
)

func options(t *testing.T, ways ...bench.Way) bench.Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asChild, "1") // for children; this process has passed TestMain
	o := bench.Options{
		Exe: []string{self}, Ways: ways, Rounds: 1, Events: 5000,
		Seed: 7, MaxTime: 2 * time.Minute, Progress: func(s string) { t.Log(s) },
	}
	o.Once()
	return o
}

func TestArmsDoTheSameWorkAndAreCompared(t *testing.T) {
	o := options(t, bench.Stock, bench.AtLeastOnce, bench.ExactlyOnce, bench.Floor)
	o.Restore = true
	o.Rates, o.RateTime = []int{200}, 500*time.Millisecond
	r, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var arms []bench.Way
	for _, a := range r.Arms {
		arms = append(arms, a.Way)
		if a.CPUPerEvent.Median <= 0 || a.WholePerEvent.Median <= 0 || a.EventsPerSecond.Median <= 0 || a.PeakRSS.Median <= 0 {
			t.Errorf("figures of %s are %+v, want all above 0", a.Way, a)
		}
		if a.RowsPerEvent.Max > 1 {
			t.Errorf("rows per event of %s are %v, want 1 at most", a.Way, a.RowsPerEvent.Max)
		}
	}
	if got, want := join(arms), "stock alo eos floor"; got != want {
		t.Errorf("arms are %s, want %s", got, want)
	}
	for _, q := range r.Ratios {
		if q.Min <= 0 || q.Median < q.Min || q.Max < q.Median {
			t.Errorf("ratio %s of %s to %s is %+v, want 0 < min <= median <= max", q.What, q.Of, q.To, q.Spread)
		}
	}
	ratios := map[bench.Way][]string{}
	for _, q := range r.Ratios {
		if q.Of == bench.ExactlyOnce {
			ratios[q.To] = append(ratios[q.To], q.What)
		}
	}
	restores := "; restore, seconds; restore, records per second"
	rates := "; p50 at 200 events per second; p99 at 200 events per second"
	for to, want := range map[bench.Way]string{bench.Stock: restores, bench.AtLeastOnce: restores + rates, bench.Floor: rates} {
		want = "CPU per event; CPU per event, whole process; events per second; peak RSS; start to first update" + want
		if got := strings.Join(ratios[to], "; "); got != want {
			t.Errorf("ratios of eos to %s are of %s, want %s", to, got, want)
		}
	}
	checkRates(t, r.Rates)
	var text bytes.Buffer
	if err := r.Print(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"seed 7: 5000 events of 1000 customers", "\nstock ", "\nalo ", "\neos ", "1 of 1 rounds"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("report lacks %q:\n%s", want, text.String())
		}
	}
}

// checkRates looks at three arms, idle and at 200 events per second.
func checkRates(t *testing.T, rates []bench.AtRate) {
	t.Helper()
	if len(rates) != 6 {
		t.Fatalf("rates are %d, want 6", len(rates))
	}
	for _, r := range rates {
		if r.Rate == 0 {
			if r.CommitsPerSec > 2 { // one may come late
				t.Errorf("idle %s commits %.1f times per second, want none", r.Way, r.CommitsPerSec)
			}
			continue
		}
		if r.Events != 100 || r.P50 <= 0 || r.P99 < r.P50 || r.Max < r.P99 {
			t.Errorf("%s at %d events per second is %+v, want 100 events and latencies that grow", r.Way, r.Rate, r)
		}
		if r.Way != bench.Floor && r.PositionsPer <= 0 || r.CommitsPerSec <= 0 {
			t.Errorf("%s writes %.1f position rows in %.1f commits per second, want some", r.Way, r.PositionsPer, r.CommitsPerSec)
		}
	}
}

func join(ways []bench.Way) string {
	words := make([]string, len(ways))
	for i, w := range ways {
		words[i] = string(w)
	}
	return strings.Join(words, " ")
}

func TestAWrongOutputGivesNoFigures(t *testing.T) {
	for _, w := range []bench.Way{bench.AtLeastOnce, bench.Floor} {
		o := options(t, w)
		o.Events = 500
		o.Spoil(w)
		r, err := bench.Run(t.Context(), o)
		if !errors.Is(err, bench.ErrWrong) || r != nil {
			t.Fatalf("report of %s is %v and error %v, want ErrWrong alone", w, r, err)
		}
		if want := "check arm " + string(w) + ": output is wrong: hash of the updates is "; !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error is %q, want it to begin with %q", err, want)
		}
	}
}

func TestAnArmThatForgetsGivesNoFigures(t *testing.T) {
	o := options(t, bench.Floor)
	o.Events, o.Restore = 2000, true
	o.Every()
	r, err := bench.Run(t.Context(), o)
	if !errors.Is(err, bench.ErrWrong) || r != nil {
		t.Fatalf("report is %v and error %v, want ErrWrong alone", r, err)
	}
	if want := "restore arm floor: output is wrong: answer "; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error is %q, want it to begin with %q", err, want)
	}
}

func TestAMemberJoinsAndLeaves(t *testing.T) {
	o := options(t, bench.ExactlyOnce)
	o.Events, o.Rebalance = 100, true
	o.Hurry()
	r, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rebalances) != 1 {
		t.Fatalf("rebalances are %d, want 1", len(r.Rebalances))
	}
	q := r.Rebalances[0]
	if q.Way != bench.ExactlyOnce || q.Quiet <= 0 || q.Join <= 0 || q.Leave <= 0 || q.Again != 0 {
		t.Errorf("rebalance is %+v, want gaps of eos above 0 and nothing repeated", q)
	}
}

// The floor takes a partition over without what another member knew of it.
func TestAMemberThatForgetsGivesNoGap(t *testing.T) {
	o := options(t, bench.Floor)
	o.Events, o.Rebalance = 100, true
	o.Hurry()
	o.Every()
	r, err := bench.Run(t.Context(), o)
	if !errors.Is(err, bench.ErrWrong) || r != nil {
		t.Fatalf("report is %v and error %v, want ErrWrong alone", r, err)
	}
}

// TestServersOfLookupsAreCompared, and nothing else is measured.
func TestServersOfLookupsAreCompared(t *testing.T) {
	o := options(t)
	o.Lookups, o.Customers, o.LookupTime = true, 300, 100*time.Millisecond
	r, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[bench.Way]int{}
	for _, l := range r.Lookups {
		keys[l.Way] = l.Keys
		if l.Requests < 1 || l.CPUPerRequest <= 0 || l.KeysPerCore <= 0 || l.AnswerBytes < 500 {
			t.Errorf("figures of %s are %+v, want all above 0 and answers of some size", l.Way, l)
		}
	}
	if len(r.Lookups) != 4 || keys[bench.Echo] != 1 || keys[bench.Bare] != 1 || keys[bench.Lookup] != 1 || keys[bench.Batch] != 100 {
		t.Errorf("servers are %v, want each of echo, net/http, lookup and batch once", keys)
	}
	if len(r.Arms) != 0 || len(r.Ratios) != 2 || r.Ratios[0].Of != bench.Lookup || r.Ratios[1].Of != bench.Bare {
		t.Errorf("arms are %v and ratios %v, want those of lookup and net/http to echo", r.Arms, r.Ratios)
	}
}

func TestTheWholeProgramIsMeasured(t *testing.T) {
	o := options(t)
	o.Program, o.Events, o.Customers = o.Exe, 300, 60
	o.Growth, o.GrowthMax, o.Freshness, o.RateTime = true, 40, true, 200*time.Millisecond
	o.Hurry()
	o.Few()
	r, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Program) != 2 || r.Program[0].Guarantee != "at-least-once" || r.Program[1].Guarantee != "exactly-once" {
		t.Fatalf("cells are %+v, want one for each guarantee", r.Program)
	}
	for _, c := range append(r.Program, r.Growth.Cells...) {
		if c.RestoreSeconds <= 0 || c.Resident <= 0 || c.RowBytes <= 0 || c.P50 <= 0 || c.P99 < c.P50 {
			t.Errorf("cell is %+v, want figures above 0", c)
		}
	}
	if c := r.Growth.Cells[0]; len(r.Growth.Cells) != 1 || c.Customers != 40 || c.Loaded != 300 || c.CPUPerEvent < 0 || c.EventsPerSecond <= 0 || len(c.Restarts) != 1 {
		t.Errorf("growth is %+v, want one cell with a load and a restart", r.Growth.Cells)
	}
}

func TestAProgramThatDiesSaysWhy(t *testing.T) {
	o := options(t)
	o.Program, o.Customers, o.Freshness = []string{"sh", "-c", "echo no such luck >&2; exit 1"}, 10, true
	_, err := bench.Run(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), `program is not ready, its last words are "no such luck"`) {
		t.Errorf("error is %v, want the program's last words", err)
	}
}

func TestBrokersOfOthersAreNotWrittenTo(t *testing.T) {
	o := options(t)
	o.Brokers, o.Freshness = []string{"127.0.0.1:1"}, true
	if _, err := bench.Run(t.Context(), o); err == nil || err.Error() != "brokers are given, want none: the program's topics would be written to there" {
		t.Errorf("error is %v, want the brokers refused", err)
	}
}

func TestWhatTheTimeIsTooShortForIsNamed(t *testing.T) {
	o := options(t)
	o.Program, o.Freshness, o.MaxTime = o.Exe, true, time.Second
	r, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := "freshness: 1,000 customers of 5 events, 12 partitions, at-least-once; freshness: 1,000 customers of 5 events, 12 partitions, exactly-once"
	if got := strings.Join(r.Missing, "; "); got != want {
		t.Errorf("left out is %q, want %q", got, want)
	}
}

func TestBrokersThatCannotServeAreRefused(t *testing.T) {
	for _, c := range []struct {
		broker string
		way    bench.Way
		want   string
	}{
		{"redpanda", bench.ExactlyOnce, `broker is "redpanda", want embedded or apache`},
		{"", bench.StreamsEOS, "broker is the embedded one, want Apache Kafka for Kafka Streams"},
	} {
		o := options(t, c.way)
		o.Broker = c.broker
		if _, err := bench.Run(t.Context(), o); err == nil || err.Error() != c.want {
			t.Errorf("error is %v, want %q", err, c.want)
		}
	}
}

func TestAnArmCanLeavePositionRowsOut(t *testing.T) {
	o := options(t, bench.ExactlyOnce, bench.Unpositioned)
	o.Events = 500
	r, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range r.Rounds[0] {
		if has := m.PositionRows > 0; has != (m.Way == bench.ExactlyOnce) {
			t.Errorf("%s has %d position rows, want some for eos alone", m.Way, m.PositionRows)
		}
	}
}

func TestAnUnknownArmIsRefused(t *testing.T) {
	_, err := bench.Run(t.Context(), options(t, "fast"))
	if err == nil || err.Error() != `arm is "fast", want one of [stock alo eos eos-unpositioned floor kstreams-alo kstreams-alo-mem kstreams-eos kstreams-eos-mem]` {
		t.Errorf("error is %v, want the arm named", err)
	}
}

func TestAnArmThatDiesSaysWhy(t *testing.T) {
	o := options(t, bench.AtLeastOnce)
	o.Exe = []string{"sh", "-c", "echo no such luck >&2; exit 1"}
	_, err := bench.Run(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), `broker does not answer, its last words are "no such luck"`) {
		t.Errorf("error is %v, want the broker's last words", err)
	}
}
