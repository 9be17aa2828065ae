package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"billstream/internal/store"
)

// Paused is for how long nothing was written to the stores of a process, by a
// writer that has no other reason to wait: of each snapshot the longest time
// between the ends of two batches while it was written, and of as long a time
// without a snapshot.
type Paused struct {
	Customers  int     `json:"customers"`
	Partitions int32   `json:"partitions"`
	Snapshots  int     `json:"snapshots"`       // that were written
	RowsPerSec float64 `json:"rows_per_second"` // into snapshots, the waits for the disk included
	Batches    int64   `json:"batches"`
	Busy       Waits   `json:"with_snapshot_ms"`
	Quiet      Waits   `json:"without_snapshot_ms"`
}

// Waits are the longest gaps of many windows, in milliseconds.
type Waits struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

const (
	// pauseBatch is how many rows a batch changes.
	pauseBatch = 64
	// pauseSnapshots is how many snapshots there must be: the 99th of a hundred
	// means something.
	pauseSnapshots = 120
	// pauseLimit is when no more are begun, however few there were.
	pauseLimit = 45 * time.Second
)

// pause measures in a child of its own, whose heap holds nothing but stores.
func (b *bench) pause(ctx context.Context, deadline time.Time, customers int) (*Paused, error) {
	if time.Now().Add(pauseLimit).After(deadline) {
		b.missing = append(b.missing, fmt.Sprintf("pauses by snapshots of %s customers", thousands(customers)))
		return nil, nil
	}
	b.o.Progress(fmt.Sprintf("snapshots of %s customers, under writes", thousands(customers)))
	s := spec{Way: pauser, Dir: b.o.dir, Customers: customers, Events: rowEvents, Partitions: b.o.ProductPartitions, Snapshots: pauseSnapshots}
	p, err := start(ctx, b.pins.command(b.o.Exe), s)
	if err != nil {
		return nil, err
	}
	if _, err := p.stop(); err != nil {
		return nil, err
	}
	return p.first.Paused, nil
}

// pauser is the child that measures pauses.
const pauser Way = "pause"

// measurePause fills stores, writes to them and writes snapshots of them, and
// says how it went.
func measurePause(ctx context.Context, out io.Writer, s spec) error {
	p, err := newPeople(s.Customers, s.Events, s.Partitions)
	if err != nil {
		return err
	}
	stores, err := p.stores()
	if err != nil {
		return err
	}
	load := &pauseLoad{people: p, stores: stores, parts: p.parted(), next: make([]int64, len(stores))}
	for n, part := range load.parts {
		load.next[n] = int64(len(part)) + 1
	}
	result, err := load.run(ctx, s)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(hello{Paused: result})
}

// pauseLoad writes without a pause of its own.
type pauseLoad struct {
	people  *people
	stores  []*store.Arena
	parts   [][]int32 // customers by partition
	next    []int64   // offset of each partition's next batch
	longest atomic.Int64
	batches atomic.Int64
}

// run writes snapshots beside the load, and is quiet for as long after each.
func (l *pauseLoad) run(ctx context.Context, s spec) (*Paused, error) {
	working, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- l.write(working) }()
	result := &Paused{Customers: s.Customers, Partitions: s.Partitions}
	var busy, quiet []time.Duration
	var spent time.Duration
	var rows int64
	err := func() error {
		for first := time.Now(); result.Snapshots < s.Snapshots && time.Since(first) < pauseLimit && ctx.Err() == nil; {
			n := result.Snapshots % len(l.stores)
			l.longest.Store(0)
			began := time.Now()
			origin := store.Origin{Cluster: "bench", Topic: "bench", TopicID: "bench", Partition: int32(n), Partitions: s.Partitions}
			written, err := store.WriteSnapshot(ctx, s.Dir, origin, l.stores[n], began)
			if err != nil {
				return fmt.Errorf("write a snapshot: %w", err)
			}
			if want := int64(len(l.parts[n])); written.Rows != want {
				return fmt.Errorf("%w: rows of a snapshot are %d, want %d", ErrWrong, written.Rows, want)
			}
			took := time.Since(began)
			busy = append(busy, time.Duration(l.longest.Swap(0)))
			result.Snapshots, spent, rows = result.Snapshots+1, spent+took, rows+written.Rows
			<-time.After(took)
			quiet = append(quiet, time.Duration(l.longest.Swap(0)))
		}
		return ctx.Err()
	}()
	stop()
	if failed := <-ended; err == nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	result.RowsPerSec, result.Batches = float64(rows)/spent.Seconds(), l.batches.Load()
	result.Busy, result.Quiet = waits(busy), waits(quiet)
	return result, nil
}

func waits(of []time.Duration) Waits {
	slices.Sort(of)
	return Waits{P50: percentile(of, 50), P99: percentile(of, 99), Max: percentile(of, 100)}
}

// write changes rows, one batch after the other, and notes the longest time from
// the end of one to the end of the next.
func (l *pauseLoad) write(ctx context.Context) error {
	random := rand.New(rand.NewPCG(1, 6))
	last := time.Now()
	for n := 0; ctx.Err() == nil; n = (n + 1) % len(l.stores) {
		if len(l.parts[n]) == 0 {
			continue
		}
		numbers := make([]int32, pauseBatch)
		for i := range numbers {
			numbers[i] = l.parts[n][random.IntN(len(l.parts[n]))]
		}
		l.next[n]++
		if err := l.stores[n].Apply(l.next[n], l.people.rowsOf(numbers)); err != nil {
			return fmt.Errorf("write to a store: %w", err)
		}
		now := time.Now()
		if gap := int64(now.Sub(last)); gap > l.longest.Load() {
			l.longest.Store(gap) // the other side only sets it to 0
		}
		last = now
		l.batches.Add(1)
	}
	return nil
}
