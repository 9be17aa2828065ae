package store_test

import (
	"bytes"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"billstream/internal/store"
)

var pebbleOrigin = store.Origin{Cluster: "cluster", Topic: "billing-table", TopicID: "id", Partitions: 4}

// small are options that make a database do in a test what takes long to come:
// flushes, compactions, blocks that are not in memory.
func small(fs vfs.FS) store.PebbleOptions {
	return store.PebbleOptions{CacheBytes: 256 << 10}.On(fs, 32<<10)
}

func openPebble(t fataler, opts store.PebbleOptions) *store.Pebble {
	t.Helper()
	p, err := store.OpenPebble("state", pebbleOrigin, opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newPartitions returns what gives a partition that is fresh, out of one
// database.
func newPartitions(t *testing.T) func() rowStore {
	o, n := pebbleOrigin, int32(-1)
	o.Partitions = math.MaxInt32
	p, err := store.OpenPebble("state", o, small(vfs.NewMem()))
	noError(t, err)
	t.Cleanup(func() { noError(t, p.Close()) })
	return func() rowStore {
		n++
		return partOf(t, p, n)
	}
}

type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func partOf(t fataler, p *store.Pebble, n int32) *store.PebblePartition {
	t.Helper()
	part, err := p.Partition(n)
	if err != nil {
		t.Fatal(err)
	}
	return part
}

// edits yields rows out of buffers that it writes over behind each.
func edits(changes []change) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, c := range changes {
			value := slices.Clone(c.value)
			if !yield(c.key, value) {
				return
			}
			for i := range value {
				value[i] = '!'
			}
		}
	}
}

// contents is a partition as a test may know it.
type contents struct {
	rows   map[string]string
	offset int64 // -1 is none
	fresh  int64 // 0 is never
}

func (r contents) with(offset int64, changes []change) contents {
	r.offset, r.rows = offset, maps.Clone(r.rows)
	for _, c := range changes {
		if c.value == nil {
			delete(r.rows, c.key)
		} else {
			r.rows[c.key] = string(c.value)
		}
	}
	return r
}

func (r contents) equal(o contents) bool {
	return r.offset == o.offset && r.fresh == o.fresh && maps.Equal(r.rows, o.rows)
}

// readPart returns all of a partition, by one walk.
func readPart(t fataler, p *store.PebblePartition) contents {
	t.Helper()
	r := contents{rows: map[string]string{}}
	last := ""
	err := p.Ascend("", func(k string, v []byte) bool {
		if len(r.rows) > 0 && k <= last || v == nil {
			t.Fatalf("row %q with value %v comes after %q", k, v, last)
		}
		last = k
		r.rows[k] = string(v)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.offset, err = p.GetOffset(-1); err != nil {
		t.Fatal(err)
	}
	if at := p.FreshAt(); !at.IsZero() {
		r.fresh = at.UnixMilli()
	}
	if p.Len() != len(r.rows) {
		t.Fatalf("partition says that it has %d rows, want %d", p.Len(), len(r.rows))
	}
	return r
}

var noRows = contents{rows: map[string]string{}, offset: -1}

// machine runs a database beside what it must be.
type machine struct {
	fs      *vfs.MemFS
	db      *store.Pebble
	past    map[int32][]contents // of each partition, the last is now
	flushed map[int32]int        // the latest of them that a crash must not lose
}

func (m *machine) now(n int32) contents { return m.past[n][len(m.past[n])-1] }

func (m *machine) flush() {
	for n := range m.past {
		m.flushed[n] = len(m.past[n]) - 1
	}
}

// crash cuts the power: what was not synced is lost or not.
func (m *machine) crash(t *rapid.T) {
	seed := rapid.Uint64().Draw(t, "seed")
	m.fs = m.fs.CrashClone(vfs.CrashCloneCfg{
		UnsyncedDataPercent: rapid.SampledFrom([]int{0, 50, 100}).Draw(t, "unsynced"),
		RNG:                 rand.New(rand.NewPCG(seed, seed)),
	})
	noError(t, m.db.Close())
	m.db = openPebble(t, small(m.fs))
	for n, past := range m.past {
		got := readPart(t, partOf(t, m.db, n))
		i := slices.IndexFunc(past[m.flushed[n]:], got.equal)
		if i < 0 {
			t.Fatalf("after a crash partition %d stands at %d with %d rows, which it never did", n, got.offset, len(got.rows))
		}
		m.past[n] = past[:m.flushed[n]+i+1]
	}
	m.flush()
}

var (
	anyPartition = rapid.Int32Range(0, pebbleOrigin.Partitions-1)
	anyKey       = rapid.StringMatching(`[a-c~\x00é]{0,3}`)
	anyChanges   = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) change {
		c := change{key: anyKey.Draw(t, "key")}
		if rapid.IntRange(0, 3).Draw(t, "kind") > 0 {
			times := rapid.SampledFrom([]int{0, 1, 1, 2, 6000}).Draw(t, "times") // the last fills what is to be flushed
			c.value = append([]byte{}, bytes.Repeat([]byte{rapid.Byte().Draw(t, "value")}, times)...)
		}
		return c
	}), 0, 8)
)

// TestADatabaseIsItsModelThroughCrashesAndRestarts tries all that can be done.
func TestADatabaseIsItsModelThroughCrashesAndRestarts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{fs: vfs.NewCrashableMem(), past: map[int32][]contents{}, flushed: map[int32]int{}}
		m.db = openPebble(t, small(m.fs))
		defer func() { noError(t, m.db.Close()) }()
		for n := range pebbleOrigin.Partitions {
			m.past[n] = []contents{noRows}
		}
		t.Repeat(map[string]func(*rapid.T){
			"apply": func(t *rapid.T) {
				n, changes := anyPartition.Draw(t, "partition"), anyChanges.Draw(t, "changes")
				offset := max(0, m.now(n).offset+int64(rapid.IntRange(-1, 3).Draw(t, "step")))
				noError(t, partOf(t, m.db, n).Apply(offset, edits(changes)))
				if offset > m.now(n).offset {
					m.past[n] = append(m.past[n], m.now(n).with(offset, changes))
				}
			},
			"fresh": func(t *rapid.T) {
				n, at := anyPartition.Draw(t, "partition"), rapid.Int64Range(1, 9).Draw(t, "at")
				noError(t, partOf(t, m.db, n).Fresh(time.UnixMilli(at)))
				next := m.now(n)
				next.fresh = at
				m.past[n] = append(m.past[n], next)
			},
			"get": func(t *rapid.T) {
				n, k := anyPartition.Draw(t, "partition"), anyKey.Draw(t, "key")
				v, err := partOf(t, m.db, n).Get(k)
				noError(t, err)
				if w, ok := m.now(n).rows[k]; string(v) != w || (v != nil) != ok {
					t.Fatalf("row %q is %q (nil: %t), want %q (there: %t)", k, v, v == nil, w, ok)
				}
			},
			"ascend": func(t *rapid.T) {
				n, from := anyPartition.Draw(t, "partition"), anyKey.Draw(t, "from")
				got, want := map[string]string{}, maps.Clone(m.now(n).rows)
				maps.DeleteFunc(want, func(k, _ string) bool { return k < from })
				noError(t, partOf(t, m.db, n).Ascend(from, func(k string, v []byte) bool { got[k] = string(v); return true }))
				if !maps.Equal(got, want) {
					t.Fatalf("walk from %q gives %.99v, want %.99v", from, got, want)
				}
			},
			"drop": func(t *rapid.T) {
				n := anyPartition.Draw(t, "partition")
				noError(t, m.db.Drop(n))
				m.past[n] = append(m.past[n], noRows)
				m.flush()
			},
			"flush":   func(t *rapid.T) { noError(t, m.db.Flush()); m.flush() },
			"compact": func(t *rapid.T) { noError(t, m.db.Compact()) },
			"crash":   m.crash,
			"": func(t *rapid.T) {
				for n := range m.past {
					if got := readPart(t, partOf(t, m.db, n)); !got.equal(m.now(n)) {
						t.Fatalf("partition %d is %.99v, want %.99v", n, got, m.now(n))
					}
				}
			},
		})
	})
}
