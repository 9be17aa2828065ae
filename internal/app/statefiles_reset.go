package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"billstream/internal/devbroker"
	"billstream/internal/store"
)

// stateLock is the file by which a process holds a state directory.
const stateLock = "lock"

// HeldState is the state of a data directory that no process uses until Close.
type HeldState struct {
	dir      string
	lock     *flock.Flock  // nil when there is nothing to hold
	database *store.Pebble // of Dumps; nil without one
}

// HoldState takes the state of a data directory as a process does. Another
// process that has it is an error of class ErrConfig. No directory is made: one
// that is not there is held by nobody.
func HoldState(dataDir string) (*HeldState, error) {
	dir := StateDir(dataDir)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return &HeldState{dir: dir}, nil
	}
	lock := flock.New(filepath.Join(dir, stateLock))
	got, err := lock.TryLock()
	if err != nil {
		return nil, misconfigured(fmt.Errorf("lock %s: %w", dir, err), "run it as the user that the process runs as")
	}
	if !got {
		return nil, misconfigured(fmt.Errorf("data directory %s %w", dataDir, devbroker.ErrInUse), "stop the other process first")
	}
	return &HeldState{dir: dir, lock: lock}, nil
}

// Close lets other processes have the state.
func (h *HeldState) Close() error {
	var err error
	if h.database != nil {
		err = h.database.Close()
	}
	if h.lock != nil {
		err = errors.Join(err, h.lock.Unlock())
	}
	return err
}

// StateEntry is a file or directory that Reset removes.
type StateEntry struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

// Entries lists what Reset removes: snapshots, what was left of half-written
// ones, and the database. Files of others are not among them.
func (h *HeldState) Entries() ([]StateEntry, error) {
	found, err := os.ReadDir(h.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, misconfigured(fmt.Errorf("look for state: %w", err), "")
	}
	suffix := filepath.Ext(store.SnapshotName(stateTopic, 0))
	var entries []StateEntry
	for _, e := range found {
		snapshot := !e.IsDir() && strings.HasSuffix(strings.TrimSuffix(e.Name(), ".tmp"), suffix)
		if snapshot || e.IsDir() && e.Name() == StateDatabase {
			path := filepath.Join(h.dir, e.Name())
			entries = append(entries, StateEntry{path, bytesBelow(path)})
		}
	}
	return entries, nil
}

// Reset removes entries. What cannot be removed stays, and the others go.
func (h *HeldState) Reset(entries []StateEntry) error {
	var errs []error
	for _, e := range entries {
		errs = append(errs, os.RemoveAll(e.Path))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove state: %w", err)
	}
	return nil
}

// StateDump is the rows of one partition that lie in a data directory.
type StateDump struct {
	StateFile

	// Each yields the rows by ascending key; the bytes are good until the next
	// row. The error says that they are not all there, or is that of yield.
	Each func(yield func(key string, value []byte) error) error
}

// Dumps returns the snapshots, each read to its end, and what is in the database,
// of which b tells whose it is. They are good until Close. The error is ErrState
// when one of them cannot serve, or when there are none.
func (h *HeldState) Dumps(ctx context.Context, b TableBrokers) ([]StateDump, error) {
	files, err := InspectState(ctx, filepath.Dir(h.dir), AnyPartition)
	if err != nil {
		return nil, err
	}
	var dumps []StateDump
	for i := range files {
		f := &files[i]
		if err := f.err(); err != nil {
			return nil, err
		}
		if f.Kind == StateDatabase {
			more, err := h.databaseDumps(ctx, f, &b)
			if err != nil {
				return nil, err
			}
			dumps = append(dumps, more...)
			continue
		}
		dumps = append(dumps, StateDump{*f, func(yield func(string, []byte) error) error {
			_, err := store.ReadSnapshot(f.File, yield)
			return err
		}})
	}
	if len(dumps) == 0 {
		return nil, &classed{class: ErrState, err: fmt.Errorf("%s holds no rows, want those of one partition at least", h.dir)}
	}
	return dumps, nil
}
