package store_test

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"billstream/internal/store"
)

// rowStore is what the stores of a partition have in common.
type rowStore interface {
	Get(key string) ([]byte, error)
	GetOffset(def int64) (int64, error)
	Apply(offset int64, rows iter.Seq2[string, []byte]) error
	Ascend(from string, yield func(key string, value []byte) bool) error
	Len() int
	Size() store.Size
	Close() error
}

// rowKinds are all of them: each makes fresh and empty stores for a test.
var rowKinds = map[string]func(t *testing.T) func() rowStore{
	"arena": func(*testing.T) func() rowStore {
		return func() rowStore { return store.NewArena() }
	},
	"tiny arena": func(*testing.T) func() rowStore {
		return func() rowStore { return store.NewTinyArena(64) }
	},
	"arena with collisions": func(*testing.T) func() rowStore {
		return func() rowStore { return store.NewTinyArena(8) }
	},
	"pebble": newPartitions,
}

// forEach runs f once per kind; open returns a fresh store.
func forEach(t *testing.T, f func(t *testing.T, open func() rowStore)) {
	t.Helper()
	for name, kind := range rowKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, kind(t))
		})
	}
}

func noError(t interface{ Fatal(...any) }, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// recounter is a store that can be checked from inside.
type recounter interface{ Recount() (store.Size, error) }

// sound checks a store from inside, if it can be.
func sound(t interface {
	Fatal(...any)
	Fatalf(string, ...any)
}, s rowStore,
) {
	r, ok := s.(recounter)
	if !ok {
		return
	}
	want, err := r.Recount()
	noError(t, err)
	if got := s.Size(); got != want {
		t.Fatalf("size is %+v, want %+v", got, want)
	}
}

func TestAStoreIsAMapWithAnOffset(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, open func() rowStore) {
		rapid.Check(t, func(t *rapid.T) { compare(t, open()) })
	})
}

// compare changes and reads a store at random, beside a map.
func compare(t *rapid.T, s rowStore) {
	m := &model{s: s, rows: map[string]string{}, at: -1}
	defer s.Close()
	t.Repeat(map[string]func(*rapid.T){
		"apply":     m.apply,
		"fill":      m.fill,
		"empty":     m.empty,
		"old":       m.old,
		"get":       m.get,
		"ascend":    m.ascend,
		"all":       m.all,
		"keep some": m.keep,
		"":          m.counts,
	})
}

// model is a store and what must be in it.
type model struct {
	s    rowStore
	rows map[string]string
	at   int64 // offset of the last batch
	kept []kept
}

// kept is a row that a reader holds on to.
type kept struct {
	row  []byte
	want string
}

// keys are of three sorts: few and short, with what is special about bytes; many
// that begin alike, as customers do; and some that are long.
var keys = rapid.OneOf(
	rapid.StringMatching(`[a-c~\x00é]{0,3}`),
	rapid.Map(rapid.IntRange(0, 400), func(n int) string { return fmt.Sprintf("customer-%05d", n) }),
	rapid.Map(rapid.IntRange(1, 300), func(n int) string { return string(bytes.Repeat([]byte("k"), n)) }),
)

var values = rapid.OneOf(
	rapid.Just[[]byte](nil),
	rapid.SliceOfN(rapid.Byte(), 0, 20),
	rapid.Map(rapid.IntRange(0, 700), func(n int) []byte { return bytes.Repeat([]byte("v"), n) }),
)

type change struct {
	key   string
	value []byte
}

// commit applies changes in buffers that are used again for each.
func (m *model) commit(t *rapid.T, changes []change) {
	m.at += int64(rapid.IntRange(1, 3).Draw(t, "ahead"))
	var key, value []byte
	noError(t, m.s.Apply(m.at, func(yield func(string, []byte) bool) {
		for _, c := range changes {
			key = append(key[:0], c.key...)
			k := unsafe.String(unsafe.SliceData(key), len(key))
			if value = append(value[:0], c.value...); c.value == nil {
				value = nil
			} else if value == nil {
				value = []byte{}
			}
			if !yield(k, value) {
				t.Fatal("the store does not take the whole batch")
			}
			for i := range key {
				key[i] = '!'
			}
			for i := range value {
				value[i] = '!'
			}
		}
	}))
	for _, c := range changes {
		if m.rows[c.key] = string(c.value); c.value == nil {
			delete(m.rows, c.key)
		}
	}
}

func (m *model) apply(t *rapid.T) {
	var changes []change
	for range rapid.IntRange(0, 60).Draw(t, "changes") {
		changes = append(changes, change{keys.Draw(t, "key"), values.Draw(t, "value")})
	}
	m.commit(t, changes)
}

// fill adds rows in ascending, descending or mixed order.
func (m *model) fill(t *rapid.T) {
	n, step := rapid.IntRange(1, 250).Draw(t, "rows"), rapid.SampledFrom([]int{1, -1, 619}).Draw(t, "step")
	value := rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "value")
	var changes []change
	for i := range n {
		changes = append(changes, change{fmt.Sprintf("fill-%07d", (i*step%n+n)%n), append([]byte{}, value...)})
	}
	m.commit(t, changes)
}

// empty deletes most rows.
func (m *model) empty(t *rapid.T) {
	var changes []change
	left := rapid.IntRange(1, 9).Draw(t, "left")
	for i, k := range slices.Sorted(maps.Keys(m.rows)) {
		if i%10 >= left {
			changes = append(changes, change{k, nil})
		}
	}
	m.commit(t, changes)
}

// old applies a batch that the store has already.
func (m *model) old(t *rapid.T) {
	if m.at < 0 {
		return
	}
	noError(t, m.s.Apply(rapid.Int64Range(-2, m.at).Draw(t, "old"), func(yield func(string, []byte) bool) {
		yield("a", []byte("of old"))
	}))
}

func (m *model) get(t *rapid.T) { m.row(t, keys.Draw(t, "key")) }

func (m *model) row(t *rapid.T, key string) []byte {
	v, err := m.s.Get(key)
	noError(t, err)
	if want, ok := m.rows[key]; string(v) != want || (v == nil) == ok {
		t.Fatalf("row %q is %q (nil: %t), want %q (there: %t)", key, v, v == nil, want, ok)
	}
	return v
}

// keep holds on to rows, to be looked at after every step.
func (m *model) keep(t *rapid.T) {
	for k := range m.rows {
		m.kept = append(m.kept, kept{m.row(t, k), m.rows[k]})
		if len(m.kept)%20 == 0 {
			return
		}
	}
}

func (m *model) ascend(t *rapid.T) { m.walk(t, keys.Draw(t, "from")) }

func (m *model) walk(t *rapid.T, from string) {
	var want, got []string
	for _, k := range slices.Sorted(maps.Keys(m.rows)) {
		if k >= from {
			want = append(want, k, m.rows[k])
		}
	}
	noError(t, m.s.Ascend(from, func(k string, v []byte) bool {
		got = append(got, k, string(v))
		return true
	}))
	if !slices.Equal(got, want) {
		t.Fatalf("walk from %q meets %q, want %q", from, got, want)
	}
}

func (m *model) counts(t *rapid.T) {
	if n := m.s.Len(); n != len(m.rows) {
		t.Fatalf("store has %d rows, want %d", n, len(m.rows))
	}
	if at, err := m.s.GetOffset(-1); err != nil || at != m.at {
		t.Fatalf("offset is %d, %v, want %d", at, err, m.at)
	}
	sound(t, m.s)
}

func (m *model) all(t *rapid.T) {
	for k := range m.rows {
		m.row(t, k)
	}
	m.walk(t, "")
	for _, k := range m.kept {
		if string(k.row) != k.want {
			t.Fatalf("row changed to %q under its reader, want %q", k.row, k.want)
		}
	}
}
