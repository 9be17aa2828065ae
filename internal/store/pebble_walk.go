package store

import (
	"errors"
	"time"
	"unsafe"

	"github.com/cockroachdb/pebble/v2"
)

// A page is what a walk reads at a time: it begins small, for a caller who wants
// a few rows, and grows up to what is worth an iterator.
const (
	firstPageRows = 64
	lastPageRows  = 1024
	pageBytes     = 512 << 10
)

// Ascend calls yield for every row whose key is from or greater, in the order of
// the bytes of the keys, until it returns false. Writes may go on meanwhile,
// also from within yield: a row that is there all the time comes exactly once,
// with a value that it had during the walk; one that comes or goes may be met or
// missed. A walk that pauses keeps nothing of the database. Keys and values are
// the caller's.
func (p *PebblePartition) Ascend(from string, yield func(key string, value []byte) bool) error {
	began := p.meter.began()
	err := p.walk(from, yield)
	p.meter.ended(opScan, began, err)
	return err
}

func (p *PebblePartition) walk(from string, yield func(key string, value []byte) bool) error {
	next := p.rowKey(from)
	for n := firstPageRows; ; n = min(2*n, lastPageRows) {
		rows, more, err := p.page(next, n)
		if err != nil {
			return p.failed("walk", err)
		}
		for _, r := range rows {
			if !yield(r.key, r.value) {
				return nil
			}
		}
		if !more {
			return nil
		}
		next = append(p.rowKey(rows[len(rows)-1].key), 0) // the least key behind it
	}
}

// found is a row that a walk came by.
type found struct {
	key   string
	value []byte
}

// page returns up to n rows at or behind from, at least one if there is one;
// more reports whether there may be others.
func (p *PebblePartition) page(from []byte, n int) (rows []found, more bool, err error) {
	if !p.pebble.gate.enter() {
		return nil, false, ErrClosed
	}
	defer p.pebble.gate.leave()
	it, err := p.pebble.db.NewIter(&pebble.IterOptions{
		LowerBound: from,
		UpperBound: appendPrefix(nil, uint32(p.number), kindRow+1),
	})
	if err != nil {
		return nil, false, err
	}
	p.pebble.began(it)
	rows, more, err = take(it, n)
	p.pebble.ended(it)
	return rows, more, errors.Join(err, it.Close())
}

// take copies up to n rows of it into one piece of memory.
func take(it *pebble.Iterator, n int) (rows []found, more bool, err error) {
	data := []byte{}            // an empty value is not nil
	ends := make([]int, 0, 2*n) // of each key and of each value
	for ok := it.First(); ok; ok = it.Next() {
		if len(ends) == 2*n || len(data) >= pageBytes {
			more = true
			break
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, false, err
		}
		data = append(data, it.Key()[prefixBytes:]...)
		ends = append(ends, len(data))
		data = append(data, value...)
		ends = append(ends, len(data))
	}
	rows = make([]found, len(ends)/2)
	at := 0
	for i := range rows {
		key, end := data[at:ends[2*i]], ends[2*i+1]
		rows[i] = found{unsafe.String(unsafe.SliceData(key), len(key)), data[at+len(key) : end : end]}
		at = end
	}
	return rows, more, it.Error()
}

// began and ended tell since when iterators are open.
func (p *Pebble) began(it *pebble.Iterator) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.walks[it] = time.Now()
}

func (p *Pebble) ended(it *pebble.Iterator) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.walks, it)
}
