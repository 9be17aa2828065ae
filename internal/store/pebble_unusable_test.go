package store_test

import (
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"billstream/internal/store"
)

func wantUnusable(t *testing.T, err error, reason string) {
	t.Helper()
	u, ok := errors.AsType[*store.UnusableError](err)
	if !ok || u.Reason != reason || u.File != "state" {
		t.Errorf("error is %v, want one that says that state is %s", err, reason)
	}
}

func TestADatabaseOfAnotherOriginIsRefused(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	noError(t, openPebble(t, small(fs)).Close())
	for name, set := range map[string]func(*store.Origin){
		"cluster":    func(o *store.Origin) { o.Cluster = "other" },
		"topic":      func(o *store.Origin) { o.Topic = "other" },
		"topic id":   func(o *store.Origin) { o.TopicID = "other" },
		"partitions": func(o *store.Origin) { o.Partitions++ },
	} {
		t.Run(name, func(t *testing.T) {
			o := pebbleOrigin
			set(&o)
			_, err := store.OpenPebble("state", o, small(fs))
			wantUnusable(t, err, "foreign")
		})
	}
	o := pebbleOrigin
	o.Partition = 3 // one database has them all
	p, err := store.OpenPebble("state", o, small(fs))
	noError(t, err)
	noError(t, p.Close())
}

func TestWhatADatabaseSaysOfItselfIsNotTrusted(t *testing.T) {
	t.Parallel()
	for text, reason := range map[string]string{
		"":                      "corrupt",
		"not JSON":              "corrupt",
		`{"format":"one"}`:      "corrupt",
		`{"format":2}`:          "version",
		`{"format":1}`:          "foreign",
		`{"format":0,"topic":1`: "corrupt",
	} {
		fs := vfs.NewMem()
		p := openPebble(t, small(fs))
		noError(t, p.SetIdentity(text))
		noError(t, p.Flush())
		noError(t, p.Close())
		_, err := store.OpenPebble("state", pebbleOrigin, small(fs))
		wantUnusable(t, err, reason)
	}
}

func TestRowsWithoutAnIdentityAreRefused(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	p := openPebble(t, small(fs))
	noError(t, partOf(t, p, 0).Apply(1, edits([]change{{"k", []byte("v")}})))
	noError(t, p.RemoveIdentity())
	noError(t, p.Flush())
	noError(t, p.Close())
	_, err := store.OpenPebble("state", pebbleOrigin, small(fs))
	wantUnusable(t, err, "corrupt")
}

func TestAPartitionWhoseOffsetIsDamagedIsRefused(t *testing.T) {
	t.Parallel()
	p := openPebble(t, small(vfs.NewMem()))
	defer p.Close()
	for n, text := range []string{"", "short", "\x02" + string(make([]byte, 24))} {
		noError(t, p.SetMeta(int32(n), text))
		_, err := p.Partition(int32(n))
		wantUnusable(t, err, "corrupt")
	}
}

func TestALibrarysNewerFormatIsRefused(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	noError(t, openPebble(t, small(fs)).Close())
	for _, name := range files(t, fs) {
		if base := path.Base(name); len(base) > 22 && base[:22] == "marker.format-version." {
			noError(t, fs.Rename(name, "state/marker.format-version.000099.099"))
		}
	}
	_, err := store.OpenPebble("state", pebbleOrigin, small(fs))
	wantUnusable(t, err, "version")
}

func TestADirectoryInUseIsNotUnusable(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	p := openPebble(t, small(fs))
	defer p.Close()
	_, err := store.OpenPebble("state", pebbleOrigin, small(fs))
	if _, ok := errors.AsType[*store.UnusableError](err); err == nil || ok {
		t.Errorf("error of a second one on the directory is %v, want one that leaves it alone", err)
	}
}

// files are the paths of all files, in order.
func files(t *testing.T, fs vfs.FS) []string {
	names, err := fs.List("state")
	noError(t, err)
	slices.Sort(names)
	for i, name := range names {
		names[i] = fs.PathJoin("state", name)
	}
	return names
}

func content(t *testing.T, fs vfs.FS, name string) []byte {
	f, err := fs.Open(name)
	noError(t, err)
	defer f.Close()
	b, err := io.ReadAll(f)
	noError(t, err)
	return b
}

func overwrite(t *testing.T, fs vfs.FS, name string, b []byte) {
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	noError(t, err)
	_, err = f.Write(b)
	noError(t, err)
	noError(t, f.Close())
}

// copyOf returns a copy of fs.
func copyOf(t *testing.T, fs vfs.FS) vfs.FS {
	c := vfs.NewMem()
	if ok, err := vfs.Clone(fs, c, "state", "state"); err != nil || !ok {
		t.Fatalf("copy is %t, %v", ok, err)
	}
	return c
}

// filledPebble is a database with some files of rows, closed.
func filledPebble(t *testing.T) vfs.FS {
	fs := vfs.NewMem()
	p := openPebble(t, small(fs))
	for n := range pebbleOrigin.Partitions {
		for i := range int64(120) {
			noError(t, partOf(t, p, n).Apply(i, edits(numbered(n, i))))
		}
	}
	noError(t, p.Flush())
	noError(t, p.Close())
	return fs
}

// TestADamagedByteIsFoundOrDoesNotMatter flips a byte at 200 places, and cuts
// files short at 100.
func TestADamagedByteIsFoundOrDoesNotMatter(t *testing.T) {
	t.Parallel()
	whole := filledPebble(t)
	all := slices.DeleteFunc(files(t, whole), func(name string) bool { return path.Base(name) == "LOCK" })
	tables := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return path.Ext(name) != ".sst" })
	found := 0
	for i := range 300 {
		names := all
		if i%2 == 0 {
			names = tables
		}
		fs, name := copyOf(t, whole), names[rand.N(len(names))]
		b := content(t, fs, name)
		switch {
		case len(b) == 0:
			continue
		case i%3 == 0:
			b = b[:rand.N(len(b))]
		default:
			b[rand.N(len(b))] ^= byte(1 + rand.N(255))
		}
		overwrite(t, fs, name, b)
		if err := serves(t, fs); err != nil {
			found++
			if u, ok := errors.AsType[*store.UnusableError](err); !ok || u.Reason != "corrupt" && u.Reason != "version" {
				t.Errorf("error of a damaged %s is %v, want it unusable", path.Base(name), err)
			}
		}
	}
	t.Logf("%d of 300 were found", found)
	if found < 100 {
		t.Errorf("%d damages were found, want at least those of the tables with rows", found)
	}
}

// serves opens a database and reads all of it. It may fail, or give the rows as
// they were at its offset, if that is what a lost file comes to.
func serves(t *testing.T, fs vfs.FS) (err error) {
	p, err := store.OpenPebble("state", pebbleOrigin, small(fs))
	if err != nil {
		return err
	}
	defer func() { noError(t, p.Close()) }()
	for n := range pebbleOrigin.Partitions {
		part, err := p.Partition(n)
		if err != nil {
			return err
		}
		rows := map[string]string{}
		if err := part.Ascend("", func(k string, v []byte) bool { rows[k] = string(v); return true }); err != nil {
			return err
		}
		want := noRows
		offset, err := part.GetOffset(-1)
		noError(t, err)
		for i := range offset + 1 {
			want = want.with(i, numbered(n, i))
		}
		if !maps.Equal(rows, want.rows) {
			t.Errorf("partition %d of a damaged database serves %d rows at offset %d, want the %d that were there", n, len(rows), offset, len(want.rows))
		}
	}
	return nil
}
