package store_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"billstream/internal/store"
)

// TestAnArenaOfFullSizeHoldsWhatItShould is the model check with chunks,
// segments and nodes as they are outside of tests.
func TestAnArenaOfFullSizeHoldsWhatItShould(t *testing.T) {
	t.Parallel()
	const rows = 20_000
	a, r := store.NewArena(), rand.New(rand.NewPCG(1, 2))
	want := map[string]string{}
	change := func() (string, []byte) {
		i := r.IntN(rows)
		k := fmt.Sprintf("cust-%010d", i*(1+i%3))
		if r.IntN(5) == 0 {
			delete(want, k)
			return k, nil
		}
		v := bytes.Repeat([]byte{byte(i)}, r.IntN(300))
		want[k] = string(v)
		return k, v
	}
	for offset := range int64(16) {
		noError(t, a.Apply(offset, many(5000, func(int) (string, []byte) { return change() })))
	}
	sound(t, a)
	n := 0
	noError(t, a.Ascend("", func(k string, v []byte) bool {
		if w, ok := want[k]; !ok || string(v) != w {
			t.Fatalf("row %s is of %d bytes, want %d (there: %t)", k, len(v), len(w), ok)
		}
		if got, err := a.Get(k); err != nil || string(got) != want[k] {
			t.Fatalf("row %s is of %d bytes when looked up, %v, want %d", k, len(got), err, len(want[k]))
		}
		n++
		return true
	}))
	if n != len(want) {
		t.Errorf("walk meets %d rows, want %d", n, len(want))
	}
	if segments, nodes, chunks := a.Shape(); segments < 8 || nodes < 30 || chunks < 10 {
		t.Errorf("store is of %d segments, %d nodes and %d chunks, want more of each", segments, nodes, chunks)
	}
}

func TestAnArenaKeepsWithinItsMemoryUnderUpdates(t *testing.T) {
	t.Parallel()
	const rows, row = 20_000, 15 + 440
	a, r := store.NewArena(), rand.New(rand.NewPCG(5, 6))
	value := make([]byte, 440)
	key := func(i int) string { return fmt.Sprintf("cust-%010d", i) }
	noError(t, a.Apply(0, many(rows, func(i int) (string, []byte) { return key(i * 7919 % rows), value })))
	most := 0.0
	for offset := range int64(100) {
		noError(t, a.Apply(offset+1, many(3*rows/100, func(int) (string, []byte) { return key(r.IntN(rows)), value })))
		most = max(most, float64(a.Size().Memory)/(rows*row))
	}
	if most > 1.32 { // two half-full chunks of 256 KiB are 0.03 of so few rows
		t.Errorf("store takes %.3f times the bytes of its rows, want 1.32 at most", most)
	}
	sound(t, a)
	noError(t, a.Apply(1000, many(rows, func(i int) (string, []byte) { return key(i), nil })))
	if segments, nodes, chunks := a.Shape(); a.Len() != 0 || nodes != 1 || chunks > 2 {
		t.Errorf("emptied store has %d rows in %d segments, %d nodes and %d chunks, want 1 node and the open chunks", a.Len(), segments, nodes, chunks)
	}
	sound(t, a)
}

func TestASmallArenaIsSmall(t *testing.T) {
	t.Parallel()
	a := store.NewArena()
	noError(t, a.Apply(1, many(10, func(i int) (string, []byte) { return fmt.Sprint(i), make([]byte, 440) })))
	if size := a.Size(); size.Memory > 24<<10 || size.Disk != 0 {
		t.Errorf("size of ten rows is %+v, want 24 KiB of memory at most", size)
	}
}

func TestABigRowGoesWithoutATrace(t *testing.T) {
	t.Parallel()
	a := store.NewArena()
	noError(t, a.Apply(1, one("small", []byte("s"))))
	before := a.Size().Memory
	big := bytes.Repeat([]byte("big"), 5<<20)
	noError(t, a.Apply(2, one("big", big)))
	held, err := a.Get("big")
	noError(t, err)
	if grown := a.Size().Memory - before; !bytes.Equal(held, big) || grown < 15<<20 || grown > 16<<20 {
		t.Errorf("row of 15 MiB is one of %d bytes and takes %d", len(held), grown)
	}
	noError(t, a.Apply(3, one("big", []byte("b"))))
	if grown := a.Size().Memory - before; grown > 4<<10 {
		t.Errorf("without its big row the store has grown by %d bytes, want next to nothing", grown)
	}
	if !bytes.Equal(held, big) {
		t.Error("the row changed under its reader")
	}
	sound(t, a)
}

func TestAReaderCannotReachIntoTheNextRow(t *testing.T) {
	t.Parallel()
	a := store.NewArena()
	noError(t, a.Apply(1, many(2, func(i int) (string, []byte) { return fmt.Sprint(i), []byte("value") })))
	v, err := a.Get("0")
	noError(t, err)
	_ = append(v, "over and over and over"...)
	if next, err := a.Get("1"); err != nil || string(next) != "value" {
		t.Errorf("next row is %q, %v, want value", next, err)
	}
}

// TestKeysCannotBeChosenToCollide has keys that are alike to most hashes that
// take no seed, and to those of other stores.
func TestKeysCannotBeChosenToCollide(t *testing.T) {
	t.Parallel()
	const rows = 100_000
	for _, key := range []func(i int) string{
		func(i int) string { return strings.Repeat("\x00", i%300) + fmt.Sprint(i/300) },
		func(i int) string { return fmt.Sprintf("%032b", uint32(i)<<15) },
		func(i int) string { // Aa and BB are alike to a sum with the factor 31
			var k []byte
			for bit := range 17 {
				k = append(k, []string{"Aa", "BB"}[i>>bit&1]...)
			}
			return string(k)
		},
	} {
		a := store.NewArena()
		noError(t, a.Apply(1, many(rows, func(i int) (string, []byte) { return key(i), []byte("v") })))
		if n, longest := a.Len(), a.LongestProbe(); n != rows || longest > 400 {
			t.Errorf("longest search of %d rows like %q goes over %d slots, want %d rows and 400 slots at most", n, key(0), longest, rows)
		}
	}
}

func TestKeysThatAllCollideAreStillFound(t *testing.T) {
	t.Parallel()
	const rows = 300
	a := store.NewTinyArena(0)
	row := func(i int) (string, []byte) { return fmt.Sprint(i), []byte(fmt.Sprint("row ", i)) }
	noError(t, a.Apply(1, many(rows, row)))
	noError(t, a.Apply(2, many(rows/3, func(i int) (string, []byte) { return fmt.Sprint(3 * i), nil })))
	noError(t, a.Apply(3, many(rows/6, func(i int) (string, []byte) { return row(6 * i) })))
	for i := range rows {
		key, want := row(i)
		if i%3 == 0 && i%6 != 0 {
			want = nil
		}
		if v, err := a.Get(key); err != nil || !bytes.Equal(v, want) || (v == nil) != (want == nil) {
			t.Errorf("row %s is %q, %v, want %q", key, v, err, want)
		}
	}
	sound(t, a)
}

func TestABatchThatBreaksOffIsForgotten(t *testing.T) {
	t.Parallel()
	a := store.NewTinyArena(64)
	noError(t, a.Apply(1, many(50, func(i int) (string, []byte) { return fmt.Sprint(i), []byte("before") })))
	func() {
		defer func() { recover() }()
		a.Apply(2, many(100, func(i int) (string, []byte) {
			if i == 60 {
				panic("the source is gone")
			}
			return fmt.Sprint(i), []byte("in between")
		}))
	}()
	if at, err := a.GetOffset(0); err != nil || at != 1 {
		t.Errorf("offset is %d, %v, want 1", at, err)
	}
	noError(t, a.Apply(2, one("0", []byte("after"))))
	for key, want := range map[string]string{"0": "after", "1": "before", "55": ""} {
		if v, err := a.Get(key); err != nil || string(v) != want {
			t.Errorf("row %s is %q, %v, want %q", key, v, err, want)
		}
	}
	sound(t, a)
}

func TestAFullArenaSaysSo(t *testing.T) {
	t.Parallel()
	a := store.NewArenaOf(3)
	row := func(i int) (string, []byte) { return fmt.Sprint(i), []byte("v") }
	noError(t, a.Apply(1, many(3, row)))
	noError(t, a.Apply(2, many(3, row)))
	const want = "rows of a partition are more than 3, want no more"
	if err := a.Apply(3, many(4, row)); err == nil || err.Error() != want {
		t.Errorf("a fourth row gets %v, want %s", err, want)
	}
	noError(t, a.Apply(4, one("1", nil)))
	noError(t, a.Apply(5, one("3", []byte("v"))))
	sound(t, a)
}

func TestReadingAllocatesNothing(t *testing.T) {
	a := store.NewArena()
	noError(t, a.Apply(1, many(1000, func(i int) (string, []byte) { return fmt.Sprint(i), []byte("v") })))
	if n := testing.AllocsPerRun(100, func() { a.Get("500") }); n != 0 {
		t.Errorf("Get allocates %v times, want never", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		a.Ascend("", func(string, []byte) bool { return true })
	}); n != 0 {
		t.Errorf("a walk over 1000 rows allocates %v times, want never", n)
	}
}

// TestABatchAllocatesChunksAlone counts what a batch of updates allocates once
// the store's own buffers have grown: 230 KiB of rows and as many again that are
// moved some two or three times, in chunks of 256 KiB.
func TestABatchAllocatesChunksAlone(t *testing.T) {
	const rows = 40_000
	a := store.NewArena()
	keys := make([]string, rows)
	for i := range keys {
		keys[i] = fmt.Sprint(i)
	}
	value := make([]byte, 440)
	noError(t, a.Apply(0, many(rows, func(i int) (string, []byte) { return keys[i], value })))
	offset := int64(0)
	apply := func() {
		offset++
		a.Apply(offset, func(yield func(string, []byte) bool) {
			for i := range int64(512) {
				yield(keys[(offset*512+i)*7919%rows], value)
			}
		})
	}
	for range 200 {
		apply()
	}
	if n := testing.AllocsPerRun(200, apply); n > 6 {
		t.Errorf("a batch of 512 updates allocates %v times, want 6 at most", n)
	}
}
