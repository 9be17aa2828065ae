package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"billstream/internal/store"
)

// broken is a source that something happens to.
type broken struct {
	table
	offsetErr, walkErr error
	inWalk, atEnd      func()
}

func (s *broken) GetOffset(def int64) (int64, error) {
	if s.offsetErr != nil {
		return 0, s.offsetErr
	}
	return s.table.GetOffset(def)
}

func (s *broken) Ascend(from string, yield func(string, []byte) bool) error {
	n := 0
	err := s.table.Ascend(from, func(k string, v []byte) bool {
		if n++; n == 1000 && s.inWalk != nil {
			s.inWalk()
		}
		return yield(k, v)
	})
	if s.atEnd != nil {
		s.atEnd()
	}
	return errors.Join(err, s.walkErr)
}

// TestASnapshotThatDoesNotWorkOutLeavesTheFormer breaks the writing at each step.
func TestASnapshotThatDoesNotWorkOutLeavesTheFormer(t *testing.T) {
	t.Parallel()
	wrong := errors.New("wrong")
	rows := numberedRows(3000, 100)
	for name, c := range map[string]struct {
		source func(dir string, cancel func()) *broken
		origin store.Origin
		want   string // of the error
	}{
		"no offset":       {source: func(string, func()) *broken { return &broken{offsetErr: wrong} }, want: "write snapshot: wrong"},
		"half a walk":     {source: func(string, func()) *broken { return &broken{walkErr: wrong} }, want: "write snapshot: wrong"},
		"no offset later": {source: func(string, func()) *broken { s := &broken{}; s.atEnd = func() { s.offsetErr = wrong }; return s }, want: "write snapshot: wrong"},
		"called off":      {source: func(_ string, cancel func()) *broken { return &broken{inWalk: cancel} }, want: "write snapshot: called off"},
		"a long topic id": {source: func(string, func()) *broken { return &broken{} }, origin: store.Origin{TopicID: strings.Repeat("x", 1<<17)}, want: "write snapshot: header is 1312"},
		"a file that goes": {source: func(dir string, _ func()) *broken {
			return &broken{inWalk: func() { os.Remove(filepath.Join(dir, "billing-table-3.snapshot.tmp")) }}
		}, want: "write snapshot: renameat billing-table-3.snapshot.tmp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			former := writeSnap(t, dir, table{map[string]string{"former": "row"}, 1})
			ctx, cancel := context.WithCancelCause(t.Context())
			s := c.source(dir, func() { cancel(errors.New("called off")) })
			s.table = table{rows, 9}
			o := snapOrigin
			if c.origin.TopicID != "" {
				o.TopicID = c.origin.TopicID
			}
			_, err := store.WriteSnapshot(ctx, dir, o, s, snapTime)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("error is %v, want %s", err, c.want)
			}
			onlyFormer(t, dir, former)
		})
	}
}

// onlyFormer wants nothing in dir but a snapshot that was there before.
func onlyFormer(t *testing.T, dir string, former store.Snapshot) {
	t.Helper()
	_, snap, err := loadSnap(dir)
	if err != nil || snap != former {
		t.Errorf("snapshot is %+v, %v, want the former one %+v", snap, err, former)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("directory has %v, %v, want the former snapshot alone", entries, err)
	}
}

func TestASnapshotNeedsItsDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inner := filepath.Join(dir, "state")
	if _, err := store.WriteSnapshot(t.Context(), inner, snapOrigin, table{}, snapTime); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error without a directory is %v, want it missing", err)
	}
	noError(t, os.Mkdir(inner, 0o700))
	s := &broken{table: table{numberedRows(3000, 100), 1}, inWalk: func() { noError(t, os.RemoveAll(inner)) }}
	if _, err := store.WriteSnapshot(t.Context(), inner, snapOrigin, s, snapTime); err == nil {
		t.Error("error of a directory that goes is nil, want one")
	}
	if _, err := os.Stat(inner); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory that went is there again: %v", err)
	}
}

// TestAFullDiskEndsASnapshot writes to a device that is always full.
func TestAFullDiskEndsASnapshot(t *testing.T) {
	t.Parallel()
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	noError(t, err)
	defer f.Close()
	err = store.WriteSnapshotTo(t.Context(), f, table{numberedRows(3000, 100), 1})
	if err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error is %v, want that no space is left", err)
	}
}

func TestANewSnapshotTakesThePlaceOfTheFormer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	left := filepath.Join(dir, "billing-table-3.snapshot.tmp")
	noError(t, os.WriteFile(left, make([]byte, 1<<20), 0o600)) // of a killed process
	for i := range int64(3) {
		want := writeSnap(t, dir, table{numberedRows(int(10*i), 10), i})
		_, snap, err := loadSnap(dir)
		if err != nil || snap != want || snap.Rows != 10*i {
			t.Errorf("snapshot %d is %+v, %v, want %+v", i, snap, err, want)
		}
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a killed process has left is there still: %v", err)
	}
}

// snappedDir tells the test's process that it is the one to be killed.
const snappedDir = "BILLSTREAM_TEST_SNAPPED_DIR"

// TestAKilledProcessLeavesAWholeSnapshot kills a process that writes one
// snapshot after the other, at any moment and as soon as a file is half written,
// in turn: the last one that it has told of must be there, or the next.
func TestAKilledProcessLeavesAWholeSnapshot(t *testing.T) {
	if dir := os.Getenv(snappedDir); dir != "" {
		writeUntilKilled(t, dir)
		return
	}
	t.Parallel()
	dir := t.TempDir()
	half := filepath.Join(dir, "billing-table-3.snapshot.tmp")
	halves := 0
	for i := range 16 {
		meet := ""
		if i%2 == 0 {
			meet = half
		}
		told := killWriter(t, dir, meet)
		a, snap, err := loadSnap(dir)
		if err != nil || snap.From != told && snap.From != told+1 {
			t.Fatalf("after a kill the snapshot is at %d, %v, want %d or the next", snap.From, err, told)
		}
		if n := a.Len(); n != rowsAt(snap.From) {
			t.Fatalf("snapshot at %d has %d rows, want %d", snap.From, n, rowsAt(snap.From))
		}
		if _, err := os.Stat(half); err == nil {
			halves++
		}
	}
	t.Logf("%d kills have left a half-written one", halves)
	if halves == 0 {
		t.Error("no kill has met a half-written snapshot, want one at least")
	}
}

// rowsAt is how many rows the snapshot at an offset has.
func rowsAt(offset int64) int { return 5000 + int(offset%7) }

// killWriter starts a process that writes snapshots, kills it at some moment, or
// when there is a file meet if it has a name, and returns the offset of the last
// snapshot that the process has told of.
func killWriter(t *testing.T, dir, meet string) (told int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestAKilledProcessLeavesAWholeSnapshot$")
	c.Env = append(os.Environ(), snappedDir+"="+dir)
	out, err := c.StdoutPipe()
	noError(t, err)
	noError(t, c.Start())
	lines := bufio.NewScanner(out)
	later := time.Duration(rand.N(20_000)) * time.Microsecond
	var dead *time.Timer
	for lines.Scan() {
		if _, err := fmt.Sscanf(lines.Text(), "wrote %d", &told); err != nil {
			t.Fatalf("process said %q, want what it wrote", lines.Text())
		}
		if dead == nil {
			dead = time.AfterFunc(later, func() {
				for meet != "" && ctx.Err() == nil {
					if _, err := os.Stat(meet); err == nil {
						break
					}
					runtime.Gosched()
				}
				_ = c.Process.Kill()
			})
		}
	}
	if err := c.Wait(); err == nil || dead == nil {
		t.Fatalf("process has ended with %v, want it killed", err)
	}
	return told
}

func writeUntilKilled(t *testing.T, dir string) {
	first := int64(0)
	if _, snap, err := loadSnap(dir); err == nil {
		first = snap.From + 1
	}
	for i := first; ; i++ {
		writeSnap(t, dir, table{numberedRows(rowsAt(i), 100), i})
		fmt.Println("wrote", i)
	}
}
