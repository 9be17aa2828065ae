package store

import (
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cockroachdb/pebble/v2"
)

// PebblePartition is one partition of a database: rows by key, and the offset
// of the changelog that they stand at. It is safe for any number of readers and
// writers. An *UnusableError from any method says that the database is damaged.
type PebblePartition struct {
	pebble *Pebble
	number int32
	seed   maphash.Seed
	meter  meter

	write  sync.Mutex
	key    []byte          // room for one
	staged map[string]bool // keys of the batch being written: are they there behind it

	meta atomic.Pointer[meta] // as readers may know it; changed under write
}

// Get returns the row of key, nil if there is none and an empty slice for an
// empty one. It is the caller's.
func (p *PebblePartition) Get(key string) ([]byte, error) {
	var began time.Time
	if p.meter.get() {
		began = time.Now()
	}
	value, err := p.find(key)
	p.meter.got(began, err)
	return value, err
}

func (p *PebblePartition) find(key string) ([]byte, error) {
	if !p.pebble.gate.enter() {
		return nil, ErrClosed
	}
	defer p.pebble.gate.leave()
	then := p.pebble.seen.now()
	b, closer, err := p.pebble.db.Get(p.rowKey(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, p.failed("get row", err)
	}
	p.pebble.seen.found(p.hash(key), then)
	own := append(make([]byte, 0, len(b)), b...)
	if err := closer.Close(); err != nil {
		return nil, p.failed("get row", err)
	}
	return own, nil
}

func (p *PebblePartition) rowKey(key string) []byte {
	k := make([]byte, 0, prefixBytes+len(key))
	return append(appendPrefix(k, uint32(p.number), kindRow), key...)
}

// hash tells rows of all partitions apart; it is never 0.
func (p *PebblePartition) hash(key string) uint64 { return maphash.String(p.seed, key) | 1 }

func (p *PebblePartition) failed(what string, err error) error {
	return fmt.Errorf("%s of partition %d of store: %w", what, p.number, damaged(p.pebble.dir, err))
}

// GetOffset returns the offset of the last batch, def before the first.
func (p *PebblePartition) GetOffset(def int64) (int64, error) {
	if m := p.meta.Load(); m.stored {
		return m.offset, nil
	}
	return def, nil
}

// Len returns how many rows there are.
func (p *PebblePartition) Len() int { return int(p.meta.Load().rows) }

// FreshAt returns when the partition was last said to be fresh, the zero time if
// never; to the millisecond.
func (p *PebblePartition) FreshAt() time.Time { return p.meta.Load().freshAt() }

// Fresh keeps that the partition stands at the end of its changelog at that
// time. One that did so too long ago must be dropped, since the changelog may
// have forgotten deletions that it has not read yet.
func (p *PebblePartition) Fresh(at time.Time) error {
	return p.change("keep age", func(_ *pebble.Batch, m *meta) error {
		m.fresh = at.UnixMilli()
		return nil
	})
}

// Apply changes rows, nil deletes, and sets the offset of the changelog that
// they stand at: all at once, for readers as for a crash. It changes nothing if
// the offset is not above the one that it has. Keys and values are copied. The
// whole batch is in memory until it is written.
func (p *PebblePartition) Apply(offset int64, rows iter.Seq2[string, []byte]) error {
	began := p.meter.began()
	sets, deletes := 0, 0
	err := p.change("apply batch", func(b *pebble.Batch, m *meta) error {
		if m.stored && offset <= m.offset {
			return nil
		}
		m.offset, m.stored = offset, true
		return p.stage(b, m, counted(rows, &sets, &deletes))
	})
	if err == nil {
		p.meter.rows(sets, deletes)
	}
	p.meter.ended(opApply, began, err)
	return err
}

// counted yields rows and counts them.
func counted(rows iter.Seq2[string, []byte], sets, deletes *int) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for key, value := range rows {
			if value == nil {
				*deletes++
			} else {
				*sets++
			}
			if !yield(key, value) {
				return
			}
		}
	}
}

// drop deletes the partition, as if it had never been.
func (p *PebblePartition) drop() error {
	return p.change("drop rows", func(b *pebble.Batch, m *meta) error {
		*m = meta{}
		return b.DeleteRange(metaKey(p.number), appendPrefix(nil, uint32(p.number), kindRow+1), nil)
	})
}

// change writes what stage puts into a batch, along with what it makes of meta.
// A disk that takes no more makes it fail at once, before there are so many
// batches in memory that writing would wait.
func (p *PebblePartition) change(what string, stage func(*pebble.Batch, *meta) error) error {
	if !p.pebble.gate.enter() {
		return ErrClosed
	}
	defer p.pebble.gate.leave()
	if _, wrong := p.pebble.health.state(); wrong != nil {
		return p.failed(what, wrong)
	}
	p.write.Lock()
	defer p.write.Unlock()
	b := p.pebble.db.NewBatch()
	defer b.Close()
	defer clear(p.staged)
	was := p.meta.Load()
	m := *was
	if err := stage(b, &m); err != nil {
		return p.failed(what, err)
	}
	if m == *was {
		return nil
	}
	if m != (meta{}) {
		if err := b.Set(metaKey(p.number), m.append(nil), nil); err != nil {
			return p.failed(what, err)
		}
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return p.failed(what, err)
	}
	if p.pebble.seen.wrote(p.hashes); m == (meta{}) {
		p.pebble.seen.forget()
	}
	p.meta.Store(&m)
	return nil
}

// hashes are those of the batch being written.
func (p *PebblePartition) hashes(yield func(hash uint64, there bool) bool) {
	for key, there := range p.staged {
		if !yield(p.hash(key), there) {
			return
		}
	}
}

// stage puts rows into b and counts them in m. That takes a look at whether each
// is there: into the filters for a new one, at the blocks for an old one that was
// not seen lately.
func (p *PebblePartition) stage(b *pebble.Batch, m *meta, rows iter.Seq2[string, []byte]) error {
	it, err := p.pebble.db.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return err
	}
	for key, value := range rows {
		k := append(appendPrefix(p.key[:0], uint32(p.number), kindRow), key...)
		p.key = k
		there, again := p.staged[key]
		if !again {
			there = p.pebble.seen.has(p.hash(key)) || it.SeekPrefixGE(k)
		}
		if err = it.Error(); err != nil {
			break
		}
		if !there && value == nil {
			continue
		}
		m.rows += one(value != nil) - one(there)
		p.staged[put(b, k, value)] = value != nil
	}
	return errors.Join(err, it.Close())
}

func one(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// put adds a row to b and returns its key, which stays as it is while b is open.
func put(b *pebble.Batch, key, value []byte) string {
	var op *pebble.DeferredBatchOp
	if value == nil {
		op = b.DeleteDeferred(len(key))
	} else {
		op = b.SetDeferred(len(key), len(value))
		copy(op.Value, value)
	}
	copy(op.Key, key)
	k := op.Key[prefixBytes:]
	if err := op.Finish(); err != nil {
		panic(err) // only an indexed batch has one
	}
	return unsafe.String(unsafe.SliceData(k), len(k))
}

// Size returns how many bytes the partition takes: on the disk its own tables,
// without what is not flushed yet; in memory an even share of what the
// database's partitions have together.
func (p *PebblePartition) Size() Size {
	if !p.pebble.gate.enter() {
		return Size{}
	}
	defer p.pebble.gate.leave()
	from, to := metaKey(p.number), appendPrefix(nil, uint32(p.number), kindRow+1)
	disk, err := p.pebble.db.EstimateDiskUsage(from, to)
	if err != nil {
		disk = 0 // a table that cannot be read is said by whoever reads rows
	}
	return Size{Memory: p.pebble.memory() / p.pebble.opened(), Disk: int64(disk)}
}

// Close has nothing to do: the database's Close does it.
func (p *PebblePartition) Close() error { return nil }
