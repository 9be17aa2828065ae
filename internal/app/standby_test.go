package app_test

import (
	"fmt"
	"testing"
	"time"

	"billstream/internal/app"
	"billstream/internal/topics"
)

// A processor without a view follows what the other process owns, up to its
// end, and says how far it is behind.
func TestAStandbyFollowsWhatTheOtherProcessOwns(t *testing.T) {
	t.Parallel()
	const partitions = 4
	c := config(t.TempDir())
	c.Partitions = partitions
	first := start(t, c)
	second := start(t, app.Config{
		Brokers: []string{first.broker}, Replication: 1, Roles: []string{app.RoleProcessor}, Standby: 1,
		DataDir: t.TempDir(), Listen: "off", AdminListen: "127.0.0.1:0", UpdatesAccount: true,
	})
	for n := range 40 {
		id := fmt.Sprintf("c-%d", n)
		first.produce(false, record(id, event("e-"+id, "renamed", id, past, `{"name":"x"}`)))
	}
	first.caughtUp()
	var behind map[string]float64
	eventually(t, "the second process has a copy of each partition of the first", 30*time.Second, func() bool {
		states := values(second, "billstream_partitions", "role", "state")
		behind = values(second, "billstream_standby_lag_records", "partition")
		return states["active/running"]+states["standby/running"] == partitions && states["standby/running"] > 0 && len(behind) == partitions
	})
	eventually(t, "every copy is at its end, but for a marker", 30*time.Second, func() bool {
		behind = values(second, "billstream_standby_lag_records", "partition")
		for n := range partitions {
			if behind[fmt.Sprint(n)] > 1 {
				return false
			}
		}
		return len(behind) == partitions
	})
	keys, want := values(second, "billstream_store_keys", "partition"), map[string]float64{}
	for n := range 40 {
		want[fmt.Sprint(topics.Partition(fmt.Appendf(nil, "c-%d", n), partitions))]++
	}
	for n, customers := range want {
		if keys[n] != customers {
			t.Errorf("second process holds %v customers of partition %s, want %v", keys[n], n, customers)
		}
	}
}

// values are the series of a metric by some labels, joined by slashes.
func values(p *process, metric string, labels ...string) map[string]float64 {
	p.t.Helper()
	all := map[string]float64{}
	for _, m := range p.families()[metric].GetMetric() {
		key := ""
		for _, name := range labels {
			for _, l := range m.GetLabel() {
				if l.GetName() == name {
					key += "/" + l.GetValue()
				}
			}
		}
		all[key[1:]] = m.GetGauge().GetValue()
	}
	return all
}
