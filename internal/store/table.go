package store

import (
	"fmt"
	"sync/atomic"

	"github.com/lovoo/goka/storage"
)

// Table finds the store of a partition for readers beside goka. goka asks for a
// new store whenever it begins to recover a partition, and never says which one
// it uses; whether a store is complete is for others to know.
type Table struct {
	topic string
	parts []atomic.Pointer[Memory]
}

// NewTable returns a table of n partitions without rows. topic is its changelog.
func NewTable(topic string, n int32) *Table {
	t := &Table{topic: topic, parts: make([]atomic.Pointer[Memory], n)}
	for i := range t.parts {
		t.parts[i].Store(NewMemory())
	}
	return t
}

// Build implements storage.Builder. The new and empty store takes the place of
// the partition's former one at once.
func (t *Table) Build(topic string, partition int32) (storage.Storage, error) {
	if topic != t.topic {
		return nil, fmt.Errorf("topic is %s, want %s", topic, t.topic)
	}
	if partition < 0 || int(partition) >= len(t.parts) {
		return nil, fmt.Errorf("partition of %s is %d, want 0 to %d", t.topic, partition, len(t.parts)-1)
	}
	m := NewMemory()
	t.parts[partition].Store(m)
	return m, nil
}

// Partition returns the store of a partition, 0 to Partitions()-1.
func (t *Table) Partition(n int32) *Memory { return t.parts[n].Load() }

// Partitions returns how many partitions there are.
func (t *Table) Partitions() int32 { return int32(len(t.parts)) }
