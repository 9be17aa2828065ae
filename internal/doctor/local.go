package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A process stops being ready with less room than this.
const (
	leastBytes   = 64 << 20
	leastPercent = 5
)

// disk looks at the room where the data directory is or will be.
func disk(_ context.Context, e *exam, f *findings) {
	if e.cfg.DataDir == "" {
		f.okay("disk is of no matter without a data directory")
		return
	}
	dir, err := existing(e.cfg.DataDir)
	if err != nil {
		f.unknown("room in "+e.cfg.DataDir, err)
		return
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		f.add(Problem, "give the directory to the user that runs billstream", "%s is not writable for us, want it to be: %v", dir, err)
	}
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		f.unknown("room in "+dir, err)
		return
	}
	room(f, dir, s.Bavail*uint64(s.Bsize), s.Blocks*uint64(s.Bsize))
}

// room judges the free bytes of a file system.
func room(f *findings, dir string, free, total uint64) {
	const mib = 1 << 20
	switch {
	case total == 0:
		f.unknown("room in "+dir, errors.New("its file system has no size"))
	case free < leastBytes:
		f.add(Problem, "make room: without it state and recordings are not written", "room in %s is %d MiB, want %d MiB or more", dir, free/mib, leastBytes/mib)
	case free/leastPercent < total/100:
		f.add(Problem, "make room: without it state and recordings are not written", "room in %s is %.1f %% (%d MiB), want %d %% or more",
			dir, 100*float64(free)/float64(total), free/mib, leastPercent)
	}
	f.okay("room in %s is %d MiB", dir, free/mib)
}

// existing is the directory, or the nearest one above it that exists.
func existing(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(dir)
		if !errors.Is(err, fs.ErrNotExist) {
			return dir, err
		}
		dir = filepath.Dir(dir)
	}
}

// lock looks whether another process has the data directory. It tries for a
// moment to share the lock that a process holds alone.
func lock(_ context.Context, e *exam, f *findings) {
	if e.cfg.DataDir == "" {
		f.okay("no data directory is to be locked")
		return
	}
	file, err := os.Open(filepath.Join(e.cfg.DataDir, "state", "lock"))
	if errors.Is(err, fs.ErrNotExist) {
		f.okay("data directory %s is new", e.cfg.DataDir)
		return
	}
	if err != nil {
		f.unknown("lock of the data directory", err)
		return
	}
	defer file.Close() // and with it goes the lock
	switch err := unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		f.add(Warning, "right if billstream runs here; a second process needs a --data-dir of its own",
			"data directory %s is used by another process, want a free one", e.cfg.DataDir)
	case err != nil:
		f.unknown("lock of the data directory", err)
	}
	f.okay("data directory %s is free", e.cfg.DataDir)
}
