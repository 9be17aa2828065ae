package eos

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Bucket bounds, in seconds and in records.
var (
	flow = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 15, 60}
	slow = []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600}
	size = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536}
)

// metrics of a group.
type metrics struct {
	records       *prometheus.CounterVec // topic, partition
	bytes         *prometheus.CounterVec // topic
	commits       map[string]prometheus.Counter
	duration      prometheus.Histogram
	perCommit     prometheus.Histogram
	lastCommit    prometheus.Gauge
	completed     prometheus.Counter // rebalances
	failed        prometheus.Counter
	rebalance     prometheus.Histogram
	lastRebalance prometheus.Gauge

	mu   sync.Mutex
	from time.Time // when the rebalance under way began; zero: none
}

// The results of a commit.
const (
	committed = "committed"
	aborted   = "aborted" // refused, nothing of it took effect
	fenced    = "fenced"  // refused, the partitions are somebody else's
	unknown   = "unknown" // no answer
)

// newMetrics registers on reg, which the caller owns, and starts every series
// of a closed set at 0, so that rate() sees the first event.
func newMetrics(reg prometheus.Registerer, group string, buffered func() float64) *metrics {
	of := prometheus.Labels{"group": group}
	commits := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "billstream_commits_total", ConstLabels: of,
		Help: "Epochs that ended, by result.",
	}, []string{"result"})
	rebalances := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "billstream_rebalances_total", ConstLabels: of,
		Help: "Sessions that began after a rebalance, or did not come about.",
	}, []string{"result"})
	m := &metrics{
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "billstream_records_consumed_total", ConstLabels: of,
			Help: "Records read from Kafka, including those read again.",
		}, []string{"topic", "partition"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "billstream_consumed_bytes_total", ConstLabels: of,
			Help: "Key and value bytes of the records read from Kafka.",
		}, []string{"topic"}),
		commits:  map[string]prometheus.Counter{},
		duration: prometheus.NewHistogram(histogram("billstream_commit_duration_seconds", "From the begin of a commit to its acknowledgement.", of, flow)),
		perCommit: prometheus.NewHistogram(histogram("billstream_commit_records",
			"Records per committed epoch.", of, size)),
		lastCommit: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "billstream_last_commit_timestamp_seconds", ConstLabels: of,
			Help: "Wall clock of the last commit.",
		}),
		completed: rebalances.WithLabelValues("completed"),
		failed:    rebalances.WithLabelValues("failed"),
		rebalance: prometheus.NewHistogram(histogram("billstream_rebalance_duration_seconds",
			"From the revocation of the old partitions until all new ones run.", of, slow)),
		lastRebalance: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "billstream_last_rebalance_timestamp_seconds", ConstLabels: of,
			Help: "Wall clock of the end of the last rebalance.",
		}),
	}
	for _, result := range []string{committed, aborted, fenced, unknown} {
		m.commits[result] = commits.WithLabelValues(result)
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "billstream_input_buffer_records", ConstLabels: of,
		Help: "Records that were fetched and wait for their partition.",
	}, buffered)
	reg.MustRegister(m.records, m.bytes, commits, m.duration, m.perCommit, m.lastCommit,
		rebalances, m.rebalance, m.lastRebalance, waiting)
	return m
}

func histogram(name, help string, labels prometheus.Labels, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help, ConstLabels: labels, Buckets: buckets,
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160,
		NativeHistogramMinResetDuration: time.Hour,
	}
}

// input returns the counters of an assigned partition.
func (m *metrics) input(topic string, partition int32) (records, bytes prometheus.Counter) {
	return m.records.WithLabelValues(topic, strconv.Itoa(int(partition))), m.bytes.WithLabelValues(topic)
}

// forget deletes the series of a revoked partition.
func (m *metrics) forget(topic string, partition int32) {
	m.records.DeleteLabelValues(topic, strconv.Itoa(int(partition)))
}

// result returns the counter of a commit that ended with err.
func (m *metrics) result(err error) prometheus.Counter {
	switch {
	case err == nil:
		return m.commits[committed]
	case isLost(err):
		return m.commits[fenced]
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return m.commits[unknown]
	}
	return m.commits[aborted]
}

func (m *metrics) committed(began, ended time.Time, records int) {
	m.duration.Observe(ended.Sub(began).Seconds())
	m.perCommit.Observe(float64(records))
	m.lastCommit.Set(seconds(ended))
}

// revoking notes that the partitions of a session are given up.
func (m *metrics) revoking(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.from.IsZero() {
		m.from = at
	}
}

// rebalanced notes that all partitions of a new session run.
func (m *metrics) rebalanced(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.completed.Inc()
	m.lastRebalance.Set(seconds(at))
	if !m.from.IsZero() {
		m.rebalance.Observe(at.Sub(m.from).Seconds())
		m.from = time.Time{}
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
