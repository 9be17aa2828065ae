package store

import (
	"fmt"
	"iter"
	"time"
	"unsafe"
)

// staged is a change whose bytes are in place, to be shown to readers.
type staged struct {
	key   string // in the chunk, or in Arena.gone
	place uint64
	size  int // of the entry, 0 for a delete
	tag   uint32
	guess uint32 // the id+1 of the former row, if it is not that of another key
}

// arenaBatch is how many rows readers get to see at once: it bounds how long a
// batch keeps them waiting.
const arenaBatch = 512

// Apply changes rows, nil deletes, and then sets the offset of the changelog
// that they stand at. A batch whose offset is not above that of the store
// changes nothing: a store takes only what is newer than it has.
//
// Keys and values are copied as they come, so that rows may use its buffers
// again; it runs without a lock and may read the store, but not call Apply.
// Readers come in between every 512 rows: they may meet a part of the batch,
// but never its offset before all of it.
func (a *Arena) Apply(offset int64, rows iter.Seq2[string, []byte]) error {
	began, err := a.apply(offset, rows)
	a.meter.ended(opApply, began, err)
	return err
}

// apply returns when its second row came. A single one, as a view brings them
// all, takes less time than to look at the clock.
func (a *Arena) apply(offset int64, rows iter.Seq2[string, []byte]) (began time.Time, err error) {
	a.writer.Lock()
	defer a.writer.Unlock()
	if a.stored && offset <= a.offset {
		return began, nil
	}
	a.discard()
	for key, value := range rows {
		if len(a.staged) == 1 && began.IsZero() {
			began = a.meter.began()
		}
		if err := a.stage(key, value); err != nil {
			return began, err
		}
		if len(a.staged) == arenaBatch {
			a.reclaim(a.publish())
		}
	}
	a.reclaim(a.publish())
	a.mu.Lock()
	defer a.mu.Unlock()
	a.offset, a.stored = offset, true
	return began, nil
}

// discard gives up what a batch that ended early has left staged.
func (a *Arena) discard() {
	if len(a.staged) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.staged {
		if s.size > 0 {
			a.log.release(s.place, s.size)
		}
	}
	a.staged, a.gone = a.staged[:0], a.gone[:0]
}

// stage copies a change into place.
func (a *Arena) stage(key string, value []byte) error {
	s := staged{tag: a.tag(key)}
	if value == nil {
		a.gone = append(a.gone, key...)
		s.key = text(a.gone[len(a.gone)-len(key):])
		a.staged = append(a.staged, s)
		return nil
	}
	if a.hash.rows+len(a.staged) >= a.limits.rows {
		if _, ok := a.hash.find(s.tag, key); !ok {
			return fmt.Errorf("rows of a partition are more than %d, want no more", a.limits.rows)
		}
	}
	s.size = entrySize(len(key), len(value))
	s.place = a.reserve(&a.warm, s.size)
	s.key = putEntry(a.log.bytes(s.place), key, value)
	a.staged = append(a.staged, s)
	return nil
}

// touch brings what publish needs into the processor's caches. One row waits
// for memory three times in a row; here many rows wait side by side, which
// takes a third off an update, and no reader waits meanwhile.
func (a *Arena) touch() (sum byte) {
	for i := range a.staged {
		s := &a.staged[i]
		s.guess = a.hash.guess(s.tag)
	}
	for i := range a.staged {
		if s := &a.staged[i]; s.guess != 0 {
			sum += byte(a.log.place(s.guess - 1))
		}
	}
	for i := range a.staged {
		if s := &a.staged[i]; s.guess != 0 {
			sum += a.log.bytes(a.log.place(s.guess - 1))[0]
		}
	}
	return sum
}

// publish shows readers what is staged and returns how many bytes have come and
// how many have died.
func (a *Arena) publish() (bytes int) {
	a.touched += a.touch()
	a.mu.Lock()
	defer a.mu.Unlock()
	sets := 0
	for i := range a.staged {
		if s := &a.staged[i]; s.size > 0 {
			bytes += s.size + a.set(s)
			sets++
		} else {
			bytes += a.remove(s)
		}
	}
	a.meter.rows(sets, len(a.staged)-sets)
	clear(a.staged) // else a key would keep its chunk
	a.staged, a.gone = a.staged[:0], a.gone[:0]
	return bytes
}

func (a *Arena) set(s *staged) (died int) {
	id, ok := a.hash.find(s.tag, s.key)
	if ok {
		old := a.log.place(id)
		died = a.log.entry(old).size
		a.log.release(old, died)
	} else {
		id = a.log.newID()
		a.hash.insert(s.tag, id)
	}
	putID(a.log.bytes(s.place), id)
	a.log.setPlace(id, s.place)
	if !ok {
		a.order.insert(id, s.key)
	}
	return died
}

func (a *Arena) remove(s *staged) (died int) {
	id, ok := a.hash.find(s.tag, s.key)
	if !ok {
		return 0
	}
	a.order.remove(s.key)
	a.hash.remove(s.tag, id)
	old := a.log.place(id)
	died = a.log.entry(old).size
	a.log.release(old, died)
	a.log.freeID(id)
	return died
}

// text is b as a string that shares its bytes.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
