package store

import (
	"hash/maphash"
	"sync"
	"time"
)

// Arena keeps the rows of a partition in memory that the garbage collector does
// not look into. One writer at a time and any number of readers may use it; a
// fresh one is empty.
//
//	key ──hash──> row id ──places──> chunk, offset ──> id, lengths, key, value
//	                 ^
//	order: the ids, sorted by key, in nodes
//
// Rows are appended to chunks. What is written never changes, so that readers
// get the bytes themselves and no copy: a chunk that is given up lives on for
// as long as somebody holds a part of it. An update leaves its former row dead;
// when too much of the chunks is, the rows that live are moved out of the worst
// of them, a few after each batch (see reclaim). An id stays with its row when
// the row moves, so neither the hash nor the order hears of it.
type Arena struct {
	limits limits
	seed   maphash.Seed
	meter  meter

	writer sync.Mutex // held by Apply; what mu guards is changed by its holder alone
	staged []staged   // written, and not seen by readers yet
	gone   []byte     // keys of the deletes among them
	warm   tail       // where new rows go
	cold   tail       // where moved rows go: they are likely to stay
	moved  []move
	// touched keeps the compiler from leaving out what touch reads.
	touched byte

	mu     sync.RWMutex
	log    rowLog
	hash   hashIndex
	order  order
	offset int64
	stored bool // offset was set
}

// limits are the sizes that an arena is built of; tests take small ones.
type limits struct {
	rows  int    // how many rows there may be
	chunk int    // bytes of a full-sized chunk
	slots int    // of a hash segment before it splits
	node  int    // ids of a node of the order, nodeRows at most
	hash  uint64 // bits of the hash that are used
}

// standard are the sizes outside of tests. Chunks of 256 KiB keep what the two
// open ones of each of 64 partitions waste small.
var standard = limits{rows: 1<<32 - 1<<10, chunk: 256 << 10, slots: 2048, node: nodeRows, hash: 1<<64 - 1}

// NewArena returns an empty store. What it allocates grows with its rows, from
// about 20 KiB.
func NewArena() *Arena { return newArena(standard) }

// NewArena returns an empty store that m counts.
func (m *Metrics) NewArena() *Arena {
	a := NewArena()
	a.meter = m.meter()
	return a
}

func newArena(l limits) *Arena {
	a := &Arena{limits: l, seed: maphash.MakeSeed()}
	a.log = rowLog{maxChunk: l.chunk, victim: none}
	a.hash = newHashIndex(&a.log, l.slots)
	a.order = order{log: &a.log, limit: l.node}
	return a
}

// tag is the part of a key's hash that the hash index works with. The seed is
// the store's own, so nobody can choose keys that collide.
func (a *Arena) tag(key string) uint32 {
	return uint32((maphash.String(a.seed, key) & a.limits.hash) >> 32)
}

// Get returns the row of key: nil if there is none, an empty slice for an empty
// row. It stays as it is for as long as the caller holds it, and must not be
// written to. The error is always nil.
func (a *Arena) Get(key string) ([]byte, error) {
	if !a.meter.get() {
		return a.find(key), nil
	}
	began := time.Now()
	value := a.find(key)
	a.meter.got(began, nil)
	return value, nil
}

func (a *Arena) find(key string) []byte {
	tag := a.tag(key)
	a.mu.RLock()
	defer a.mu.RUnlock()
	if id, ok := a.hash.find(tag, key); ok {
		return a.log.entry(a.log.place(id)).value
	}
	return nil
}

// GetOffset returns the offset of the last batch that Apply took, def before
// the first. The error is always nil.
func (a *Arena) GetOffset(def int64) (int64, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if !a.stored {
		return def, nil
	}
	return a.offset, nil
}

// Len returns how many rows there are.
func (a *Arena) Len() int {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.hash.rows
}

// Size returns what the store has allocated: chunks, also what is dead or not
// yet used of them, and indexes, which do not shrink. Chunks that were given up
// do not count, even if a reader still holds a row in one, and neither do the
// buffers of Apply, which are some 40 KiB.
func (a *Arena) Size() Size {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return Size{Memory: a.log.size() + a.hash.size() + a.order.size()}
}

// Close does nothing: the rows stay readable for whoever still holds the store,
// and go with it. The error is always nil.
func (a *Arena) Close() error { return nil }

// Ascend calls yield for every row whose key is from or greater, in the order
// of the bytes of the keys, until it returns false. Writes may go on meanwhile,
// also from within yield: a row that is there all the time comes exactly once,
// with a value that it had during the walk; one that comes or goes may be met
// or missed. yield is called without a lock; key and value stay as they are for
// as long as it keeps them. The error is always nil.
func (a *Arena) Ascend(from string, yield func(key string, value []byte) bool) error {
	defer a.meter.ended(opScan, a.meter.began(), nil)
	a.walk(from, yield)
	return nil
}

func (a *Arena) walk(from string, yield func(key string, value []byte) bool) {
	rows := make([]entry, 0, arenaPage)
	for after, more := false, true; more; after = true {
		rows, more = a.page(rows[:0], from, after)
		for _, r := range rows {
			if !yield(r.key, r.value) {
				return
			}
		}
		if more {
			from = rows[len(rows)-1].key
		}
	}
}

// arenaPage is how many rows a walk reads at a time: it bounds how long a walk
// keeps the writer waiting.
const arenaPage = 128

// page appends the next rows: those at or behind from, or only those behind it.
// more reports whether there may be others. To know all places first lets the
// processor wait for several rows at once.
func (a *Arena) page(rows []entry, from string, after bool) (page []entry, more bool) {
	var places [arenaPage]uint64
	n := 0
	a.mu.RLock()
	defer a.mu.RUnlock()
	for id := range a.order.ascend(from) {
		places[n] = a.log.place(id)
		if n++; n == len(places) {
			break
		}
	}
	for _, p := range places[:n] {
		if r := a.log.entry(p); !after || r.key != from {
			rows = append(rows, r)
		}
	}
	return rows, n == len(places)
}
