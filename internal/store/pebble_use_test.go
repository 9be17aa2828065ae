package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"billstream/internal/store"
)

func TestADatabaseHasThePartitionsOfItsTopic(t *testing.T) {
	t.Parallel()
	p := openPebble(t, small(vfs.NewMem()))
	defer p.Close()
	for _, n := range []int32{-1, pebbleOrigin.Partitions} {
		if _, err := p.Partition(n); err == nil {
			t.Errorf("partition %d opens, want an error", n)
		}
		if err := p.Drop(n); err == nil {
			t.Errorf("partition %d is dropped, want an error", n)
		}
	}
	if one, two := partOf(t, p, 3), partOf(t, p, 3); one != two {
		t.Error("partition 3 is two, want it to be one, with one offset")
	}
}

// TestAWalkPausesWithoutHoldingOn writes from within a walk over several pages,
// and looks at what is open meanwhile.
func TestAWalkPausesWithoutHoldingOn(t *testing.T) {
	t.Parallel()
	p := openPebble(t, small(vfs.NewMem()))
	defer p.Close()
	part := partOf(t, p, 0)
	const lasting = 3000
	var rows []change
	for i := range lasting {
		rows = append(rows, change{fmt.Sprintf("%05d", 2*i), []byte("v")})
	}
	noError(t, part.Apply(0, edits(rows)))
	met, last := 0, ""
	noError(t, part.Ascend("", func(k string, v []byte) bool {
		if last != "" && k <= last || string(v) != "v" && string(v) != "new" {
			t.Fatalf("row %q is %q and comes after %q", k, v, last)
		}
		if last = k; (k[4]-'0')%2 == 0 {
			met++
		}
		if met%500 == 0 {
			at, err := part.GetOffset(-1)
			noError(t, err)
			odd := fmt.Sprintf("%05d", (met*7919)%(2*lasting)|1)
			noError(t, part.Apply(at+1, edits([]change{{odd, []byte("new")}, {last[:4] + "x", nil}})))
			if s := p.Stats(); s.OpenIterators != 0 || s.OldestIterator != 0 {
				t.Errorf("stats are %+v in a pause of a walk, want nothing open", s)
			}
		}
		return true
	}))
	if met != lasting {
		t.Errorf("walk met %d lasting rows, want %d", met, lasting)
	}
	met = 0
	noError(t, part.Ascend("00010", func(string, []byte) bool { met++; return met < 3 }))
	if met != 3 {
		t.Errorf("walk went on for %d rows, want it to end at the third", met)
	}
}

// TestADatabaseClosesUnderItsUsers has readers, writers and walks in it when it
// closes: they get what they ask for, or ErrClosed.
func TestADatabaseClosesUnderItsUsers(t *testing.T) {
	t.Parallel()
	p := openPebble(t, small(vfs.NewMem()))
	var users sync.WaitGroup
	busy := make(chan struct{}, 16)
	use := func(f func(i int64, part *store.PebblePartition) error) {
		for n := range pebbleOrigin.Partitions {
			part := partOf(t, p, n)
			users.Go(func() {
				for i := int64(0); ; i++ {
					if i == 5 {
						busy <- struct{}{}
					}
					if err := f(i, part); errors.Is(err, store.ErrClosed) {
						return
					} else if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	use(func(i int64, part *store.PebblePartition) error { return part.Apply(i, edits(numbered(1, i))) })
	use(func(i int64, part *store.PebblePartition) error {
		_, err := part.Get(fmt.Sprintf("key-%d", i%400))
		part.Len()
		return err
	})
	use(func(i int64, part *store.PebblePartition) error {
		return part.Ascend("", func(string, []byte) bool { return true })
	})
	use(func(i int64, part *store.PebblePartition) error {
		if p.Stats().DiskBytes < 0 || part.Size().Disk < 0 {
			t.Error("size is negative")
		}
		return errors.Join(part.Fresh(time.UnixMilli(i)), p.Flush())
	})
	for range cap(busy) {
		<-busy
	}
	noError(t, p.Close())
	users.Wait()
	noError(t, p.Close())
	if s := p.Stats(); s != (store.PebbleStats{}) {
		t.Errorf("stats of a closed database are %+v, want none", s)
	}
}

func TestStatsTellWhatADatabaseDoes(t *testing.T) {
	t.Parallel()
	p := openPebble(t, store.PebbleOptions{CacheBytes: 8 << 20}.On(vfs.NewMem(), 64<<10))
	defer p.Close()
	for i := range int64(300) {
		noError(t, partOf(t, p, 2).Apply(i, edits(numbered(2, i))))
	}
	noError(t, p.Compact())
	before := p.Stats()
	for range 3 {
		readPart(t, partOf(t, p, 2))
	}
	s, rows := p.Stats(), partOf(t, p, 2).Size()
	if s.CacheHits <= before.CacheHits || s.CacheMisses == 0 || s.CacheBytes == 0 || s.MemTableBytes == 0 || s.Compactions == 0 {
		t.Errorf("stats are %+v after %+v, want reads, what they left in memory, and compactions", s, before)
	}
	if rows.Disk == 0 || rows.Disk > s.DiskBytes || rows.Memory != s.CacheBytes+s.MemTableBytes {
		t.Errorf("size of the partition is %+v, want at most that of its database, %+v", rows, s)
	}
	if other := partOf(t, p, 3).Size(); other.Disk >= rows.Disk/4 {
		t.Errorf("size of a partition without rows is %+v, want next to nothing on the disk", other)
	}
}

// TestRowsAreCountedWhileTheyAreRead sets and deletes few rows under readers,
// whose findings the count is made of too.
func TestRowsAreCountedWhileTheyAreRead(t *testing.T) {
	t.Parallel()
	p := openPebble(t, small(vfs.NewMem()))
	defer p.Close()
	part, done := partOf(t, p, 0), make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				if _, err := part.Get(fmt.Sprint(i % 5)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range int64(1500) {
		c := change{key: fmt.Sprint(i * 7 % 5)}
		if i/5%2 == 0 {
			c.value = []byte("v")
		}
		noError(t, part.Apply(i, edits([]change{c})))
	}
	close(done)
	readers.Wait()
	if got := readPart(t, part); len(got.rows) != 0 {
		t.Errorf("rows are %v, want all deleted", got.rows)
	}
}
