package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"billstream/internal/store"
)

// disk is a file system that can be full, or refuse to write tables.
type disk struct {
	vfs.FS
	full, broken atomic.Bool
}

func (d *disk) wrong() error {
	if d.full.Load() {
		return fmt.Errorf("write: %w", syscall.ENOSPC)
	}
	return nil
}

func (d *disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if d.broken.Load() && strings.HasSuffix(name, ".sst") {
		return nil, fmt.Errorf("create: %w", syscall.EIO)
	}
	if err := d.wrong(); err != nil {
		return nil, err
	}
	f, err := d.FS.Create(name, c)
	return &diskFile{f, d}, err
}

func (d *disk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	if d.full.Load() {
		return vfs.DiskUsage{}, nil
	}
	return vfs.DiskUsage{AvailBytes: 1 << 30}, nil
}

type diskFile struct {
	vfs.File
	disk *disk
}

func (f *diskFile) Write(b []byte) (int, error) {
	if err := f.disk.wrong(); err != nil {
		return 0, err
	}
	return f.File.Write(b)
}

// texts is a log that can be read while it is written.
type texts struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *texts) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *texts) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// eventually waits until f is true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick, end := time.NewTicker(5*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s is not so after 30 s", what)
		}
	}
}

// TestADatabaseGoesOnWhenItsDiskDoes fills the disk, or breaks it, under a
// database that has rows in memory alone.
func TestADatabaseGoesOnWhenItsDiskDoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault func(*disk) *atomic.Bool
		want  error
	}{
		"full":   {func(d *disk) *atomic.Bool { return &d.full }, store.ErrDiskFull},
		"broken": {func(d *disk) *atomic.Bool { return &d.broken }, syscall.EIO},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, log := &disk{FS: vfs.NewCrashableMem()}, &texts{}
			opts := small(d)
			opts.Log = slog.New(slog.NewTextHandler(log, nil))
			p := openPebble(t, opts)
			part := partOf(t, p, 1)
			noError(t, part.Apply(1, edits([]change{{"customer-7", []byte("before")}})))
			c.fault(d).Store(true)
			if err := p.Flush(); !errors.Is(err, c.want) || !errors.Is(p.Err(), c.want) {
				t.Errorf("flush gives %v, and the database says %v, want %v", err, p.Err(), c.want)
			}
			if err := part.Apply(2, edits([]change{{"customer-7", []byte("behind")}})); !errors.Is(err, c.want) {
				t.Errorf("apply gives %v, want %v", err, c.want)
			}
			if v, err := part.Get("customer-7"); err != nil || string(v) != "before" {
				t.Errorf("row is %q, %v, want what was there before", v, err)
			}
			c.fault(d).Store(false)
			eventually(t, "database writes again", func() bool { return p.Err() == nil })
			noError(t, part.Apply(2, edits([]change{{"customer-7", []byte("behind")}})))
			noError(t, p.Flush())
			noError(t, p.Close())
			p = openPebble(t, small(d))
			if got := readPart(t, partOf(t, p, 1)); got.offset != 2 || got.rows["customer-7"] != "behind" {
				t.Errorf("partition is %v, want the second batch", got)
			}
			noError(t, p.Close())
			if s := log.String(); strings.Contains(s, "customer") || !strings.Contains(s, "store writes again") || strings.Count(s, "\n") > 4 {
				t.Errorf("log is %s\nwant a few lines, and no row", s)
			}
		})
	}
}

func TestADatabaseClosesOnAFullDisk(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	d := &disk{FS: fs}
	p := openPebble(t, small(d))
	part := partOf(t, p, 1)
	noError(t, part.Apply(1, edits([]change{{"k", []byte("v")}})))
	d.full.Store(true)
	if err := p.Flush(); !errors.Is(err, store.ErrDiskFull) {
		t.Errorf("flush gives %v, want %v", err, store.ErrDiskFull)
	}
	noError(t, p.Close())
	if _, err := part.Get("k"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("get gives %v, want %v", err, store.ErrClosed)
	}
	p = openPebble(t, small(fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))})))
	defer p.Close()
	if got := readPart(t, partOf(t, p, 1)); !got.equal(noRows) {
		t.Errorf("partition is %v, want it as it was before the disk was full", got)
	}
}

// TestAFullDiskAtTheStartIsSaid opens a database that is not there yet, and one
// that is.
func TestAFullDiskAtTheStartIsSaid(t *testing.T) {
	t.Parallel()
	for _, there := range []bool{false, true} {
		d := &disk{FS: vfs.NewMem()}
		if there {
			noError(t, openPebble(t, small(d)).Close())
		}
		d.full.Store(true)
		_, err := store.OpenPebble("state", pebbleOrigin, small(d))
		if !errors.Is(err, store.ErrDiskFull) {
			t.Errorf("error is %v, want %v", err, store.ErrDiskFull)
		}
		if _, ok := errors.AsType[*store.UnusableError](err); ok {
			t.Errorf("error is %v, want one that leaves the directory alone", err)
		}
		d.full.Store(false)
		noError(t, openPebble(t, small(d)).Close())
	}
}
