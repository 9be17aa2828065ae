package eos

import (
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
	aborted       prometheus.Counter
	watchdog      prometheus.Counter
	spent         map[string]prometheus.Counter // by phase
	restarts      map[string]prometheus.Counter // of the writer, by reason

	mu   sync.Mutex
	from time.Time // when the rebalance under way began; zero: none
}

// newMetrics registers on reg, which the caller owns, and starts every series
// of a closed set at 0, so that rate() sees the first event.
func newMetrics(reg prometheus.Registerer, group string, e *Engine) *metrics {
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
		duration: prometheus.NewHistogram(histogram("billstream_commit_duration_seconds", "From the seal of an epoch until it is acknowledged and applied.", of, flow)),
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
	for _, result := range []string{"committed", "aborted", "fenced", "unknown"} {
		m.commits[result] = commits.WithLabelValues(result)
	}
	m.countWork(reg, of)
	gaugeBacklog(reg, of, e)
	reg.MustRegister(m.records, m.bytes, commits, m.duration, m.perCommit, m.lastCommit,
		rebalances, m.rebalance, m.lastRebalance)
	return m
}

// phases of a record's and an epoch's way: the first three are sampled by callbacks,
// the others exact.
var phases = []string{"decode", "apply", "encode", "backpressure", "seal", "offsets", "produce", "end_transaction", "store"}

// countWork registers what tells where time and work go.
func (m *metrics) countWork(reg prometheus.Registerer, of prometheus.Labels) {
	m.aborted = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "billstream_records_aborted_total", ConstLabels: of,
		Help: "Records that were processed and dropped with their epoch, to be processed again.",
	})
	m.watchdog = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "billstream_watchdog_trips_total", ConstLabels: of,
		Help: "Partitions with pending input that made no progress for the watchdog's time.",
	})
	spent := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "billstream_phase_seconds_total", ConstLabels: of,
		Help: "Where time goes, by phase of the way to a commit.",
	}, []string{"phase"})
	m.spent = map[string]prometheus.Counter{}
	for _, p := range phases {
		m.spent[p] = spent.WithLabelValues(p)
	}
	restarts := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "billstream_writer_restarts_total", ConstLabels: of,
		Help: "Resets of the writer of epochs, by reason.",
	}, []string{"reason"})
	m.restarts = map[string]prometheus.Counter{}
	for _, r := range []string{"aborted", "fenced", "error"} {
		m.restarts[r] = restarts.WithLabelValues(r)
	}
	reg.MustRegister(m.aborted, m.watchdog, spent, restarts)
}

// gaugeBacklog registers what waits, before and behind the callbacks.
func gaugeBacklog(reg prometheus.Registerer, of prometheus.Labels, e *Engine) {
	gauge := func(name, help string, read func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: of}, read))
	}
	gauge("billstream_input_buffer_records", "Records that were fetched and wait for their partition.", e.buffered)
	gauge("billstream_staged_records", "Records that were processed and not yet committed.", func() float64 {
		n, _, _ := e.backlog()
		return float64(n)
	})
	gauge("billstream_staged_bytes", "Bytes of the rows and outputs that are staged.", func() float64 {
		_, n, _ := e.backlog()
		return float64(n)
	})
	gauge("billstream_epoch_age_seconds", "Age of the oldest staged record; 0 when there is none.", func() float64 {
		_, _, age := e.backlog()
		return age.Seconds()
	})
}

// phase adds to the time of a phase; one that is not of the list is not counted.
func (m *metrics) phase(name string, d time.Duration) {
	if c := m.spent[name]; c != nil {
		c.Add(max(0, d.Seconds()))
	}
}

// phases adds what the writer has measured.
func (m *metrics) phases(took Phases) {
	m.phase("offsets", took.Offsets)
	m.phase("produce", took.Produce)
	m.phase("end_transaction", took.End)
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

// dropped counts an epoch that was not committed, or not as far as we know.
func (m *metrics) dropped(f Failure) {
	switch f {
	case Lost, Fenced:
		m.commits["fenced"].Inc()
	case Unknown:
		m.commits["unknown"].Inc()
	default:
		m.commits["aborted"].Inc()
	}
}

func (m *metrics) committed(began, ended time.Time, records int) {
	m.commits["committed"].Inc()
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
