package eos_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"billstream/internal/eos"
)

func newRegistry() *prometheus.Registry { return prometheus.NewRegistry() }

// samples returns the counters and gauges of reg by their text form.
func samples(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name := f.GetName() + "{" + strings.Join(labels, ",") + "}"
			found[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return found
}

func wantMetric(t *testing.T, reg *prometheus.Registry, name string, want float64) {
	t.Helper()
	got, ok := samples(t, reg)[name]
	if !ok || got != want {
		t.Errorf("%s is %v (there: %t), want %v", name, got, ok, want)
	}
}

func TestMetricsFollowTheCommits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.produce(keys(10)...)
	m := w.member(nil)
	eos.NewRecovery(eos.RecoveryConfig{Table: tableTopic, Role: eos.View, Registerer: m.registry}) // both roles share a registry
	stop := m.start()
	eventually(t, "everything is committed", w.caughtUp)
	wantMetric(t, m.registry, `billstream_records_consumed_total{group="sum",partition="0",topic="events"}`, 10)
	wantMetric(t, m.registry, `billstream_consumed_bytes_total{group="sum",topic="events"}`, 10*5)
	wantMetric(t, m.registry, `billstream_partitions{role="active",state="running",table="sum-table"}`, 1)
	wantMetric(t, m.registry, `billstream_partitions{role="view",state="running",table="sum-table"}`, 0)
	wantMetric(t, m.registry, `billstream_recovery_remaining_records{partition="0",role="active",table="sum-table"}`, 0)
	wantMetric(t, m.registry, `billstream_recovery_eta_seconds{role="active",table="sum-table"}`, 0)
	wantMetric(t, m.registry, `billstream_rebalances_total{group="sum",result="completed"}`, 1)
	wantMetric(t, m.registry, `billstream_input_buffer_records{group="sum"}`, 0)
	for _, result := range []string{"aborted", "fenced", "unknown"} {
		wantMetric(t, m.registry, fmt.Sprintf(`billstream_commits_total{group="sum",result=%q}`, result), 0)
	}
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint says %v, %v", problems, err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for name := range samples(t, m.registry) {
		if strings.Contains(name, "partition=") {
			t.Errorf("%s is still there after the partition was revoked", name)
		}
	}
}

func TestMetricNamesAreTheCatalogues(t *testing.T) {
	t.Parallel()
	reg := newRegistry()
	r := eos.NewRecovery(eos.RecoveryConfig{Table: tableTopic, Role: eos.Active, Registerer: reg})
	eos.New(eos.Config{Group: groupName, Recovery: r, Registerer: reg})
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		got = append(got, strings.TrimPrefix(f.GetName(), "billstream_"))
	}
	want := []string{ // those without a partition exist from the start
		"commit_duration_seconds", "commit_records", "commits_total", "epoch_age_seconds", "input_buffer_records",
		"last_commit_timestamp_seconds", "last_rebalance_timestamp_seconds", "partitions", "phase_seconds_total",
		"rebalance_duration_seconds", "rebalances_total", "records_aborted_total", "recovery_blocked_partitions",
		"recovery_duration_seconds", "recovery_eta_seconds", "recovery_records_total",
		"staged_bytes", "staged_records", "watchdog_trips_total", "writer_restarts_total",
	}
	if !slices.Equal(got, want) {
		t.Errorf("metrics are %v, want %v", got, want)
	}
}
