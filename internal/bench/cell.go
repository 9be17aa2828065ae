package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"billstream/internal/topics"
)

// Guarantees of the program, as run names them.
const (
	exactlyOnce = "exactly-once"
	atLeastOnce = "at-least-once"
)

// Cell is what the whole program did in one situation: `billstream run` with a
// changelog of so many customers on a broker of its own.
type Cell struct {
	Customers  int    `json:"customers"`
	Events     int    `json:"events_per_customer"` // that its row remembers
	Partitions int32  `json:"partitions"`
	Zipf       bool   `json:"zipf"` // busy customers, else all alike
	Guarantee  string `json:"guarantee"`
	RowBytes   int64  `json:"row_bytes"` // of all keys and rows

	// From the start of a process without files until it is ready.
	RestoreSeconds    float64 `json:"restore_seconds"`
	RestoredPerSecond float64 `json:"restored_rows_per_second"`
	Resident          int64   `json:"resident_bytes"` // then, after a while

	// Of a full load; 0 where there was none.
	Loaded          int     `json:"loaded_events,omitempty"`
	CPUPerEvent     float64 `json:"cpu_us_per_event,omitempty"`
	EventsPerSecond float64 `json:"events_per_second,omitempty"`

	// From the sending of an event until a lookup shows it, at a steady rate; 0
	// where that was not measured.
	Rate int     `json:"rate,omitempty"`
	P50  float64 `json:"p50_ms,omitempty"`
	P99  float64 `json:"p99_ms,omitempty"`
	Max  float64 `json:"max_ms,omitempty"`

	Restarts []Restart `json:"restarts,omitempty"`
}

// Restart is a clean stop and a start with the files of before.
type Restart struct {
	ReadySeconds  float64 `json:"ready_seconds"` // from the start of the process
	StopSeconds   float64 `json:"stop_seconds"`  // of the stop before
	Snapshots     int     `json:"snapshots"`     // files that were there; 0: the changelog was all there was
	SnapshotBytes int64   `json:"snapshot_bytes"`
	Resident      int64   `json:"resident_bytes"` // after a while
}

// situation says what to measure in a cell.
type situation struct {
	customers  int
	events     int
	partitions int32
	zipf       bool
	guarantee  string
	load       int // events as fast as they can be sent; 0: none
	rate       int // events per second; 0: none
	rateTime   time.Duration
	restarts   int
}

// name is what tells a situation from others.
func (s situation) name() string {
	name := fmt.Sprintf("%s customers of %d events, %d partitions", thousands(s.customers), s.events, s.partitions)
	if s.zipf {
		name += ", Zipf"
	}
	return name + ", " + s.guarantee
}

// estimate is how long a cell probably takes: it must not begin when it would
// end too late.
func (s situation) estimate() time.Duration {
	return 20*time.Second + time.Duration(s.customers*(1+s.restarts))*25*time.Microsecond +
		time.Duration(s.load)*30*time.Microsecond + 2*s.rateTime
}

// room is what the broker's files may take.
func (s situation) room() uint64 {
	return uint64(s.customers)*uint64(256+128*s.events) + uint64(s.load)*4<<10 + 512<<20
}

// site is a cell under way.
type site struct {
	*bench
	situation
	dir    string
	lab    *lab
	broker *broker
	people *people
	keys   *keys
	prog   *product
	spec   productSpec
	sent   int         // events so far
	happen map[int]int // how many events each customer had of them
}

// cell measures one situation, from an empty broker on.
func (b *bench) cell(ctx context.Context, s situation) (c Cell, err error) {
	kept, err := os.MkdirTemp(roomFor(s.room()), "billstream-bench-")
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(kept)) }()
	t := &site{bench: b, situation: s, dir: kept, keys: newKeys(b.o.Seed, s.customers, s.zipf), happen: map[int]int{}}
	if t.people, err = newPeople(s.customers, s.events, s.partitions); err != nil {
		return c, err
	}
	if t.broker, err = startBroker(ctx, b.o, kept); err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, t.broker.end()) }()
	if t.lab, err = openLab(ctx, t.broker.addrs, s.partitions); err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, t.lab.Close()) }()
	t.spec = productSpec{
		brokers: t.broker.addrs, dir: filepath.Join(kept, "data"), partitions: s.partitions, guarantee: s.guarantee,
	}
	if s.restarts > 0 {
		t.spec.save = 5 * time.Second
	}
	if err := t.fill(ctx); err != nil {
		return c, fmt.Errorf("fill the table: %w", err)
	}
	if t.prog, err = b.startProduct(ctx, t.spec); err != nil {
		return c, err
	}
	if c, err = t.measure(ctx); err != nil {
		t.prog.kill()
		return c, err
	}
	return c, t.prog.stop()
}

// measure looks at a program that has just become ready.
func (t *site) measure(ctx context.Context) (c Cell, err error) {
	c = Cell{
		Customers: t.customers, Events: t.events, Partitions: t.partitions, Zipf: t.zipf, Guarantee: t.guarantee,
		RowBytes: t.people.bytes(), RestoreSeconds: t.prog.ready.Seconds(),
		RestoredPerSecond: float64(t.customers) / t.prog.ready.Seconds(),
	}
	web := newWeb(t.prog.data)
	defer web.close()
	if err := t.untouched(ctx, web); err != nil {
		return c, err
	}
	if c.Resident, err = t.residentSoon(ctx); err != nil {
		return c, err
	}
	if t.load > 0 {
		if err := t.underLoad(ctx, web, &c); err != nil {
			return c, fmt.Errorf("process %d events: %w", t.load, err)
		}
	}
	if t.rate > 0 {
		if err := t.atRate(ctx, web, &c); err != nil {
			return c, fmt.Errorf("measure at %d events per second: %w", t.rate, err)
		}
	}
	if err := t.counted(ctx); err != nil {
		return c, err
	}
	for range t.situation.restarts {
		r, err := t.restart(ctx)
		if err != nil {
			return c, fmt.Errorf("start again: %w", err)
		}
		c.Restarts = append(c.Restarts, r)
	}
	return c, nil
}

// residentSoon is the program's memory when it has come to rest.
func (t *site) residentSoon(ctx context.Context) (int64, error) {
	select {
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-time.After(t.o.rest):
		return t.prog.resident()
	}
}

// restart stops the program, which has left snapshots, and starts it again.
func (t *site) restart(ctx context.Context) (r Restart, err error) {
	if err := t.saved(ctx); err != nil {
		return r, err
	}
	began := time.Now()
	if err := t.prog.stop(); err != nil {
		return r, err
	}
	r.StopSeconds = time.Since(began).Seconds()
	if r.Snapshots, r.SnapshotBytes, err = snapshots(t.spec.dir); err != nil {
		return r, err
	}
	next, err := t.startProduct(ctx, t.spec)
	if err != nil {
		return r, err
	}
	t.prog = next
	r.ReadySeconds = next.ready.Seconds()
	web := newWeb(next.data)
	defer web.close()
	if err := t.remembered(ctx, web); err != nil {
		return r, err
	}
	r.Resident, err = t.residentSoon(ctx)
	return r, err
}

// saved waits until each partition that has rows has a snapshot. At a stop there
// is not enough time to save a large state for the first time.
func (t *site) saved(ctx context.Context) error {
	want := 0
	for _, part := range t.people.parted() {
		want += min(len(part), 1)
	}
	limit := time.After(productLimit)
	for {
		n, _, err := snapshots(t.spec.dir)
		if err != nil || n >= want {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-limit:
			return fmt.Errorf("snapshots are %d after %v, want %d", n, productLimit, want)
		}
	}
}

// snapshots counts the files that a start can go on from.
func snapshots(dir string) (n int, bytes int64, err error) {
	found, err := filepath.Glob(filepath.Join(dir, "state", "*.snapshot"))
	if err != nil {
		return 0, 0, err
	}
	for _, name := range found {
		info, err := os.Stat(name)
		if err != nil {
			return 0, 0, err
		}
		bytes += info.Size()
	}
	return len(found), bytes, nil
}

// fill makes the topics, and writes the rows of all customers as an earlier life
// of the program would have left them.
func (t *site) fill(ctx context.Context) error {
	for _, topic := range topics.Wanted(topics.Options{Partitions: t.partitions, Replication: replication, Embedded: true}) {
		if err := t.lab.admin.Create(ctx, topic); err != nil {
			return err
		}
		if err := t.lab.await(ctx, topic.Name); err != nil {
			return err
		}
	}
	return t.lab.writeRows(ctx, t.people)
}
