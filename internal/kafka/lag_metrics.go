package kafka

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// lagMetrics shows the last lag. A partition without a committed offset has no
// series for it: 0 would be one.
type lagMetrics struct {
	group, topic string
	records      *prometheus.GaugeVec
	seconds      *prometheus.GaugeVec
	committed    *prometheus.GaugeVec
	stable       *prometheus.GaugeVec
	open         *prometheus.GaugeVec
	counts       *prometheus.GaugeVec
	good         prometheus.Counter
	failed       prometheus.Counter
	refreshed    prometheus.Gauge
}

func newLagMetrics(reg prometheus.Registerer, group, topic string) *lagMetrics {
	vec := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	refreshes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "billstream_lag_refreshes_total",
		Help: "Refreshes of the lag, by result.",
	}, []string{"result"})
	m := &lagMetrics{
		group: group, topic: topic,
		records: vec("billstream_consumer_lag_records",
			"Offsets from the committed one to the last stable one; markers of transactions count.", "group", "topic", "partition"),
		seconds: vec("billstream_consumer_lag_seconds",
			"Age of the first record that is not committed, 0 without one.", "group", "topic", "partition"),
		committed: vec("billstream_committed_offset",
			"Next offset that the group will read, from its coordinator.", "group", "topic", "partition"),
		stable: vec("billstream_last_stable_offset",
			"First offset of the oldest open transaction, else the end of the partition.", "topic", "partition"),
		open: vec("billstream_open_transaction_records",
			"Offsets from the last stable one to the high watermark: what waits for a transaction to end.", "topic", "partition"),
		counts: vec("billstream_topic_partitions", "Partitions of the topic.", "topic"),
		good:   refreshes.WithLabelValues("ok"),
		failed: refreshes.WithLabelValues("error"),
		refreshed: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "billstream_lag_refresh_timestamp_seconds",
			Help: "When the lag was last refreshed.",
		}),
	}
	reg.MustRegister(m.records, m.seconds, m.committed, m.stable, m.open, m.counts, refreshes, m.refreshed)
	return m
}

func (m *lagMetrics) publish(l Lag) {
	for _, p := range l.Partitions {
		n := strconv.Itoa(int(p.Partition))
		m.records.WithLabelValues(m.group, m.topic, n).Set(float64(p.Records))
		m.seconds.WithLabelValues(m.group, m.topic, n).Set(p.Age.Seconds())
		m.stable.WithLabelValues(m.topic, n).Set(float64(p.Stable))
		if p.Committed >= 0 {
			m.committed.WithLabelValues(m.group, m.topic, n).Set(float64(p.Committed))
		}
	}
	for topic, partitions := range l.Open {
		for p, n := range partitions {
			m.open.WithLabelValues(topic, strconv.Itoa(int(p))).Set(float64(n))
		}
	}
	for topic, n := range l.Counts {
		m.counts.WithLabelValues(topic).Set(float64(n))
	}
	m.good.Inc()
	m.refreshed.Set(float64(l.At.UnixMilli()) / 1000)
}
