package store_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"billstream/internal/store"
)

// logged is a store and the log of what was applied to it.
type logged struct {
	*store.Arena
	log  []batch
	want map[string]string
	now  func() // called by walks before each row
}

type batch struct {
	offset  int64
	changes []change
}

func newLogged() *logged {
	return &logged{Arena: store.NewArena(), want: map[string]string{}, now: func() {}}
}

func (l *logged) apply(t interface{ Fatal(...any) }, changes []change) {
	b := batch{int64(len(l.log)), changes}
	noError(t, l.Apply(b.offset, edits(b.changes)))
	l.log = append(l.log, b)
	replay(l.want, changes)
}

func (l *logged) Ascend(from string, yield func(string, []byte) bool) error {
	return l.Arena.Ascend(from, func(k string, v []byte) bool {
		l.now()
		return yield(k, v)
	})
}

func replay(rows map[string]string, changes []change) {
	for _, c := range changes {
		if rows[c.key] = string(c.value); c.value == nil {
			delete(rows, c.key)
		}
	}
}

// TestASnapshotAndTheLogBehindItAreTheStore writes to a store from within the
// walk over its rows.
func TestASnapshotAndTheLogBehindItAreTheStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		l := newLogged()
		var fill []change
		for i := range rapid.IntRange(0, 400).Draw(t, "rows") {
			fill = append(fill, change{fmt.Sprintf("customer-%05d", i), []byte("before")})
		}
		if rapid.Bool().Draw(t, "begun") {
			l.apply(t, fill)
		}
		began, n := int64(len(l.log))-1, 0
		l.now = func() {
			if n++; n%97 == 1 {
				l.apply(t, drawChanges(t))
			}
		}
		snap, err := store.WriteSnapshot(t.Context(), dir, snapOrigin, l, snapTime)
		noError(t, err)
		ended := int64(len(l.log)) - 1
		if snap.From != began || snap.Through != ended {
			t.Fatalf("snapshot is from %d through %d, want %d and %d", snap.From, snap.Through, began, ended)
		}
		moment := maps.Clone(l.want)
		l.apply(t, drawChanges(t))
		a, loaded, err := loadSnap(dir)
		noError(t, err)
		if loaded != snap {
			t.Fatalf("loaded is %+v, want %+v", loaded, snap)
		}
		for _, b := range l.log[loaded.From+1 : loaded.Through+1] {
			noError(t, a.Apply(b.offset, edits(b.changes)))
		}
		if got := rowsOf(t, a); !maps.Equal(got, moment) {
			t.Fatalf("rows through %d are %q, want %q", loaded.Through, got, moment)
		}
		for _, b := range l.log[loaded.Through+1:] {
			noError(t, a.Apply(b.offset, edits(b.changes)))
		}
		if got := rowsOf(t, a); !maps.Equal(got, l.want) {
			t.Fatalf("rows are %q, want %q", got, l.want)
		}
	})
}

func drawChanges(t *rapid.T) []change {
	var changes []change
	for range rapid.IntRange(0, 30).Draw(t, "changes") {
		changes = append(changes, change{keys.Draw(t, "key"), values.Draw(t, "value")})
	}
	return changes
}

// TestSnapshotsOfABusyStoreServe writes snapshots beside a writer whose batches
// readers get to see in parts.
func TestSnapshotsOfABusyStoreServe(t *testing.T) {
	t.Parallel()
	l := newLogged()
	l.apply(t, busyChanges(0))
	busy := sync.WaitGroup{}
	stop := make(chan struct{})
	wrote := make(chan struct{}, 1) // batches went in since the last look
	busy.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			l.apply(t, busyChanges(i))
			select {
			case wrote <- struct{}{}:
			default:
			}
		}
	})
	var dirs []string
	moved := false
	for i := 0; i < 8 || !moved && i < 300; i++ { // on a busy machine the writer may rest
		<-wrote
		dir := t.TempDir()
		dirs = append(dirs, dir)
		snap := writeSnap(t, dir, l.Arena)
		moved = moved || snap.Through > snap.From
		if snap.From < 0 || snap.Through < snap.From {
			t.Errorf("snapshot %d is from %d through %d", i, snap.From, snap.Through)
		}
	}
	close(stop)
	busy.Wait()
	if !moved {
		t.Error("no batch has come during a snapshot, want some")
	}
	for i, dir := range dirs {
		a, snap, err := loadSnap(dir)
		noError(t, err)
		for _, b := range l.log[snap.From+1:] {
			noError(t, a.Apply(b.offset, edits(b.changes)))
		}
		if got := rowsOf(t, a); !maps.Equal(got, l.want) {
			t.Errorf("rows of snapshot %d (%s) and the log are not those of the store", i, filepath.Base(dir))
		}
	}
}

// busyChanges set and delete a third each of 3000 rows, more than readers get to
// see at once.
func busyChanges(n int) []change {
	var changes []change
	for i := range 1000 {
		c := change{key: fmt.Sprintf("%05d", i*3+n%3)}
		if (i+n/3)%2 == 0 {
			c.value = fmt.Appendf(nil, "of batch %d, long enough to fill a block or two of all rows", n)
		}
		changes = append(changes, c)
	}
	return changes
}

func TestEveryStoreIsWrittenToASnapshotAndLoadedFromIt(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, open func() rowStore) {
		dir, from, to := t.TempDir(), open(), open()
		rows := numberedRows(3000, 60)
		rows["empty"] = ""
		var changes []change
		for k, v := range rows {
			changes = append(changes, change{k, []byte(v)})
		}
		noError(t, from.Apply(9, edits(changes)))
		writeSnap(t, dir, from)
		_, err := store.LoadSnapshot(dir, snapOrigin, 0, snapTime, to.Apply)
		noError(t, err)
		if got := rowsOf(t, to); !maps.Equal(got, rows) {
			t.Errorf("%d rows have come, want the %d that were written", len(got), len(rows))
		}
		if offset, err := to.GetOffset(-1); offset != 9 || err != nil {
			t.Errorf("offset is %d, %v, want 9", offset, err)
		}
		if v, err := to.Get("empty"); v == nil || err != nil {
			t.Errorf("empty row is missing (%v), want it there", err)
		}
	})
}
