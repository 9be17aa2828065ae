package store_test

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"billstream/internal/store"
)

// snapFile writes a snapshot of several blocks and returns its path and content.
func snapFile(t testing.TB) (dir, path string, content []byte) {
	dir = t.TempDir()
	writeSnap(t, dir, table{numberedRows(1500, 120), 77})
	path = filepath.Join(dir, store.SnapshotName(snapOrigin.Topic, snapOrigin.Partition))
	content, err := os.ReadFile(path)
	noError(t, err)
	return dir, path, content
}

// refused wants both ways to read a file to say why it cannot serve.
func refused(t *testing.T, dir, path, reason, text string) {
	t.Helper()
	_, _, loaded := loadSnap(dir)
	_, read := store.ReadSnapshot(path, nil)
	for way, err := range map[string]error{"load": loaded, "read": read} {
		u, ok := errors.AsType[*store.UnusableError](err)
		if !ok || u.Reason != reason || u.File != path || !strings.Contains(err.Error(), text) {
			t.Errorf("to %s it is %v, want it to be %s: %s", way, err, reason, text)
		}
	}
}

func TestADamagedByteOfASnapshotIsFound(t *testing.T) {
	t.Parallel()
	dir, path, whole := snapFile(t)
	r := rand.New(rand.NewPCG(1, 1))
	places := []int{0, 8, 12, 16, len(whole) - 1, len(whole) - 33}
	for len(places) < 200 {
		n := len(whole)
		if len(places)%2 == 0 {
			n = 300 // header and first frame
		}
		places = append(places, r.IntN(n))
	}
	for _, place := range places {
		b := append([]byte(nil), whole...)
		b[place] ^= byte(1 + r.IntN(255))
		noError(t, os.WriteFile(path, b, 0o600))
		refused(t, dir, path, "corrupt", "")
	}
}

func TestASnapshotThatWasCutIsFound(t *testing.T) {
	t.Parallel()
	dir, path, whole := snapFile(t)
	r := rand.New(rand.NewPCG(2, 2))
	places := []int{0, 1, 15, 16, 17, len(whole) - 1, len(whole) - 20, len(whole) - 32, len(whole) - 33}
	for n := 16; n < len(whole); { // the end of the header, and of each block
		if n == 16 {
			n += int(binary.LittleEndian.Uint32(whole[12:])) + 4
		} else {
			n += 12 + int(binary.LittleEndian.Uint32(whole[n:]))
		}
		if n < len(whole) {
			places = append(places, n)
		}
	}
	for len(places) < 200 {
		places = append(places, r.IntN(len(whole)))
	}
	for _, place := range places {
		noError(t, os.WriteFile(path, whole[:place], 0o600))
		refused(t, dir, path, "corrupt", "")
	}
}

// TestBlocksOfASnapshotStayWhereTheyAre damages what the checksum of a block
// does not see.
func TestBlocksOfASnapshotStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	dir, path, whole := snapFile(t)
	ends := []int{16 + int(binary.LittleEndian.Uint32(whole[12:])) + 4}
	for n := ends[0]; n < len(whole); {
		n += 12 + int(binary.LittleEndian.Uint32(whole[n:]))
		ends = append(ends, n)
	}
	if len(ends) < 5 {
		t.Fatalf("file has %d blocks, want 4 at least", len(ends)-1)
	}
	part := func(i int) string { return string(whole[ends[i]:ends[i+1]]) }
	header, last := string(whole[:ends[0]]), len(ends)-2
	other := t.TempDir()
	writeSnap(t, other, table{map[string]string{"a": "b"}, 78})
	foreign, err := os.ReadFile(filepath.Join(other, filepath.Base(path)))
	noError(t, err)
	for name, c := range map[string]struct{ content, text string }{
		"one is missing":        {header + part(0) + part(2) + part(last), "checksum of all blocks"},
		"the first is missing":  {header + part(1) + part(2) + part(last), "checksum of all blocks"},
		"all are missing":       {header + part(last), "checksum of all blocks"},
		"two are swapped":       {header + part(1) + part(0), "want ascending keys"},
		"one is there twice":    {header + part(0) + part(0), "want ascending keys"},
		"something follows":     {string(whole) + "x", "goes on for 1 bytes behind its end, want none"},
		"another file follows":  {string(whole) + string(whole), "behind its end, want none"},
		"it is another's end":   {string(whole[:ends[last]]) + string(foreign[len(foreign)-32:]), "checksum of all blocks"},
		"it is another's start": {string(foreign[:len(foreign)-32]) + string(whole[ends[0]:]), "checksum of all blocks"},
		"it is text":            {strings.ReplaceAll(string(whole), "\r\n", "\n"), "file begins with"},
	} {
		t.Run(name, func(t *testing.T) {
			noError(t, os.WriteFile(path, []byte(c.content), 0o600))
			refused(t, dir, path, "corrupt", c.text)
		})
	}
}

func TestWhatASnapshotSaysOfItselfIsNotTrusted(t *testing.T) {
	t.Parallel()
	dir, path, whole := snapFile(t)
	text := 16 + int(binary.LittleEndian.Uint32(whole[12:]))
	tail := whole[len(whole)-32:]
	for name, c := range map[string]struct {
		set          func(b []byte)
		reason, text string
	}{
		"a later version":  {func(b []byte) { b[8] = 2 }, "version", "format is 2, want 1"},
		"no version":       {func(b []byte) { b[8] = 0 }, "version", "format is 0, want 1"},
		"not JSON":         {func(b []byte) { b[16] = '[' }, "corrupt", "read header: "},
		"a long header":    {func(b []byte) { b[15] = 1 }, "corrupt", "want 65536 at most"},
		"a longer header":  {func(b []byte) { b[12]++ }, "corrupt", ""},
		"a long block":     {func(b []byte) { b[text+4+3] = 0x50 }, "corrupt", "want 1073741824 at most"},
		"more than is":     {func(b []byte) { b[text+4+3] = 0x20 }, "corrupt", "file goes on for "},
		"more rows":        {func(b []byte) { b[text+8]++ }, "corrupt", "rows, want "},
		"fewer rows":       {func(b []byte) { b[text+8]-- }, "corrupt", "behind its rows, want none"},
		"a long key":       {func(b []byte) { copy(b[text+16:], "\xff\xff\xff\x7f") }, "corrupt", "has 0 rows, want "},
		"other rows":       {func(b []byte) { b[len(b)-20]++ }, "corrupt", "file has 1500 rows, want 1501"},
		"an older end":     {func(b []byte) { b[len(b)-12] = 76 }, "corrupt", "offset at the end is 76, want 77 at least"},
		"an end with rows": {func(b []byte) { b[len(b)-28]++ }, "corrupt", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := append([]byte(nil), whole...)
			c.set(b)
			store.Reseal(b)
			noError(t, os.WriteFile(path, b, 0o600))
			refused(t, dir, path, c.reason, c.text)
		})
	}
	store.Reseal(whole)
	if string(tail) != string(whole[len(whole)-32:]) {
		t.Error("sealing a whole file again changes it: the cases above could have failed for that")
	}
}

func TestASnapshotOfAnotherOriginIsRefused(t *testing.T) {
	t.Parallel()
	dir, path, content := snapFile(t)
	for name, set := range map[string]func(*store.Origin){
		"cluster":    func(o *store.Origin) { o.Cluster = "other" },
		"topic":      func(o *store.Origin) { o.Topic = "other" },
		"topic id":   func(o *store.Origin) { o.TopicID = "other" },
		"partition":  func(o *store.Origin) { o.Partition++ },
		"partitions": func(o *store.Origin) { o.Partitions++ },
	} {
		t.Run(name, func(t *testing.T) {
			want := snapOrigin
			set(&want)
			at := filepath.Join(dir, store.SnapshotName(want.Topic, want.Partition))
			noError(t, os.WriteFile(at, content, 0o600))
			a := store.NewArena()
			_, err := store.LoadSnapshot(dir, want, time.Hour, snapTime, a.Apply)
			u, ok := errors.AsType[*store.UnusableError](err)
			if !ok || u.Reason != "foreign" || u.File != at {
				t.Errorf("error is %v, want one that says that %s is foreign", err, at)
			}
			if n := a.Len(); n > 0 {
				t.Errorf("store has %d rows, want none: the header comes first", n)
			}
		})
	}
	if _, err := store.ReadSnapshot(path, nil); err != nil {
		t.Errorf("the file itself is %v, want it good", err)
	}
}

func TestASnapshotIsServedUpToItsAge(t *testing.T) {
	t.Parallel()
	dir, _, _ := snapFile(t)
	for _, c := range []struct {
		age, maxAge time.Duration
		stale       bool
	}{
		{0, time.Hour, false},
		{time.Hour, time.Hour, false},
		{time.Hour + 1, time.Hour, true},
		{-time.Minute, time.Hour, false}, // a clock that was put right
		{-time.Minute - 1, time.Hour, true},
		{100 * time.Hour, 0, false},
		{-100 * time.Hour, 0, false},
	} {
		a := store.NewArena()
		_, err := store.LoadSnapshot(dir, snapOrigin, c.maxAge, snapTime.Add(c.age), a.Apply)
		u, ok := errors.AsType[*store.UnusableError](err)
		if c.stale != ok || ok && u.Reason != "stale" || !ok && err != nil {
			t.Errorf("error at an age of %v of %v is %v, want it stale: %t", c.age, c.maxAge, err, c.stale)
		}
		if want := 1500; c.stale {
			if a.Len() != 0 {
				t.Errorf("store has %d rows, want none of a stale snapshot", a.Len())
			}
		} else if a.Len() != want {
			t.Errorf("store has %d rows, want %d", a.Len(), want)
		}
	}
}

func TestAMissingSnapshotIsUnusable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	refused(t, dir, filepath.Join(dir, "billing-table-3.snapshot"), "missing", "")
	gone := filepath.Join(dir, "none")
	refused(t, gone, filepath.Join(gone, "billing-table-3.snapshot"), "missing", "")
}

// TestErrorsOfSnapshotsNameNoCustomer damages files in many ways, of which none
// may bring a key or a value into a log.
func TestErrorsOfSnapshotsNameNoCustomer(t *testing.T) {
	t.Parallel()
	dir, path, whole := snapFile(t)
	r := rand.New(rand.NewPCG(3, 3))
	for i := range 300 {
		b := append([]byte(nil), whole...)
		b[r.IntN(len(b))] ^= byte(1 + r.IntN(255))
		if i%2 == 0 {
			store.Reseal(b)
		}
		noError(t, os.WriteFile(path, b, 0o600))
		_, _, err := loadSnap(dir)
		if err != nil && (strings.Contains(err.Error(), "customer") || strings.Contains(err.Error(), "aaaa")) {
			t.Errorf("error is %v, want one that names no customer", err)
		}
	}
}
