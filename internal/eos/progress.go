package eos

import (
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// PartitionProgress is how far the recovery of a partition has come, in
// offsets: control records and compacted ones count as well.
type PartitionProgress struct {
	Partition int32
	State     string        // goka's word; "running" once ready
	Target    int64         // to be read when this recovery began
	Done      int64         // read so far
	Remaining int64         // still to be read
	Rate      float64       // a second; 0 while unknown
	ETA       time.Duration // negative while unknown, 0 when done

	// Blocked is for how long the recovery has been waiting for a transaction
	// that is open from BlockedAt on; 0 when it does not.
	Blocked   time.Duration
	BlockedAt int64
}

// Summary is how far the recovery of all partitions has come.
type Summary struct {
	Table             string
	Role              Role
	Target, Done      int64         // offsets, over all partitions
	Rate              float64       // a second, over all partitions; 0 while unknown
	ETA               time.Duration // of the slowest partition; negative while unknown, 0 when done
	Partitions, Ready int           // known so far, and recovered
}

// Finished reports whether there are partitions and all are recovered.
func (s Summary) Finished() bool { return s.Partitions > 0 && s.Partitions == s.Ready }

// Progress returns how far each known partition has come, ascending.
func (r *Recovery) Progress() []PartitionProgress {
	var all []PartitionProgress
	for _, p := range r.all() {
		all = append(all, p.progress())
	}
	return all
}

// Summary returns how far the recovery has come.
func (r *Recovery) Summary() Summary {
	s := Summary{Table: r.cfg.Table, Role: r.cfg.Role}
	for _, p := range r.Progress() {
		s.Partitions++
		s.Target += p.Target
		s.Done += p.Done
		if p.State == string(running) {
			s.Ready++
			continue
		}
		s.Rate += p.Rate
		if p.ETA < 0 || s.ETA < 0 {
			s.ETA = -1
			continue
		}
		s.ETA = max(s.ETA, p.ETA)
	}
	if s.Partitions == 0 {
		s.ETA = -1
	}
	return s
}

func (p *partition) progress() PartitionProgress {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := PartitionProgress{Partition: p.number, State: string(p.state), ETA: -1}
	if !p.blockedSince.IsZero() {
		g.Blocked, g.BlockedAt = max(1, p.r.cfg.Now().Sub(p.blockedSince)), p.blockedAt
	}
	if !p.known {
		return g
	}
	g.Target, g.Remaining = max(p.end-p.start, 0), p.remaining()
	g.Done = g.Target - g.Remaining
	if p.state == running || g.Remaining == 0 {
		g.ETA = 0
		return g
	}
	if perSecond, ok := p.rate.sample(g.Done); ok && perSecond > 0 {
		g.Rate = perSecond
		g.ETA = time.Duration(float64(g.Remaining) / perSecond * float64(time.Second))
	}
	return g
}

// A rate is believed after so much time or so many records.
const (
	rateAfter   = 2 * time.Second
	rateRecords = 1000
	rateEvery   = 100 * time.Millisecond // the closest two samples
	halfLife    = 5 * time.Second
)

// rate is records a second, the past counting half after five seconds. It is
// sampled by whoever looks at it.
type rate struct {
	now   func() time.Time
	from  time.Time
	at    time.Time // of the last sample
	done  int64     // at the last sample
	value float64
	known bool
}

func (r *rate) restart() {
	*r = rate{now: r.now, from: r.now()}
}

// sample returns the rate after so many records, and whether it is known yet.
func (r *rate) sample(done int64) (perSecond float64, known bool) {
	now := r.now()
	if !r.known {
		elapsed := now.Sub(r.from)
		if elapsed < rateEvery || (elapsed < rateAfter && done < rateRecords) {
			return 0, false
		}
		r.value, r.known = float64(done)/elapsed.Seconds(), true
		r.at, r.done = now, done
		return r.value, true
	}
	elapsed := now.Sub(r.at)
	if elapsed < rateEvery {
		return r.value, true
	}
	old := math.Exp2(-elapsed.Seconds() / halfLife.Seconds())
	r.value = old*r.value + (1-old)*float64(done-r.done)/elapsed.Seconds()
	r.at, r.done = now, done
	return r.value, true
}

// collector reads the recovery's gauges at scrape time.
type collector struct {
	r                              *Recovery
	partitions, remaining, targets *prometheus.Desc
	eta, blocked                   *prometheus.Desc
}

func (r *Recovery) labels() prometheus.Labels {
	return prometheus.Labels{"table": r.cfg.Table, "role": string(r.cfg.Role)}
}

// register puts the recovery's metrics on reg.
func (r *Recovery) register(reg prometheus.Registerer) {
	of := r.labels()
	r.duration = prometheus.NewHistogram(histogram("billstream_recovery_duration_seconds",
		"Per partition, from the start of recovery to running.", of, slow))
	for source, rows := range map[string]*atomic.Int64{"changelog": &r.rows, "snapshot": &r.snapshot} {
		from := r.labels()
		from["source"] = source
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "billstream_recovery_records_total", ConstLabels: from,
			Help: "Rows read in recovery, by source.",
		}, func() float64 { return float64(rows.Load()) }))
	}
	reg.MustRegister(r.duration, &collector{
		r:          r,
		partitions: prometheus.NewDesc("billstream_partitions", "Partitions of a table's copy, by state.", []string{"state"}, of),
		remaining:  prometheus.NewDesc("billstream_recovery_remaining_records", "Offsets still to be read in recovery, 0 when done.", []string{"partition"}, of),
		targets:    prometheus.NewDesc("billstream_recovery_target_records", "Offsets to be read when this recovery began.", []string{"partition"}, of),
		eta:        prometheus.NewDesc("billstream_recovery_eta_seconds", "Estimate for the slowest partition, 0 when done, NaN while unknown.", nil, of),
		blocked:    prometheus.NewDesc("billstream_recovery_blocked_partitions", "Partitions whose recovery waits for an open transaction.", nil, of),
	})
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.partitions, c.remaining, c.targets, c.eta, c.blocked} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := map[state]int{}
	blocked := 0
	for _, p := range c.r.Progress() {
		count[state(p.State)]++
		n := strconv.Itoa(int(p.Partition))
		gauge(c.remaining, float64(p.Remaining), n)
		gauge(c.targets, float64(p.Target), n)
		if p.Blocked > 0 {
			blocked++
		}
	}
	for _, s := range []state{stopped, initializing, connecting, recovering, preparing, running} {
		gauge(c.partitions, float64(count[s]), string(s))
	}
	eta := math.NaN()
	if s := c.r.Summary(); s.ETA >= 0 {
		eta = s.ETA.Seconds()
	}
	gauge(c.eta, eta)
	gauge(c.blocked, float64(blocked))
}
