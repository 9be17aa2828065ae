package eos

import (
	"context"
	"fmt"
	"testing"
	"time"

	"billstream/internal/store"
)

// opened returns an open, whole and empty base.
func opened(t *testing.T) (*Bases, *Base) {
	t.Helper()
	b := NewBases(BasesConfig{
		Table: "t", Partitions: 1, Followed: true,
		Open: func(context.Context, int32) (Store, int64, time.Time, error) {
			return store.NewArena(), 0, time.Time{}, nil
		},
		Reset: func(int32) (Store, error) { return store.NewArena(), nil },
	})
	if err := b.open(t.Context(), b.At(0)); err != nil {
		t.Fatal(err)
	}
	b.At(0).whole.Store(true)
	return b, b.At(0)
}

func (b *Base) want(t *testing.T, key, value string, offset int64) {
	t.Helper()
	v, err := b.get(key)
	if err != nil || string(v) != value {
		t.Errorf("row %s is %q, %v, want %q", key, v, err, value)
	}
	if at, err := b.offset(); err != nil || at != offset {
		t.Errorf("base stands at offset %d, %v, want %d", at, err, offset)
	}
}

func (b *Base) commit(t *testing.T, last int64, rows ...Row) {
	t.Helper()
	if err := b.apply(&EpochPart{LastRow: last, Rows: rows}); err != nil {
		t.Fatal(err)
	}
}

func (b *Base) read(t *testing.T, offset int64, key, value string) {
	t.Helper()
	buffer := []byte(value)
	if err := b.follow(offset, key, buffer); err != nil {
		t.Fatal(err)
	}
	copy(buffer, "################") // a fetch buffer is used again
}

func TestAViewDoesNotWriteWhatAnOwnerHolds(t *testing.T) {
	t.Parallel()
	_, b := opened(t)
	b.read(t, 3, "k", "view")
	b.want(t, "k", "view", 3)
	b.own()
	b.read(t, 4, "k", "ours, not yet applied")
	b.want(t, "k", "view", 3)
	b.commit(t, 5, Row{Key: "k", Value: []byte("committed")})
	b.want(t, "k", "committed", 5)
	b.read(t, 5, "k", "ours, seen late")
	b.want(t, "k", "committed", 5)
	b.read(t, 6, "k", "somebody else's")
	b.want(t, "k", "committed", 5)
	if len(b.line) != 1 {
		t.Errorf("%d rows wait in line, want the one that is not ours", len(b.line))
	}
	if err := b.disown(); err != nil {
		t.Fatal(err)
	}
	b.want(t, "k", "somebody else's", 6)
	b.read(t, 7, "k", "and on")
	b.want(t, "k", "and on", 7)
}

// A base that its owner emptied, and left before it was whole again, lacks rows
// below those that its follower reads.
func TestABaseThatWasLostTakesNothingBeforeItsRecovery(t *testing.T) {
	t.Parallel()
	all, b := opened(t)
	b.read(t, 3, "k", "view")
	b.own()
	if err := all.wipe(b); err != nil {
		t.Fatal(err)
	}
	b.commit(t, 1, Row{Key: "k", Value: []byte("first of a recovery")})
	b.read(t, 4, "k", "in line")
	if err := b.disown(); err != nil {
		t.Fatal(err)
	}
	b.want(t, "k", "first of a recovery", 1)
	b.read(t, 5, "k", "behind a gap")
	b.want(t, "k", "first of a recovery", 1)
	if !b.astray() {
		t.Error("base needs no recovery, want one")
	}
}

func TestOnlyWhatNobodyNeedsIsReleased(t *testing.T) {
	t.Parallel()
	_, b := opened(t)
	b.release()
	if b.Rows() == nil {
		t.Error("rows of a base that is followed are gone")
	}
	b.beFollowed(false)
	b.own()
	b.release()
	if b.Rows() == nil {
		t.Error("rows of a base that is owned are gone")
	}
	if err := b.disown(); err != nil {
		t.Fatal(err)
	}
	b.turn <- struct{}{} // a recovery
	b.release()
	if b.Rows() == nil {
		t.Error("rows of a base that recovers are gone")
	}
	<-b.turn
	b.release()
	if b.Rows() != nil || b.Whole() {
		t.Error("rows that nobody needs are still there")
	}
}

func TestACopyIsBehindAndAnOwnersBaseIsNot(t *testing.T) {
	t.Parallel()
	_, b := opened(t)
	b.read(t, 3, "k", "view")
	if n, ok := b.Behind(10); n != 6 || !ok {
		t.Errorf("copy at offset 3 is %d behind 10, %v, want 6", n, ok)
	}
	b.own()
	if n, ok := b.Behind(10); n != 0 || !ok {
		t.Errorf("owner's base is %d behind, %v, want 0", n, ok)
	}
	b.whole.Store(false)
	if _, ok := b.Behind(10); ok {
		t.Error("a base that recovers says how far it is behind")
	}
}

func TestRowsInLineDoNotAddUp(t *testing.T) {
	t.Parallel()
	_, b := opened(t)
	b.own()
	for i := range int64(1000) {
		b.read(t, i, "k", fmt.Sprint(i))
		if i%10 == 9 {
			b.commit(t, i, Row{Key: "k", Value: []byte("c")})
		}
		if len(b.line) > 11 {
			t.Fatalf("%d rows wait in line, want those of one epoch", len(b.line))
		}
	}
}

func TestABaseThatWasEmptiedIsNotWhole(t *testing.T) {
	t.Parallel()
	bases, b := opened(t)
	told := 0
	bases.cfg.OnLost = func() { told++ }
	bases.own([]int32{0})
	if err := bases.disown([]int32{0}); err != nil || told != 0 {
		t.Fatalf("disown of a whole base: %v, told %d times, want not at all", err, told)
	}
	bases.own([]int32{0})
	b.commit(t, 9, Row{Key: "k", Value: []byte("v")})
	if err := bases.wipe(b); err != nil {
		t.Fatal(err)
	}
	b.want(t, "k", "", notStored)
	if b.Whole() || b.settled() {
		t.Error("an emptied base is whole")
	}
	if err := bases.disown([]int32{0}); err != nil || told != 1 {
		t.Errorf("disown of a lost base: %v, told %d times, want once", err, told)
	}
}

func TestWithoutAViewWhatIsNotOwnedIsLetGo(t *testing.T) {
	t.Parallel()
	for _, followed := range []bool{false, true} {
		bases, b := opened(t)
		b.beFollowed(followed)
		bases.own([]int32{0})
		if b.Rows() == nil {
			t.Fatal("owned base is gone")
		}
		if err := bases.disown([]int32{0}); err != nil {
			t.Fatal(err)
		}
		if b.Rows() == nil {
			t.Error("base is gone before it is known who owns it next")
		}
		bases.own(nil)
		if kept := b.Rows() != nil && b.Whole(); kept != followed {
			t.Errorf("base that went elsewhere is kept: %t, want %t", kept, followed)
		}
	}
}
