// Package store holds the rows of a table's partition for goka and for lookups.
package store

import (
	"bytes"
	"strings"
	"sync"

	"github.com/lovoo/goka/storage"
)

// Memory is a goka storage in memory: a fresh one is empty, and a changelog
// fills it. It is safe for any number of readers and writers. Keys and values
// are copied on their way in, and a value never changes once it is in, so what
// Get returns stays as it is; it must not be written to.
type Memory struct {
	mu     sync.RWMutex
	rows   map[string][]byte
	keys   index
	offset int64
	stored bool // offset was set
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{rows: map[string][]byte{}} }

// Open implements storage.Storage.
func (m *Memory) Open() error { return nil }

// Close implements storage.Storage. The rows stay readable for whoever still
// holds the store.
func (m *Memory) Close() error { return nil }

// MarkRecovered implements storage.Storage.
func (m *Memory) MarkRecovered() error { return nil }

// Has implements storage.Storage.
func (m *Memory) Has(key string) (bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, ok := m.rows[key]
	return ok, nil
}

// Get implements storage.Storage: nil if there is no row, and an empty slice
// for an empty one.
func (m *Memory) Get(key string) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.rows[key], nil
}

// Set implements storage.Storage. The key may alias a buffer of the caller's,
// and so may the value.
func (m *Memory) Set(key string, value []byte) error {
	own := append(make([]byte, 0, len(value)), value...)
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.rows[key]; !ok {
		key = strings.Clone(key)
		m.keys.insert(key)
	}
	m.rows[key] = own
	return nil
}

// Delete implements storage.Storage.
func (m *Memory) Delete(key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.rows[key]; ok {
		delete(m.rows, key)
		m.keys.remove(key)
	}
	return nil
}

// GetOffset implements storage.Storage.
func (m *Memory) GetOffset(def int64) (int64, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if !m.stored {
		return def, nil
	}
	return m.offset, nil
}

// SetOffset implements storage.Storage.
func (m *Memory) SetOffset(offset int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offset, m.stored = offset, true
	return nil
}

// Len returns how many rows there are.
func (m *Memory) Len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.rows)
}

// Ascend calls yield for every row whose key is from or greater, in the order
// of the bytes of the keys, until it returns false. Writes may go on meanwhile,
// also from within yield: a row that is there all the time comes exactly once,
// with a value that it had during the walk; one that comes or goes may be met
// or missed. yield is called without a lock.
func (m *Memory) Ascend(from string, yield func(key string, value []byte) bool) {
	var rows []row
	for {
		var more bool
		rows, more = m.page(rows[:0], from)
		for _, r := range rows {
			if !yield(r.key, r.value) {
				return
			}
		}
		if !more {
			return
		}
		from = rows[len(rows)-1].key + "\x00" // the least key behind it
	}
}

type row struct {
	key   string
	value []byte
}

// pageRows bounds how long a walk holds the lock.
const pageRows = 128

// page appends the next rows at or behind from; more reports whether there may
// be others.
func (m *Memory) page(rows []row, from string) (page []row, more bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	keys, more := m.keys.from(from)
	if len(keys) > pageRows {
		keys, more = keys[:pageRows], true
	}
	for _, k := range keys {
		rows = append(rows, row{key: k, value: m.rows[k]})
	}
	return rows, more
}

// Iterator implements storage.Storage. It walks like Ascend.
func (m *Memory) Iterator() (storage.Iterator, error) { return m.IteratorWithRange(nil, nil) }

// IteratorWithRange implements storage.Storage. A nil or empty limit is an open
// end.
func (m *Memory) IteratorWithRange(start, limit []byte) (storage.Iterator, error) {
	it := &iterator{store: m, limit: bytes.Clone(limit)}
	it.restart(string(start))
	it.first = string(start)
	return it, nil
}

// iterator is goka's view of Ascend.
type iterator struct {
	store *Memory
	first string // where the range begins
	limit []byte
	rows  []row
	at    int // -1 before the first
	more  bool
}

func (it *iterator) restart(from string) {
	it.rows, it.more = it.store.page(nil, from)
	it.at = -1
}

// Next implements storage.Iterator.
func (it *iterator) Next() bool {
	if it.at+1 >= len(it.rows) && it.more {
		it.restart(it.rows[len(it.rows)-1].key + "\x00")
	}
	if it.at+1 >= len(it.rows) {
		it.at = len(it.rows)
		return false
	}
	it.at++
	if len(it.limit) > 0 && it.rows[it.at].key >= string(it.limit) {
		it.rows, it.more, it.at = nil, false, 0
		return false
	}
	return true
}

// valid reports whether the iterator stands on a row.
func (it *iterator) valid() bool { return it.at >= 0 && it.at < len(it.rows) }

// Key implements storage.Iterator; nil beside a row.
func (it *iterator) Key() []byte {
	if !it.valid() {
		return nil
	}
	return []byte(it.rows[it.at].key)
}

// Value implements storage.Iterator; nil beside a row.
func (it *iterator) Value() ([]byte, error) {
	if !it.valid() {
		return nil, nil
	}
	return it.rows[it.at].value, nil
}

// Seek implements storage.Iterator. Next must be called before the first row.
func (it *iterator) Seek(key []byte) bool {
	it.restart(max(string(key), it.first))
	if len(it.rows) == 0 {
		return false
	}
	return len(it.limit) == 0 || it.rows[0].key < string(it.limit)
}

// Err implements storage.Iterator.
func (it *iterator) Err() error { return nil }

// Release implements storage.Iterator.
func (it *iterator) Release() { it.rows, it.more, it.at = nil, false, 0 }
