package store_test

import (
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"billstream/internal/store"
)

// flat is a source that costs next to nothing.
type flat struct {
	keys  []string
	value []byte
}

func newFlat(n int) flat {
	s := flat{value: make([]byte, 135)} // and 15 of key
	for i := range n {
		s.keys = append(s.keys, fmt.Sprintf("cust-%010d", i))
	}
	return s
}

func (s flat) GetOffset(int64) (int64, error) { return 1, nil }

func (s flat) Ascend(_ string, yield func(string, []byte) bool) error {
	for _, k := range s.keys {
		if !yield(k, s.value) {
			break
		}
	}
	return nil
}

func BenchmarkSnapshotWrite(b *testing.B) {
	s := newFlat(benchRows)
	b.ReportAllocs()
	start := cpu(b)
	for b.Loop() {
		noError(b, store.WriteSnapshotTo(b.Context(), io.Discard, s))
	}
	perRow(b, start, benchRows)
}

func BenchmarkSnapshotWriteToDisk(b *testing.B) {
	s, dir := newFlat(benchRows), b.TempDir()
	start := cpu(b)
	for b.Loop() {
		writeSnap(b, dir, s)
	}
	perRow(b, start, benchRows)
}

func BenchmarkSnapshotWriteArena(b *testing.B) {
	l, dir := newLoad(benchRows, 1).fill(b), b.TempDir()
	start := cpu(b)
	for b.Loop() {
		writeSnap(b, dir, l.stores[0])
	}
	perRow(b, start, benchRows)
}

func BenchmarkSnapshotRead(b *testing.B) {
	dir := b.TempDir()
	snap := writeSnap(b, dir, newFlat(benchRows))
	name := filepath.Join(dir, store.SnapshotName(snap.Topic, snap.Partition))
	b.ReportAllocs()
	start := cpu(b)
	for b.Loop() {
		_, err := store.ReadSnapshot(name, nil)
		noError(b, err)
	}
	perRow(b, start, benchRows)
}

func BenchmarkSnapshotLoad(b *testing.B) {
	dir := b.TempDir()
	writeSnap(b, dir, newFlat(benchRows))
	start := cpu(b)
	for b.Loop() {
		_, _, err := loadSnap(dir)
		noError(b, err)
	}
	perRow(b, start, benchRows)
}
