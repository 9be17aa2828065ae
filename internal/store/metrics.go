package store

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// operation is what is done to a store.
type operation int

const (
	opGet      operation = iota // a look for a row
	opSet                       // a row of a batch
	opDelete                    // a delete of a batch
	opScan                      // a walk, with what its caller does on the way
	opApply                     // a batch
	opSnapshot                  // a snapshot written, or a database flushed
	operations
)

// String is the operation's name in metrics.
func (o operation) String() string {
	return [operations]string{"get", "set", "delete", "scan", "apply", "snapshot"}[o]
}

// sampleOf is how many gets there are for one whose time is taken: a get of the
// Arena takes less time than to look at the clock.
const sampleOf = 64

// stripe counts gets. It fills a cache line of its own.
type stripe struct {
	gets atomic.Uint64
	_    [56]byte
}

// stripes keep partitions that are read at once from counting in one place.
const stripes = 16

// Metrics count what is done to the stores of a process. A nil one counts
// nothing. It is safe for concurrent use.
type Metrics struct {
	gets   [stripes]stripe
	next   atomic.Uint32 // the stripe of the next store
	done   [operations]atomic.Uint64
	failed [operations]atomic.Uint64
	took   [operations]prometheus.Observer // nil: sets and deletes are parts of a batch
}

// NewMetrics registers the metrics of all stores of that name: whoever makes a
// store gives them to it. Rows of a batch are counted as set and delete; time is
// taken of walks, snapshots and batches (of one row only by a database), and of
// every 64th get of a partition.
func NewMetrics(reg prometheus.Registerer, name string) *Metrics {
	m := &Metrics{}
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "billstream_store_operation_duration_seconds", ConstLabels: prometheus.Labels{"store": name},
		Help:    "How long operations on the state took; of gets a sample.",
		Buckets: []float64{10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 1},

		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160, NativeHistogramMinResetDuration: time.Hour,
	}, []string{"op"})
	reg.MustRegister(seconds)
	for o := range operations {
		if o != opSet && o != opDelete {
			m.took[o] = seconds.WithLabelValues(o.String())
		}
		reg.MustRegister(counter(name, o, "ok", func() uint64 { return m.count(o) }), counter(name, o, "error", m.failed[o].Load))
	}
	return m
}

func counter(name string, o operation, result string, count func() uint64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name:        "billstream_store_operations_total",
		Help:        "Operations on the state, by result; set and delete are the rows of the batches that apply counts.",
		ConstLabels: prometheus.Labels{"store": name, "op": o.String(), "result": result},
	}, func() float64 { return float64(count()) })
}

// count is how often an operation went well.
func (m *Metrics) count(o operation) uint64 {
	if o != opGet {
		return m.done[o].Load()
	}
	n := -m.failed[opGet].Load() // which were counted before they failed
	for i := range m.gets {
		n += m.gets[i].gets.Load()
	}
	return n
}

// meter returns what a store counts with.
func (m *Metrics) meter() meter {
	if m == nil {
		return meter{}
	}
	return meter{m, &m.gets[m.next.Add(1)%stripes].gets}
}

// meter is the place where one store counts; the zero meter counts nothing.
type meter struct {
	m    *Metrics
	gets *atomic.Uint64
}

// get counts a get and reports whether its time is to be taken.
func (t meter) get() bool { return t.gets != nil && t.gets.Add(1)%sampleOf == 0 }

// got tells how a get ended that is counted already.
func (t meter) got(began time.Time, err error) {
	if t.m == nil {
		return
	}
	if err != nil {
		t.m.failed[opGet].Add(1)
	}
	if !began.IsZero() {
		t.m.took[opGet].Observe(time.Since(began).Seconds())
	}
}

// began is now, the zero time if nobody asks.
func (t meter) began() time.Time {
	if t.m == nil {
		return time.Time{}
	}
	return time.Now()
}

// ended counts an operation, and takes its time if it is known when it began.
func (t meter) ended(o operation, began time.Time, err error) {
	switch {
	case t.m == nil:
		return
	case err != nil:
		t.m.failed[o].Add(1)
	default:
		t.m.done[o].Add(1)
	}
	if !began.IsZero() {
		t.m.took[o].Observe(time.Since(began).Seconds())
	}
}

// rows counts the rows of a batch.
func (t meter) rows(sets, deletes int) {
	if t.m == nil {
		return
	}
	t.m.done[opSet].Add(uint64(sets))
	if deletes > 0 { // which are rare
		t.m.done[opDelete].Add(uint64(deletes))
	}
}
