//go:build apache

package bench_test

import (
	"slices"
	"testing"
	"time"

	"billstream/internal/bench"
)

// All arms but the one that tells what position rows cost.
func TestAllArmsOnApacheKafka(t *testing.T) {
	ways := slices.DeleteFunc(bench.Ways(), func(w bench.Way) bool { return w == bench.Unpositioned })
	o := options(t, ways...)
	o.Broker, o.Events, o.Restore, o.MaxTime = bench.Apache, 20_000, true, 10*time.Minute
	r, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Arms) != len(ways) {
		t.Fatalf("arms are %d, want %d", len(r.Arms), len(ways))
	}
	for _, a := range r.Arms {
		if a.CPUPerEvent.Median <= 0 || a.BrokerPerEvent.Median <= 0 || a.PeakRSS.Median <= 0 || a.FirstSeconds.Median <= 0 {
			t.Errorf("figures of %s are %+v, want all above 0", a.Way, a)
		}
		if restored := a.Restore.Median > 0; restored != (a.Way != bench.Floor) {
			t.Errorf("%s was restored in %v s, want that of all but the floor", a.Way, a.Restore)
		}
	}
	for _, name := range []string{"Apache Kafka", "Kafka Streams", "Java"} {
		if r.Machine.Versions[name] == "" {
			t.Errorf("version of %s is not in the report", name)
		}
	}
}

func TestMembersJoinAndLeaveOnApacheKafka(t *testing.T) {
	o := options(t, bench.ExactlyOnce, bench.StreamsEOS)
	o.Broker, o.Events, o.Rebalance, o.MaxTime = bench.Apache, 1000, true, 10*time.Minute
	o.Hurry()
	r, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range o.Ways {
		if q := r.Rebalances[i]; q.Way != w || q.Join <= 0 || q.Leave <= 0 || q.Again != 0 {
			t.Errorf("rebalance is %+v, want gaps of %s above 0 and nothing repeated", q, w)
		}
	}
}
