package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"billstream/internal/store"
)

var (
	snapOrigin = store.Origin{Cluster: "cluster", Topic: "billing-table", TopicID: "id", Partition: 3, Partitions: 6}
	snapTime   = time.Date(2031, 5, 6, 7, 8, 9, 10, time.UTC)
)

// table is a source whose rows are known.
type table struct {
	rows   map[string]string
	offset int64
}

func (s table) GetOffset(int64) (int64, error) { return s.offset, nil }

func (s table) Ascend(from string, yield func(string, []byte) bool) error {
	for _, k := range slices.Sorted(maps.Keys(s.rows)) {
		if k >= from && !yield(k, []byte(s.rows[k])) {
			return nil
		}
	}
	return nil
}

// numberedRows are n rows of about size bytes each.
func numberedRows(n, size int) map[string]string {
	rows := map[string]string{}
	for i := range n {
		rows[fmt.Sprintf("customer-%07d", i)] = strings.Repeat(string(rune('a'+i%26)), size)
	}
	return rows
}

func writeSnap(t testing.TB, dir string, s store.Source) store.Snapshot {
	t.Helper()
	snap, err := store.WriteSnapshot(t.Context(), dir, snapOrigin, s, snapTime)
	noError(t, err)
	return snap
}

// loadSnap reads the snapshot in dir into an arena.
func loadSnap(dir string) (*store.Arena, store.Snapshot, error) {
	a := store.NewArena()
	snap, err := store.LoadSnapshot(dir, snapOrigin, time.Hour, snapTime, a.Apply)
	return a, snap, err
}

func rowsOf(t interface{ Fatal(...any) }, s store.Source) map[string]string {
	rows := map[string]string{}
	noError(t, s.Ascend("", func(k string, v []byte) bool {
		rows[k] = string(v)
		return true
	}))
	return rows
}

func TestASnapshotIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		rows := map[string]string{}
		for range rapid.IntRange(0, 40).Draw(t, "rows") {
			rows[keys.Draw(t, "key")] = string(values.Draw(t, "value"))
		}
		if rapid.Bool().Draw(t, "many") {
			maps.Copy(rows, numberedRows(1500, 150))
		}
		o := snapOrigin
		o.Partition = rapid.Int32().Draw(t, "partition")
		o.TopicID = rapid.String().Draw(t, "topic id")
		at := snapTime.Add(time.Duration(rapid.IntRange(0, 3600e9).Draw(t, "at")))
		s := table{rows, rapid.Int64().Draw(t, "offset")}
		written, err := store.WriteSnapshot(t.Context(), dir, o, s, at.In(time.FixedZone("there", 3600)))
		noError(t, err)
		path := filepath.Join(dir, store.SnapshotName(o.Topic, o.Partition))
		info, err := os.Stat(path)
		noError(t, err)
		want := store.Snapshot{Origin: o, From: s.offset, Through: s.offset, Rows: int64(len(rows)), Bytes: info.Size(), At: at}
		if written != want {
			t.Fatalf("written is %+v, want %+v", written, want)
		}
		a := store.NewArena()
		got, err := store.LoadSnapshot(dir, o, time.Hour, at, a.Apply)
		noError(t, err)
		if offset, err := a.GetOffset(s.offset - 1); got != want || offset != s.offset || err != nil {
			t.Fatalf("loaded is %+v into a store at %d (%v), want %+v", got, offset, err, want)
		}
		if rows := rowsOf(t, a); !maps.Equal(rows, s.rows) {
			t.Fatalf("rows are %q, want %q", rows, s.rows)
		}
		inspected, err := store.ReadSnapshot(path, nil)
		noError(t, err)
		if inspected != want {
			t.Fatalf("inspected is %+v, want %+v", inspected, want)
		}
		noError(t, os.Remove(path))
	})
}

func TestRowsOfAnyLengthGoThroughASnapshot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rows := map[string]string{"": "", "a": strings.Repeat("x", 3<<20), strings.Repeat("k", 200<<10): "y"}
	for i := range 200 { // ends of rows on and around the end of a block
		rows[fmt.Sprintf("b%03d", i)] = strings.Repeat("z", 65536-100+i)
	}
	writeSnap(t, dir, table{rows, 1})
	a, _, err := loadSnap(dir)
	noError(t, err)
	if got := rowsOf(t, a); !maps.Equal(got, rows) {
		t.Errorf("%d rows have come, want the %d that were written", len(got), len(rows))
	}
}

// TestTheFormatOfSnapshotsStays holds the bytes of version 1: there are files of
// it where the program has run.
func TestTheFormatOfSnapshotsStays(t *testing.T) {
	t.Parallel()
	const golden = "testdata/v1.snapshot"
	dir := t.TempDir()
	rows := map[string]string{"": "no key", "empty": "", "one": "1", "two": strings.Repeat("2", 200)}
	want := writeSnap(t, dir, table{rows, 41})
	got, err := os.ReadFile(filepath.Join(dir, "billing-table-3.snapshot"))
	noError(t, err)
	bytesWant, err := os.ReadFile(golden)
	noError(t, err)
	if !bytes.Equal(got, bytesWant) {
		t.Errorf("file is\n%q, want\n%q", got, bytesWant)
	}
	found := map[string]string{}
	snap, err := store.ReadSnapshot(golden, func(k string, v []byte) error {
		found[strings.Clone(k)] = string(v)
		return nil
	})
	noError(t, err)
	if snap != want || !maps.Equal(found, rows) {
		t.Errorf("%+v with %q is read, want %+v with %q", snap, found, want, rows)
	}
}

func TestSnapshotsAreFoundByTheirNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"t-2.snapshot", "lock", "t-1.snapshot", "t-3.snapshot.tmp", "CURRENT"} {
		noError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	noError(t, os.Mkdir(filepath.Join(dir, "pebble.snapshot"), 0o700))
	got, err := store.Snapshots(dir)
	want := []string{filepath.Join(dir, "t-1.snapshot"), filepath.Join(dir, "t-2.snapshot")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("snapshots are %q, %v, want %q", got, err, want)
	}
	if got, err := store.Snapshots(filepath.Join(dir, "none")); err != nil || got != nil {
		t.Errorf("snapshots of no directory are %q, %v, want none", got, err)
	}
	if _, err := store.Snapshots(filepath.Join(dir, "lock")); err == nil {
		t.Error("snapshots of a file are none, want an error")
	}
}

func TestReadingASnapshotEndsWithTheCallersError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeSnap(t, dir, table{numberedRows(2000, 100), 1})
	enough, n := errors.New("enough"), 0
	_, err := store.ReadSnapshot(filepath.Join(dir, store.SnapshotName("billing-table", 3)), func(string, []byte) error {
		if n++; n == 1000 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || n != 1000 {
		t.Errorf("reading ends after %d rows with %v, want 1000 and %v", n, err, enough)
	}
}

func TestAStoreThatDoesNotTakeAllRowsIsNotLoaded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeSnap(t, dir, table{numberedRows(2000, 100), 5})
	a := store.NewArena()
	noError(t, a.Apply(5, func(func(string, []byte) bool) {})) // has it already
	full := errors.New("full")
	for name, c := range map[string]struct {
		apply func(int64, iter.Seq2[string, []byte]) error
		want  string
	}{
		"not empty": {a.Apply, "load snapshot: store has taken 0 rows, want all: it must be empty before"},
		"full":      {func(int64, iter.Seq2[string, []byte]) error { return full }, "load snapshot: full"},
		"all but one": {func(_ int64, rows iter.Seq2[string, []byte]) error {
			n := 0
			for range rows {
				if n++; n == 1999 {
					break
				}
			}
			return nil
		}, "load snapshot: store has taken 1999 rows, want all: it must be empty before"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := store.LoadSnapshot(dir, snapOrigin, 0, snapTime, c.apply)
			if err == nil || err.Error() != c.want {
				t.Errorf("error is %v, want %s", err, c.want)
			}
			if _, ok := errors.AsType[*store.UnusableError](err); ok {
				t.Error("error says that the file is unusable, want it on the store")
			}
		})
	}
}
