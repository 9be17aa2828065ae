package store

import (
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"billstream/internal/failpoint"
)

// ErrClosed is returned by what is asked of a database behind its end.
var ErrClosed = errors.New("store is closed")

// PebbleOptions are the settings of a database on disk; the zero value works.
type PebbleOptions struct {
	// CacheBytes is how much memory there is for blocks that were read, at the
	// least; 0 means 64 MiB. What was written waits for the disk in up to 64 MiB
	// more; what it leaves of them, blocks may take.
	CacheBytes int64
	// Log hears of what goes wrong and, at Debug, of what goes on; nil is
	// silence. No key or value comes into it.
	Log *slog.Logger
	// Metrics count what is done to the database; nil counts nothing.
	Metrics *Metrics

	fs            vfs.FS
	memTableBytes uint64
}

// Pebble is a database on disk for partitions that are larger than memory: one
// of a process, for one table. It keeps no log, since Kafka has one: a process
// that dies loses the newest batches, of each the rows and the offset or
// neither, and reads them again from behind the offset that is left.
//
// A key in it is the partition in 4 bytes, big endian, and then 0x00 for what
// is kept about the partition, or 0x01 and the key of a row.
type Pebble struct {
	db     *pebble.DB
	lock   *pebble.Lock
	origin Origin
	dir    string
	gate   gate
	health *health
	seen   *seen
	ops    *Metrics
	meter  meter

	mu         sync.Mutex
	partitions map[int32]*PebblePartition
	walks      map[*pebble.Iterator]time.Time // since when they are open
}

// OpenPebble opens the database in dir for the rows of o, whose Partition is of
// no account, and creates it if there is none. One process at a time may have
// it open.
//
// An *UnusableError says that there is a database that cannot serve: one that
// is damaged (corrupt), of another cluster, topic or number of partitions
// (foreign), or in a format that this program does not know (version). It is
// closed by then: remove dir, and open again. Other errors are of the system's
// making, and leave the database as good as it was.
func OpenPebble(dir string, o Origin, opts PebbleOptions) (*Pebble, error) {
	o.Partition = 0
	opts.fillIn()
	p := &Pebble{
		dir: dir, origin: o, health: newHealth(opts.Log), seen: newSeen(), ops: opts.Metrics, meter: opts.Metrics.meter(),
		partitions: map[int32]*PebblePartition{}, walks: map[*pebble.Iterator]time.Time{},
	}
	if err := p.open(opts); err != nil {
		return nil, fmt.Errorf("open store: %w", errors.Join(err, p.release()))
	}
	return p, nil
}

func (p *Pebble) open(opts PebbleOptions) (err error) {
	if err = opts.fs.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	if !hasSpace(opts.fs, p.dir) {
		return ErrDiskFull
	}
	if p.lock, err = pebble.LockDirectory(p.dir, opts.fs); err != nil {
		return fmt.Errorf("lock %s, which one process at a time may have open: %w", p.dir, err)
	}
	if p.db, err = pebble.Open(p.dir, opts.settings(p.dir, p.lock, p.health)); err != nil {
		return unusable(p.dir, err)
	}
	return unusable(p.dir, p.identify())
}

// release closes what is open.
func (p *Pebble) release() error {
	p.health.stop()
	var errs []error
	if p.db != nil && !p.health.abandon() {
		errs = append(errs, p.db.Close())
	}
	if p.lock != nil {
		errs = append(errs, p.lock.Close())
	}
	return errors.Join(errs...)
}

// Partition returns partition n, 0 or greater and less than the origin's
// Partitions: the same one at every call.
func (p *Pebble) Partition(n int32) (*PebblePartition, error) {
	if n < 0 || n >= p.origin.Partitions {
		return nil, fmt.Errorf("open partition of store: partition is %d, want 0 to %d", n, p.origin.Partitions-1)
	}
	if !p.gate.enter() {
		return nil, ErrClosed
	}
	defer p.gate.leave()
	p.mu.Lock()
	defer p.mu.Unlock()
	if part := p.partitions[n]; part != nil {
		return part, nil
	}
	part := &PebblePartition{pebble: p, number: n, seed: maphash.MakeSeed(), meter: p.ops.meter(), staged: map[string]bool{}}
	m, err := p.readMeta(n)
	if err != nil {
		return nil, fmt.Errorf("open partition %d of store: %w", n, damaged(p.dir, err))
	}
	part.meta.Store(&m)
	p.partitions[n] = part
	return part, nil
}

// Drop deletes the rows of partition n and its offset, and makes that durable:
// after an error they may be back once the process has died.
func (p *Pebble) Drop(n int32) error {
	part, err := p.Partition(n)
	if err != nil {
		return err
	}
	if err := part.drop(); err != nil {
		return fmt.Errorf("drop partition %d of store: %w", n, err)
	}
	return p.Flush()
}

// Flush makes durable what was applied: what a clean stop does before Close,
// and a process that runs does every few minutes, so that a quiet partition's
// Fresh gets to the disk. An error leaves everything as it is in memory.
func (p *Pebble) Flush() error {
	if !p.gate.enter() {
		return ErrClosed
	}
	defer p.gate.leave()
	failpoint.Hit("store.flush-begin")
	began := p.meter.began()
	err := p.flush()
	p.meter.ended(opSnapshot, began, err)
	if err != nil {
		return fmt.Errorf("flush store: %w", damaged(p.dir, err))
	}
	failpoint.Hit("store.flush-end")
	return nil
}

func (p *Pebble) flush() error {
	trouble, wrong := p.health.state()
	if wrong != nil {
		return wrong
	}
	flushed, err := p.db.AsyncFlush()
	if err != nil {
		return err
	}
	for wrong == nil {
		select {
		case <-flushed:
			return nil
		case <-trouble: // it is tried again and again, which may take for ever
			trouble, wrong = p.health.state()
		}
	}
	return wrong
}

// Err says why nothing can be written at the moment, as the disk is full, or
// nil. While it does so Apply and Flush return the same at once; reads go on.
// It gets well by itself, unless it is an *UnusableError.
func (p *Pebble) Err() error {
	_, wrong := p.health.state()
	return damaged(p.dir, wrong)
}

// closeWait is how long Close waits for operations to end. They take
// milliseconds; one that takes this long waits for a disk.
const closeWait = 10 * time.Second

// Close ends the database. What was not flushed is lost, as if the process had
// died. Operations that run come to their end before, later ones get ErrClosed.
// The directory must stay until it has returned. If the disk is full the files
// are left to the end of the process, and locked until then.
func (p *Pebble) Close() error {
	if !p.gate.shut() {
		return nil // closed already
	}
	if !p.gate.wait(closeWait) {
		return fmt.Errorf("close store: operations are running after %v, want none", closeWait)
	}
	if err := p.release(); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}
