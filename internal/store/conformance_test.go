package store_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/lovoo/goka/storage"
	"pgregory.net/rapid"

	"billstream/internal/store"
)

// kind is a storage that must behave like the others.
type kind interface {
	storage.Storage
	Ascend(from string, yield func(key string, value []byte) bool)
	Len() int
}

// kinds are all of them.
var kinds = map[string]func() kind{
	"memory": func() kind { return store.NewMemory() },
}

func each(t *testing.T, f func(t *testing.T, open func() kind)) {
	t.Helper()
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open)
		})
	}
}

func TestAStoreAnswersLikeAMap(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func() kind) {
		rapid.Check(t, func(t *rapid.T) { compare(t, open()) })
	})
}

func compare(t *rapid.T, s kind) {
	want := map[string]string{}
	key := rapid.StringMatching(`[a-c~\x00é]{0,3}`)
	t.Repeat(map[string]func(*rapid.T){
		"set": func(t *rapid.T) {
			k, v := key.Draw(t, "key"), rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "value")
			must(t, s.Set(k, v))
			want[k] = string(v)
		},
		"delete": func(t *rapid.T) {
			k := key.Draw(t, "key")
			must(t, s.Delete(k))
			delete(want, k)
		},
		"get": func(t *rapid.T) {
			k := key.Draw(t, "key")
			v, err := s.Get(k)
			must(t, err)
			has, err := s.Has(k)
			must(t, err)
			if w, ok := want[k]; has != ok || string(v) != w || (v == nil) == ok {
				t.Fatalf("row %q is %q (nil: %t, has: %t), want %q (there: %t)", k, v, v == nil, has, w, ok)
			}
		},
		"ascend": func(t *rapid.T) {
			from := key.Draw(t, "from")
			wantWalk(t, s.Ascend, from, expected(want, from, ""))
		},
		"iterate": func(t *rapid.T) {
			from, limit := key.Draw(t, "from"), key.Draw(t, "limit")
			wantWalk(t, iterate(t, s, limit), from, expected(want, from, limit))
		},
		"seek": func(t *rapid.T) { seek(t, s, want, key) },
		"": func(t *rapid.T) {
			if s.Len() != len(want) {
				t.Fatalf("store has %d rows, want %d", s.Len(), len(want))
			}
		},
	})
}

func must(t interface{ Fatal(...any) }, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// expected is what a walk must find.
func expected(rows map[string]string, from, limit string) []string {
	var found []string
	for _, k := range slices.Sorted(maps.Keys(rows)) {
		if k >= from && (limit == "" || k < limit) {
			found = append(found, fmt.Sprintf("%q=%q", k, rows[k]))
		}
	}
	return found
}

func wantWalk(t *rapid.T, walk func(string, func(string, []byte) bool), from string, want []string) {
	var got []string
	walk(from, func(k string, v []byte) bool {
		got = append(got, fmt.Sprintf("%q=%q", k, v))
		return true
	})
	if !slices.Equal(got, want) {
		t.Fatalf("walk from %q gives %v, want %v", from, got, want)
	}
}

func iterate(t *rapid.T, s kind, limit string) func(string, func(string, []byte) bool) {
	return func(from string, yield func(string, []byte) bool) {
		it, err := s.IteratorWithRange([]byte(from), []byte(limit))
		must(t, err)
		defer it.Release()
		for it.Next() {
			v, err := it.Value()
			must(t, err)
			if !yield(string(it.Key()), v) {
				return
			}
		}
		if it.Next() || it.Key() != nil || it.Err() != nil {
			t.Fatal("iterator goes on behind its end")
		}
	}
}

func seek(t *rapid.T, s kind, rows map[string]string, key *rapid.Generator[string]) {
	from, limit, to := key.Draw(t, "from"), key.Draw(t, "limit"), key.Draw(t, "to")
	it, err := s.IteratorWithRange([]byte(from), []byte(limit))
	must(t, err)
	defer it.Release()
	it.Next()
	want := expected(rows, max(from, to), limit)
	if got := it.Seek([]byte(to)); got != (len(want) > 0) {
		t.Fatalf("seek to %q finds a row: %t, want %v", to, got, want)
	}
	for _, w := range want {
		v, err := func() ([]byte, error) { it.Next(); return it.Value() }()
		must(t, err)
		if got := fmt.Sprintf("%q=%q", it.Key(), v); got != w {
			t.Fatalf("after a seek the row is %s, want %s", got, w)
		}
	}
}

func TestAStoreKeepsItsOwnCopies(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func() kind) {
		s := open()
		value := []byte("before")
		must(t, s.Set("k", value))
		copy(value, "AFTER!")
		old, err := s.Get("k")
		must(t, err)
		must(t, s.Set("k", []byte("behind")))
		if !bytes.Equal(old, []byte("before")) {
			t.Errorf("value changed to %q under its reader", old)
		}
	})
}

func TestAnOffsetIsTheDefaultUntilItIsSet(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func() kind) {
		s := open()
		must(t, s.Open())
		if o, err := s.GetOffset(-3); err != nil || o != -3 {
			t.Errorf("offset of an empty store is %d, %v, want -3", o, err)
		}
		must(t, s.SetOffset(0))
		if o, err := s.GetOffset(-3); err != nil || o != 0 {
			t.Errorf("offset is %d, %v, want 0", o, err)
		}
		must(t, s.MarkRecovered())
		must(t, s.Close())
	})
}

// TestAWalkMeetsEveryLastingRowOnce writes into the store from within the walk.
func TestAWalkMeetsEveryLastingRowOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func() kind) {
		s := open()
		const lasting = 5000
		for i := range lasting {
			must(t, s.Set(fmt.Sprintf("%05d", 2*i), []byte("v")))
		}
		var got []string
		last, n := "", 0
		s.Ascend("", func(k string, _ []byte) bool {
			if k <= last && last != "" {
				t.Fatalf("key %s comes after %s", k, last)
			}
			last = k
			if len(k) == 5 && k[4]%2 == 0 {
				got = append(got, k)
			}
			n++
			must(t, s.Set(fmt.Sprintf("%05d", (n*7919)%(2*lasting)|1), []byte("new"))) // odd: comes and goes
			must(t, s.Delete(fmt.Sprintf("%05d", (n*104729)%(2*lasting)|1)))
			return true
		})
		if len(got) != lasting || !slices.IsSorted(got) {
			t.Errorf("walk met %d lasting rows, want %d in order", len(got), lasting)
		}
	})
}

func TestReadersAndWritersDoNotDisturbEachOther(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func() kind) {
		s := open()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 20_000 {
				k := fmt.Sprint(i % 700)
				s.Set(k, []byte(k))
				s.SetOffset(int64(i))
				if i%3 == 0 {
					s.Delete(fmt.Sprint((i * 31) % 700))
				}
			}
		}()
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
			}
			last := ""
			s.Ascend("", func(k string, v []byte) bool {
				if string(v) != k && v != nil || k <= last && last != "" {
					t.Errorf("row %q after %q is %q", k, last, v)
					return false
				}
				last = k
				return true
			})
		}
	})
}
