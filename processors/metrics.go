package processors

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/internal/topics"
)

// sampleEvery is how often a record's durations are measured: one clock read
// for each of the others would cost more than it tells.
const sampleEvery = 64

// metrics counts what the group does. Everything that says "committed" in its
// help advances from the ledger.
type metrics struct {
	results    [deadLetter + 1]prometheus.Counter
	types      [customer.TypeErased + 1]prometheus.Counter // index 0: other
	classes    [billing.ClassErased + 1]prometheus.Counter
	facets     [billing.FacetPlan + 1]prometheus.Counter
	letters    map[customer.Code]prometheus.Counter
	updates    output
	rows       output
	dead       output
	skew       prometheus.Counter
	panics     prometheus.Counter
	process    prometheus.Observer
	processed  prometheus.Observer
	committed  prometheus.Observer
	lastRecord *prometheus.GaugeVec
	group      string
}

// output counts what is written to one topic.
type output struct{ records, bytes prometheus.Counter }

func (o output) add(n int) {
	if n > 0 {
		o.records.Inc()
		o.bytes.Add(float64(n))
	}
}

func newMetrics(reg prometheus.Registerer, group string) *metrics {
	m := &metrics{group: group}
	m.countRecords(reg)
	m.countOutputs(reg)
	m.measureTime(reg)
	return m
}

// countRecords registers the counters of outcomes, each at 0 for every value of
// its closed label set, so that rate() sees the first event.
func (m *metrics) countRecords(reg prometheus.Registerer) {
	results := counter(reg, "billstream_records_processed_total", "Committed input records, by outcome.", "group", "topic", "result")
	for o, name := range [...]string{updated: "updated", unchanged: "unchanged", duplicate: "duplicate", ignored: "ignored", deadLetter: "dead_letter"} {
		m.results[o] = results.WithLabelValues(m.group, topics.CustomerEvents, name)
	}
	types := counter(reg, "billstream_events_processed_total", "Committed input records, by type of event; other: not decodable or of no known type.", "group", "type")
	m.types[0] = types.WithLabelValues(m.group, "other")
	for t := customer.TypeRegistered; t <= customer.TypeErased; t++ {
		m.types[t] = types.WithLabelValues(m.group, t.String())
	}
	letters := counter(reg, "billstream_dead_letters_total", "Committed dead letters, by code.", "group", "code")
	m.letters = map[customer.Code]prometheus.Counter{}
	for _, c := range customer.Codes() {
		m.letters[c] = letters.WithLabelValues(m.group, string(c))
	}
	m.skew = counter(reg, "billstream_clock_skew_records_total", "Records with a timestamp ahead of our clock, whose latency was clamped to 0.", "group").WithLabelValues(m.group)
	m.panics = counter(reg, "billstream_panics_total", "Panics recovered in codec or callback.", "group").WithLabelValues(m.group)
}

// countOutputs registers the counters of what goes out.
func (m *metrics) countOutputs(reg prometheus.Registerer) {
	classes := counter(reg, "billstream_updates_emitted_total", "Committed billing updates, by class.", "group", "class")
	for c := billing.ClassApplied; c <= billing.ClassErased; c++ {
		m.classes[c] = classes.WithLabelValues(m.group, c.String())
	}
	facets := counter(reg, "billstream_facet_changes_total", "Committed changes inside billing updates, by facet.", "group", "facet")
	for f := billing.FacetStatus; f <= billing.FacetPlan; f++ {
		m.facets[f] = facets.WithLabelValues(m.group, f.String())
	}
	records := counter(reg, "billstream_records_emitted_total", "Committed records written, by topic.", "group", "topic")
	bytes := counter(reg, "billstream_emitted_bytes_total", "Key and value bytes of committed records written, by topic.", "group", "topic")
	to := func(topic string) output {
		return output{records.WithLabelValues(m.group, topic), bytes.WithLabelValues(m.group, topic)}
	}
	m.updates, m.rows, m.dead = to(topics.BillingUpdates), to(topics.BillingTable), to(topics.DeadLetters)
}

// measureTime registers what is sampled, and the age of partitions.
func (m *metrics) measureTime(reg prometheus.Registerer) {
	process := histogram(reg, "billstream_record_process_duration_seconds", "Decode, apply and encode of one record; one record in 64.", fast, "group", "topic")
	m.process = process.WithLabelValues(m.group, topics.CustomerEvents)
	latency := histogram(reg, "billstream_end_to_end_latency_seconds", "From the timestamp of the customer event to a stage; one record in 64.", flow, "group", "stage")
	m.processed = latency.WithLabelValues(m.group, "processed")
	m.committed = latency.WithLabelValues(m.group, "committed")
	m.lastRecord = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "billstream_last_record_timestamp_seconds",
		Help: "When this partition last committed a record, by our clock.",
	}, []string{"group", "partition"})
	reg.MustRegister(m.lastRecord)
}

// observe records a sampled record's durations.
func (m *metrics) observe(begin, end, recorded time.Time) {
	m.process.Observe(end.Sub(begin).Seconds())
	m.processed.Observe(max(0, end.Sub(recorded).Seconds()))
}

// count adds one committed record.
func (m *metrics) count(e *entry, now time.Time) {
	m.results[e.outcome].Inc()
	m.types[e.kind].Inc()
	if e.class != 0 {
		m.classes[e.class].Inc()
	}
	for f, n := range e.facets {
		if n > 0 {
			m.facets[f].Add(float64(n))
		}
	}
	if e.code != "" {
		m.letters[e.code].Inc()
	}
	m.updates.add(e.updateBytes)
	m.rows.add(e.rowBytes)
	m.dead.add(e.letterBytes)
	if e.timestamp.After(now) {
		m.skew.Inc()
	}
	if e.sampled {
		m.committed.Observe(max(0, now.Sub(e.timestamp).Seconds()))
	}
}

func (m *metrics) committedAt(partition int32, now time.Time) {
	m.lastRecord.WithLabelValues(m.group, strconv.Itoa(int(partition))).Set(float64(now.UnixMilli()) / 1e3)
}

func (m *metrics) forget(partition int32) {
	m.lastRecord.DeleteLabelValues(m.group, strconv.Itoa(int(partition)))
}

func counter(reg prometheus.Registerer, name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	reg.MustRegister(c)
	return c
}

func histogram(reg prometheus.Registerer, name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160, NativeHistogramMinResetDuration: time.Hour,
	}, labels)
	reg.MustRegister(h)
	return h
}

// Bucket bounds in seconds: fast for one record, flow for its way through.
var (
	fast = []float64{10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 1}
	flow = []float64{1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 150e-3, 250e-3, 500e-3, 1, 2.5, 5, 15, 60}
)
