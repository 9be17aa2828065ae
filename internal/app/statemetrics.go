package app

import (
	"fmt"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"billstream/internal/eos"
	"billstream/internal/store"
	"billstream/internal/topics"
)

// storeName is the label of the one store of a process.
const storeName = "billing"

// stateMetrics reads at each scrape how much state there is.
type stateMetrics struct {
	bases *eos.Bases
	keep  keeper
	dir   string // of the data

	keys, size, saved              *prometheus.Desc
	requests, cache, walks, oldest *prometheus.Desc
	compactions, stalls            *prometheus.Desc
	free, capacity                 *prometheus.Desc
}

func newStateMetrics(bases *eos.Bases, k keeper, dir string) *stateMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, prometheus.Labels{"store": storeName})
	}
	return &stateMetrics{
		bases: bases, keep: k, dir: dir,
		keys:        desc("billstream_store_keys", "Customers in a partition's state.", "partition"),
		size:        desc("billstream_store_size_bytes", "What the state takes up: in memory, and in the files of the database.", "kind"),
		saved:       desc("billstream_store_snapshot_timestamp_seconds", "When the state was last saved, of the partition for which that is longest ago; 0: never."),
		requests:    desc("billstream_store_cache_requests_total", "Blocks of the database that were read, by whether they were in memory.", "result"),
		cache:       desc("billstream_store_cache_size_bytes", "Blocks of the database in memory."),
		walks:       desc("billstream_store_open_iterators", "Pages of walks that are being read from the database."),
		oldest:      desc("billstream_store_oldest_iterator_age_seconds", "Since when the oldest of these is open; 0 without."),
		compactions: desc("billstream_store_compactions_total", "Compactions of the database that ended."),
		stalls:      desc("billstream_store_write_stall_seconds_total", "How long writers waited for the database's compaction."),
		free:        prometheus.NewDesc("billstream_data_dir_free_bytes", "Free space of the file system of the data directory, for those without special rights.", nil, nil),
		capacity:    prometheus.NewDesc("billstream_data_dir_capacity_bytes", "Size of the file system of the data directory.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (m *stateMetrics) Describe(out chan<- *prometheus.Desc) {
	out <- m.keys
	out <- m.size
	out <- m.saved
	out <- m.free
	out <- m.capacity
	if _, ok := m.keep.(*disk); ok {
		for _, d := range []*prometheus.Desc{m.requests, m.cache, m.walks, m.oldest, m.compactions, m.stalls} {
			out <- d
		}
	}
}

// Collect implements prometheus.Collector.
func (m *stateMetrics) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	var size store.Size
	for n := range m.bases.Len() {
		keys, of := held(m.bases.At(n), n, m.bases.Len())
		gauge(m.keys, float64(keys), strconv.Itoa(int(n)))
		size.Memory += of.Memory
		size.Disk += of.Disk
	}
	var at time.Time
	d, ok := m.keep.(*disk)
	if ok {
		at = d.savedAt()
		size = m.database(out, d.db)
	} else if k, ok := m.keep.(*memory); ok {
		at = k.savedAt()
	}
	gauge(m.size, float64(size.Memory), "memory")
	gauge(m.size, float64(size.Disk), "disk")
	if at.IsZero() {
		at = time.Unix(0, 0)
	}
	gauge(m.saved, float64(at.UnixMilli())/1000)
	if free, capacity, err := space(m.dir); err == nil { // no series is better than a wrong one
		gauge(m.free, free)
		gauge(m.capacity, capacity)
	}
}

// space returns the bytes that are free in the file system of dir, and its size.
func space(dir string) (free, capacity float64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, fmt.Errorf("look at the file system: %w", err)
	}
	block := float64(s.Bsize)
	return float64(s.Bavail) * block, float64(s.Blocks) * block, nil
}

// held returns how many customers are in a base, and what they take up.
func held(b *eos.Base, n, partitions int32) (keys int, size store.Size) {
	s, ok := b.Rows().(interface {
		Get(key string) ([]byte, error)
		Len() int
		Size() store.Size
	})
	if !ok {
		return 0, store.Size{}
	}
	keys = s.Len()
	if own, err := s.Get(string(topics.PositionKey(n, partitions))); err == nil && own != nil {
		keys-- // no customer's
	}
	return keys, s.Size()
}

// database tells of the database, and returns what it takes up.
func (m *stateMetrics) database(out chan<- prometheus.Metric, db *store.Pebble) store.Size {
	s := db.Stats()
	for _, f := range []struct {
		desc  *prometheus.Desc
		kind  prometheus.ValueType
		value float64
		label []string
	}{
		{m.requests, prometheus.CounterValue, float64(s.CacheHits), []string{"hit"}},
		{m.requests, prometheus.CounterValue, float64(s.CacheMisses), []string{"miss"}},
		{m.cache, prometheus.GaugeValue, float64(s.CacheBytes), nil},
		{m.walks, prometheus.GaugeValue, float64(s.OpenIterators), nil},
		{m.oldest, prometheus.GaugeValue, s.OldestIterator.Seconds(), nil},
		{m.compactions, prometheus.CounterValue, float64(s.Compactions), nil},
		{m.stalls, prometheus.CounterValue, s.WriteStall.Seconds(), nil},
	} {
		out <- prometheus.MustNewConstMetric(f.desc, f.kind, f.value, f.label...)
	}
	return store.Size{Memory: s.CacheBytes + s.MemTableBytes, Disk: s.DiskBytes}
}
