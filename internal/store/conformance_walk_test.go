package store_test

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// one is a batch of one row.
func one(key string, value []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) { yield(key, value) }
}

// many is a batch of n rows, of which f tells the i-th.
func many(n int, f func(i int) (string, []byte)) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for i := range n {
			if !yield(f(i)) {
				return
			}
		}
	}
}

func TestAStoreTakesOnlyWhatIsNewer(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, open func() rowStore) {
		s := open()
		if at, err := s.GetOffset(-3); err != nil || at != -3 {
			t.Errorf("offset of an empty store is %d, %v, want -3", at, err)
		}
		for _, c := range []struct {
			offset   int64
			row      string
			wantAt   int64
			wantRow  string
			wantRows int
		}{
			{-2, "first", -2, "first", 1},
			{-2, "again", -2, "first", 1},
			{0, "second", 0, "second", 1},
			{-1, "late", 0, "second", 1},
			{7, "third", 7, "third", 1},
		} {
			noError(t, s.Apply(c.offset, one("k", []byte(c.row))))
			at, err := s.GetOffset(-3)
			noError(t, err)
			v, err := s.Get("k")
			noError(t, err)
			if at != c.wantAt || string(v) != c.wantRow || s.Len() != c.wantRows {
				t.Errorf("after a batch of offset %d the store is at %d with row %s, want %d and %s", c.offset, at, v, c.wantAt, c.wantRow)
			}
		}
		noError(t, s.Apply(8, func(func(string, []byte) bool) {}))
		if at, err := s.GetOffset(-3); err != nil || at != 8 {
			t.Errorf("after an empty batch the offset is %d, %v, want 8", at, err)
		}
		noError(t, s.Close())
	})
}

func TestTheLastOfSeveralChangesOfARowCounts(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, open func() rowStore) {
		s := open()
		values := [][]byte{[]byte("a"), nil, []byte("b"), {}, []byte("c"), nil, nil, []byte("last")}
		noError(t, s.Apply(1, many(len(values), func(i int) (string, []byte) { return "k", values[i] })))
		if v, err := s.Get("k"); err != nil || string(v) != "last" || s.Len() != 1 {
			t.Errorf("row is %q, %v, of %d, want last, of 1", v, err, s.Len())
		}
		sound(t, s)
	})
}

func TestABatchMayReadTheStoreThatItChanges(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, open func() rowStore) {
		s := open()
		noError(t, s.Apply(1, one("k", []byte("1"))))
		noError(t, s.Apply(2, func(yield func(string, []byte) bool) {
			v, err := s.Get("k")
			noError(t, err)
			yield("l", append([]byte("after "), v...))
		}))
		if v, err := s.Get("l"); err != nil || string(v) != "after 1" {
			t.Errorf("row is %q, %v, want after 1", v, err)
		}
	})
}

// TestALastingRowIsMetOnceWhileOthersComeAndGo writes into the store from within
// the walk.
func TestALastingRowIsMetOnceWhileOthersComeAndGo(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, open func() rowStore) {
		s := open()
		const lasting = 1000
		name := func(i int) string { return fmt.Sprintf("%05d", i) }
		noError(t, s.Apply(1, many(lasting, func(i int) (string, []byte) { return name(2 * i), []byte("v") })))
		var got, want []string
		for i := range lasting {
			want = append(want, name(2*i))
		}
		last, n := "", 0
		noError(t, s.Ascend("", func(k string, v []byte) bool {
			if k <= last {
				t.Fatalf("key %s comes after %s", k, last)
			}
			last = k
			if i, _ := strconv.Atoi(k); i%2 == 0 {
				got = append(got, k)
				if string(v) != "v" && string(v) != "w" {
					t.Fatalf("row %s is %q, want v or w", k, v)
				}
			}
			n++
			noError(t, s.Apply(int64(n+1), many(3, func(i int) (string, []byte) {
				switch i {
				case 0: // odd rows come and go
					return name((n*7919)%(2*lasting) | 1), []byte("new")
				case 1:
					return name((n*104729)%(2*lasting) | 1), nil
				default:
					return name(2 * ((n * 7907) % lasting)), []byte("w")
				}
			})))
			return true
		}))
		if !slices.Equal(got, want) {
			t.Errorf("walk met %d lasting rows, want each of %d once", len(got), lasting)
		}
		sound(t, s)
	})
}

func TestAWalkStopsWhenItIsTold(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, open func() rowStore) {
		s := open()
		noError(t, s.Apply(1, many(1000, func(i int) (string, []byte) { return fmt.Sprintf("%04d", i), []byte{} })))
		for _, stop := range []int{1, 128, 129, 999} {
			n, last := 0, ""
			noError(t, s.Ascend("0001", func(k string, _ []byte) bool { n++; last = k; return n < stop }))
			if want := fmt.Sprintf("%04d", stop); n != stop || last != want {
				t.Errorf("walk ends at row %d, %s, want at %d, %s", n, last, stop, want)
			}
		}
	})
}

// TestReadersSeeBatchesInOrder reads, walks and holds rows while batches are
// applied: a reader that knows an offset knows that its batch is there, and
// what it holds does not change.
func TestReadersSeeBatchesInOrder(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, open func() rowStore) {
		s := open()
		const batches, rows = 60, 600 // of more rows than readers see at once
		name := func(i int) string { return fmt.Sprintf("row-%04d", i) }
		value := func(i, batch int) []byte {
			return []byte(strings.Repeat(name(i)+"@"+strconv.Itoa(batch)+";", 1+i%5))
		}
		done := make(chan struct{})
		var readers sync.WaitGroup
		defer readers.Wait()
		for range 2 {
			readers.Go(func() { r := reader{s, rows, name, value, map[string]string{}, nil}; r.run(t, done) })
		}
		defer close(done)
		for batch := range batches {
			noError(t, s.Apply(int64(batch), many(rows+2, func(i int) (string, []byte) {
				switch {
				case i < rows:
					return name(i), value(i, batch)
				case i == rows:
					return fmt.Sprintf("row-%04d-comes", batch), []byte{}
				default:
					return fmt.Sprintf("row-%04d-comes", batch-1), nil
				}
			})))
		}
		sound(t, s)
	})
}

type reader struct {
	s     rowStore
	rows  int
	name  func(i int) string
	value func(i, batch int) []byte
	want  map[string]string
	held  map[string][]byte
}

func (r *reader) run(t *testing.T, done <-chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-done:
			return
		default:
		}
		at, _ := r.s.GetOffset(-1)
		i := n * 7919 % r.rows
		v, _ := r.s.Get(r.name(i))
		r.check(t, i, v, int(at))
		if n%50 == 0 {
			at, _ = r.s.GetOffset(-1)
			r.walk(t, int(at))
			r.hold(t)
			if n, size := r.s.Len(), r.s.Size(); n > 0 && size.Memory+size.Disk == 0 {
				t.Errorf("size of %d rows is %+v", n, size)
			}
		}
	}
}

// check wants the row of the batch at, or of a later one.
func (r *reader) check(t *testing.T, i int, v []byte, at int) {
	if v == nil && at < 0 {
		return
	}
	_, after, _ := strings.Cut(string(v), "@")
	number, _, _ := strings.Cut(after, ";")
	batch, err := strconv.Atoi(number)
	if err != nil || string(v) != string(r.value(i, batch)) {
		t.Errorf("row %s is %q, want one that was written", r.name(i), v)
	} else if batch < at {
		t.Errorf("row %s is of batch %d at offset %d", r.name(i), batch, at)
	}
}

func (r *reader) walk(t *testing.T, at int) {
	i := 0
	r.s.Ascend("", func(k string, v []byte) bool {
		if strings.HasSuffix(k, "-comes") {
			return true
		}
		if k != r.name(i) && at >= 0 {
			t.Errorf("walk meets %s, want %s", k, r.name(i))
			return false
		}
		i++
		n, _ := strconv.Atoi(strings.TrimPrefix(k, "row-"))
		r.check(t, n, v, at)
		return !t.Failed()
	})
	if i != r.rows && at >= 0 {
		t.Errorf("walk meets %d rows, want %d", i, r.rows)
	}
}

// hold compares what was held with what it was, and takes new rows.
func (r *reader) hold(t *testing.T) {
	for k, v := range r.held {
		if string(v) != r.want[k] {
			t.Errorf("row %s became %q under its reader, want %q", k, v, r.want[k])
		}
	}
	r.held = map[string][]byte{}
	for i := 0; i < r.rows; i += 7 {
		v, _ := r.s.Get(r.name(i))
		r.held[r.name(i)], r.want[r.name(i)] = v, string(v)
	}
}
