package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// PartitionLag is how far a group is behind in a partition.
type PartitionLag struct {
	Partition int32
	Oldest    int64
	Committed int64         // next offset that the group will read; -1 while it has committed none
	Stable    int64         // the last stable offset, the end for the group
	Records   int64         // from the committed offset to the end; markers count
	Age       time.Duration // of the first record that is not committed; 0 without one
}

// Lag is how far a group is behind in a topic.
type Lag struct {
	At         time.Time
	Partitions []PartitionLag   // by partition
	Counts     map[string]int32 // partitions by topic
	// Open is, by topic and partition, how many offsets lie behind the last
	// stable one, where read-committed readers wait. A log that grows between
	// the two questions shows as a few.
	Open map[string]map[int32]int64
}

// LagMonitor measures the lag at intervals. It asks the brokers, never the
// group itself: a member that is stuck must show.
type LagMonitor struct {
	Every   time.Duration // between two refreshes; 0 means 10 s
	Fetch   func(context.Context) (Lag, error)
	Publish func(Lag)    // sees each lag that was fetched; may be nil
	Failed  func()       // is told of each fetch that failed; may be nil
	Log     *slog.Logger // required

	mu   sync.Mutex
	last Lag
}

// LagOptions says whose lag is measured.
type LagOptions struct {
	Group  string
	Topic  string       // the group's input
	Counts []string     // topics whose partitions are counted
	Open   []string     // topics whose open transactions are measured
	Log    *slog.Logger // required
}

// NewLagMonitor returns a monitor that asks a and publishes its metrics on reg,
// which the caller owns.
func NewLagMonitor(a *AdminClient, o LagOptions, reg prometheus.Registerer) *LagMonitor {
	r := &lagReader{admin: a, options: o, first: map[int32]firstRecord{}}
	m := newLagMetrics(reg, o.Group, o.Topic)
	return &LagMonitor{Every: 10 * time.Second, Fetch: r.fetch, Publish: m.publish, Failed: m.failed.Inc, Log: o.Log}
}

// Run refreshes until ctx ends and then returns nil. It starts no goroutine: the
// caller decides where it runs. A failed fetch is logged and tried again, since
// a gauge that stops is an alert, and not a reason to stop processing; the last
// values stay.
func (m *LagMonitor) Run(ctx context.Context) error {
	every := m.Every
	if every <= 0 {
		every = 10 * time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		m.refresh(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (m *LagMonitor) refresh(ctx context.Context) {
	lag, err := m.Fetch(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		m.Log.Warn("cannot read the lag", "err", err)
		if m.Failed != nil {
			m.Failed()
		}
	default:
		m.mu.Lock()
		m.last = lag
		m.mu.Unlock()
		if m.Publish != nil {
			m.Publish(lag)
		}
	}
}

// Last returns the lag of the last good refresh; its time is zero before the
// first. The caller must not change it.
func (m *LagMonitor) Last() Lag {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// lagReader fetches a lag from the brokers.
type lagReader struct {
	admin   *AdminClient
	options LagOptions
	first   map[int32]firstRecord // the answer of the last refresh, by partition
}

// firstRecord is the time of the first record from an offset on. It stays the
// same while the group has not moved, so a stuck group costs one fetch.
type firstRecord struct {
	from  int64
	found bool
	time  time.Time
}

func (r *lagReader) fetch(ctx context.Context) (Lag, error) {
	// The committed offsets first: what the log gains meanwhile is lag for a
	// moment, the other way round the lag could be negative.
	committed, err := r.admin.Committed(ctx, r.options.Group, r.options.Topic)
	if err != nil {
		return Lag{}, err
	}
	offsets, err := r.admin.Offsets(ctx, r.options.Topic)
	if err != nil {
		return Lag{}, err
	}
	lag := Lag{At: time.Now(), Counts: map[string]int32{}}
	for _, o := range offsets {
		next, ok := committed[o.Partition]
		p := PartitionLag{Partition: o.Partition, Oldest: o.Oldest, Stable: o.Stable, Committed: next}
		if !ok {
			p.Committed = -1
		}
		from := max(p.Committed, o.Oldest)
		p.Records = max(o.Stable-from, 0)
		if p.Age, err = r.age(ctx, lag.At, o.Partition, from, o.Stable); err != nil {
			return Lag{}, err
		}
		lag.Partitions = append(lag.Partitions, p)
	}
	if lag.Open, err = r.open(ctx, offsets); err != nil {
		return Lag{}, err
	}
	found, err := r.admin.describe(ctx, r.options.Counts)
	if err != nil {
		return Lag{}, err
	}
	for name, t := range found {
		lag.Counts[name] = t.Partitions
	}
	return lag, nil
}

// open measures what is behind open transactions; the offsets of the group's own
// input are there already.
func (r *lagReader) open(ctx context.Context, input []PartitionOffsets) (map[string]map[int32]int64, error) {
	all := map[string]map[int32]int64{}
	for _, topic := range r.options.Open {
		offsets := input
		if topic != r.options.Topic {
			var err error
			if offsets, err = r.admin.Offsets(ctx, topic); err != nil {
				return nil, err
			}
		}
		all[topic] = map[int32]int64{}
		for _, o := range offsets {
			all[topic][o.Partition] = max(o.Newest-o.Stable, 0)
		}
	}
	return all, nil
}

// age returns how old the first record in [from, to) is. That nothing visible is
// there, for instance only markers, is not remembered: it may come yet.
func (r *lagReader) age(ctx context.Context, now time.Time, partition int32, from, to int64) (time.Duration, error) {
	if from >= to {
		return 0, nil
	}
	first := r.first[partition]
	if first.from != from || !first.found {
		first = firstRecord{from: from}
		err := r.admin.scan(ctx, r.options.Topic, partition, from, to, func(v visible) bool {
			first.found, first.time = true, v.time
			return false
		})
		if err != nil {
			return 0, fmt.Errorf("read the first record of %s/%d@%d: %w", r.options.Topic, partition, from, err)
		}
		r.first[partition] = first
	}
	if !first.found {
		return 0, nil
	}
	return max(now.Sub(first.time), 0), nil
}
