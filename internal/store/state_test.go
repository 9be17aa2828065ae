package store_test

import (
	"fmt"
	"maps"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"billstream/internal/store"
)

func TestAStateAnswersLikeAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, want := store.NewState(), map[string]string{}
		if at, err := s.GetOffset(-7); err != nil || at != -7 {
			t.Fatalf("offset of an empty state is %d, %v, want the default", at, err)
		}
		for range rapid.IntRange(1, 5).Draw(t, "batches") {
			rows := rapid.SliceOfN(rapid.StringMatching(`[a-c~é]{0,2}`), 0, 200).Draw(t, "keys")
			offset := rapid.Int64().Draw(t, "offset")
			must(t, s.Apply(offset, func(yield func(string, []byte) bool) {
				for _, k := range rows {
					v := rapid.SampledFrom([][]byte{nil, {}, []byte("v"), []byte("w")}).Draw(t, "value")
					if want[k] = string(v); v == nil {
						delete(want, k)
					}
					yield(k, v)
				}
			}))
			if at, err := s.GetOffset(-7); err != nil || at != offset {
				t.Fatalf("offset is %d, %v, want %d", at, err, offset)
			}
			for _, k := range append(rows, "other") {
				v, err := s.Get(k)
				if w, ok := want[k]; err != nil || string(v) != w || (v == nil) == ok {
					t.Fatalf("row %q is %q, %v, want %q (there: %t)", k, v, err, w, ok)
				}
			}
			if s.Len() != len(want) {
				t.Fatalf("state has %d rows, want %d", s.Len(), len(want))
			}
		}
	})
}

// A reader that knows the offset knows that its batch is there.
func TestTheOffsetOfAStateComesLast(t *testing.T) {
	t.Parallel()
	s := store.NewState()
	const batches, size = 2000, 100
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range batches {
			s.Apply(int64(n), maps.All(batch(n, size)))
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		at, _ := s.GetOffset(-1)
		for i := range size {
			if v, _ := s.Get(fmt.Sprint(i)); at >= 0 && number(t, v) < at {
				t.Fatalf("row %d is of batch %s at offset %d, want that batch or a later one", i, v, at)
			}
		}
	}
}

func batch(n, size int) map[string][]byte {
	rows := map[string][]byte{}
	for i := range size {
		rows[fmt.Sprint(i)] = strconv.AppendInt(nil, int64(n), 10)
	}
	return rows
}

func number(t *testing.T, v []byte) int64 {
	t.Helper()
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
