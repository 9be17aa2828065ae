package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"billstream/internal/eos"
	"billstream/internal/store"
)

// disk keeps rows in a database.
type disk struct {
	db      *store.Pebble
	dir     string
	rebuilt func(reason string)
	log     *slog.Logger
	at      atomic.Int64 // of the last save, in nanoseconds; 0: none
	hurt    atomic.Pointer[store.UnusableError]
}

// damaged is a file beside the database that says that it is damaged. A
// database is read block by block: a start may not see what a process has seen.
func damaged(dir string) string { return dir + ".damaged" }

// openDisk opens the database. One that cannot be used is thrown away: the
// changelog has every row. It is that of all partitions, each of which counts as
// rebuilt.
func openDisk(dir string, origin store.Origin, rebuilt func(string), opts store.PebbleOptions) (keeper, error) {
	all := func(reason string) {
		for range origin.Partitions {
			rebuilt(reason)
		}
	}
	if _, err := os.Stat(damaged(dir)); err == nil {
		opts.Log.Warn("state on disk is not used", "reason", "corrupt", "err", "a process has met damage in it")
		all("corrupt")
		if err := errors.Join(os.RemoveAll(dir), os.Remove(damaged(dir))); err != nil {
			return nil, fmt.Errorf("remove damaged state: %w", err)
		}
	} else if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		all("missing")
	}
	db, err := store.OpenPebble(dir, origin, opts)
	if u, ok := errors.AsType[*store.UnusableError](err); ok {
		opts.Log.Warn("state on disk is not used", "reason", u.Reason, "err", u.Err)
		all(u.Reason)
		if err := os.RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("remove state that cannot be used: %w", err)
		}
		db, err = store.OpenPebble(dir, origin, opts)
	}
	if err != nil {
		return nil, err
	}
	return &disk{db: db, dir: dir, rebuilt: rebuilt, log: opts.Log}, nil
}

// err marks a database that is damaged, so that the next start knows.
func (d *disk) err() error {
	err := d.look(d.db.Err())
	if u := d.hurt.Load(); u != nil {
		err = u
		if err := os.WriteFile(damaged(d.dir), []byte(u.Reason+"\n"), 0o600); err != nil {
			d.log.Warn("damaged state not marked", "err", err)
		}
	}
	return err
}

func (d *disk) open(_ context.Context, n int32) (eos.Store, int64, time.Time, error) {
	p, err := d.db.Partition(n)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	return &diskPart{p, d}, 0, p.FreshAt(), nil
}

// diskPart is a partition that tells when it meets damage: blocks are looked at when
// they are read.
type diskPart struct {
	*store.PebblePartition
	disk *disk
}

// Get returns the row of key.
func (p *diskPart) Get(key string) ([]byte, error) {
	v, err := p.PebblePartition.Get(key)
	return v, p.disk.look(err)
}

// Ascend walks the rows in the order of their keys.
func (p *diskPart) Ascend(from string, yield func(key string, value []byte) bool) error {
	return p.disk.look(p.PebblePartition.Ascend(from, yield))
}

// Apply changes rows.
func (p *diskPart) Apply(offset int64, rows iter.Seq2[string, []byte]) error {
	return p.disk.look(p.PebblePartition.Apply(offset, rows))
}

// look keeps the first sign of damage.
func (d *disk) look(err error) error {
	if u, ok := errors.AsType[*store.UnusableError](err); ok {
		d.hurt.CompareAndSwap(nil, u)
	}
	return err
}

func (d *disk) reset(n int32) (eos.Store, error) {
	d.rebuilt("stale")
	if err := d.db.Drop(n); err != nil {
		return nil, err
	}
	p, err := d.db.Partition(n)
	if err != nil {
		return nil, err
	}
	return &diskPart{p, d}, nil
}

// save makes durable what was applied, and when that was.
func (d *disk) save(_ context.Context, bases *eos.Bases) {
	now := time.Now()
	for n := range bases.Len() {
		p, ok := bases.At(n).Rows().(*diskPart)
		if !ok || !bases.At(n).Whole() {
			continue
		}
		if err := p.Fresh(bases.At(n).At()); err != nil {
			d.log.Warn("state not saved", "partition", n, "err", err)
		}
	}
	if err := d.db.Flush(); err != nil {
		d.log.Warn("state not saved", "err", err)
		return
	}
	d.at.Store(now.UnixNano())
}

// unsaved reports whether a partition is whole and was never saved: after a crash
// it would be thrown away, however much of it is on the disk.
func (d *disk) unsaved(bases *eos.Bases) bool {
	for n := range bases.Len() {
		p, ok := bases.At(n).Rows().(*diskPart)
		if ok && bases.At(n).Whole() && p.FreshAt().IsZero() {
			return true
		}
	}
	return false
}

func (d *disk) savedAt() time.Time {
	if at := d.at.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

func (d *disk) close() error { return d.db.Close() }
