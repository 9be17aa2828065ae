package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Snapshot says what a snapshot is of: the rows of one partition, in a file.
//
// It is written while the store goes on, and so is no moment: a row in it is as
// it was at From, or as some later batch left it. The changes behind From, in
// their order, make of it what the store is after the last of them: what came
// into the snapshot too early is set once more, or deleted again.
type Snapshot struct {
	Origin
	// From is the offset of the store when the walk over its rows began, -1 if
	// it had none. All that is as old as that is in the rows: read on behind it.
	From int64
	// Through is the offset of the store when the walk ended: a changelog that
	// ends at or below it is not the one that the rows are from. A batch that
	// was being applied at that moment may be in the rows in part, though its
	// offset is greater.
	Through int64
	Rows    int64
	Bytes   int64     // of the file
	At      time.Time // what WriteSnapshot was told, UTC
}

// What the names of files end with.
const (
	snapshotSuffix = ".snapshot"
	unfinished     = ".tmp" // behind the name, until it is whole
)

// SnapshotName returns the name of a partition's snapshot in its directory.
func SnapshotName(topic string, partition int32) string {
	return fmt.Sprintf("%s-%d%s", topic, partition, snapshotSuffix)
}

// Snapshots returns the paths of the snapshots in dir, in the order of their
// names, without looking into them. A directory that is missing has none.
func Snapshots(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && filepath.Ext(e.Name()) == snapshotSuffix {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	return names, nil
}
