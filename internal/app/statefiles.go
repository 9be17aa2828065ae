package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"billstream/codecs"
	"billstream/internal/store"
	"billstream/internal/topics"
)

// The kinds of a StateFile.
const (
	StateSnapshot = "snapshot" // the rows of one partition, in a file
	StateDatabase = "pebble"   // the rows of all partitions, in a directory
)

// AnyPartition asks for all partitions.
const AnyPartition = -1

// StateFile is a file, or the directory of a database, in which the state of a
// process lies. What is known of a damaged one is its name and its size.
type StateFile struct {
	File       string    `json:"file"`
	Kind       string    `json:"kind"`
	Bytes      int64     `json:"bytes"`
	Partition  int32     `json:"partition"` // AnyPartition for a database
	Partitions int32     `json:"partitions,omitempty"`
	Cluster    string    `json:"cluster_id,omitempty"`
	Topic      string    `json:"topic,omitempty"`
	TopicID    string    `json:"topic_id,omitempty"`
	From       int64     `json:"from_offset"`    // of the table's log: every row is as new as this or newer; -1: none is
	Through    int64     `json:"through_offset"` // how far the rows had come when the last was written
	Rows       int64     `json:"rows"`
	At         time.Time `json:"at,omitzero"` // when it was written

	// Unread says that nobody has looked into a database: that takes brokers, and
	// no process that uses it.
	Unread bool `json:"unread,omitempty"`

	// Reason says in a word why the file cannot serve: missing, corrupt,
	// foreign, stale, version, or unreadable; "" for one that can. Problem is
	// what was found and what was wanted. Neither names a customer.
	Reason  string `json:"reason,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// ErrState says that a state directory holds what no process can use.
var ErrState = errors.New("state is damaged")

// StateDir is where a process with this data directory keeps its state.
func StateDir(dataDir string) string { return filepath.Join(dataDir, "state") }

// stateNames returns the snapshots of a partition, or of AnyPartition, in a
// state directory, by partition. No directory is no snapshots.
func stateNames(dataDir string, partition int32) ([]string, error) {
	names, err := store.Snapshots(StateDir(dataDir))
	if err != nil {
		return nil, misconfigured(fmt.Errorf("look for state: %w", err), "")
	}
	if partition != AnyPartition {
		names = slices.DeleteFunc(names, func(name string) bool { return partitionInName(name) != partition })
	}
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(partitionInName(a), partitionInName(b)), strings.Compare(a, b))
	})
	return names, nil
}

// partitionInName is the partition that a snapshot's name tells of.
func partitionInName(name string) int32 {
	stem := strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	n, err := strconv.ParseInt(stem[strings.LastIndexByte(stem, '-')+1:], 10, 32)
	if err != nil {
		return AnyPartition
	}
	return int32(n)
}

// InspectState says what lies in a data directory, by partition. It takes no
// lock and changes nothing: a process may run. Of one partition it says no more
// than its snapshot; a database, which is that of all, is then left out.
func InspectState(ctx context.Context, dataDir string, partition int32) ([]StateFile, error) {
	names, err := stateNames(dataDir, partition)
	if err != nil {
		return nil, err
	}
	files := make([]StateFile, 0, len(names))
	for _, name := range names {
		f := readStateFile(ctx, name, nil)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if f.Reason != gone {
			files = append(files, f)
		}
	}
	if partition != AnyPartition {
		return files, nil
	}
	if f, ok := databaseFile(dataDir); ok {
		files = append(files, f)
	}
	return files, nil
}

// gone is the reason of a snapshot that was there a moment ago.
const gone = "missing"

// readStateFile reads a snapshot to its end and says what it is. each is told
// of every row of a file that is whole so far, nil of none; its error makes the
// file a corrupt one, unless it says something else.
func readStateFile(ctx context.Context, name string, each func(key string, value []byte) error) StateFile {
	rows := 0
	s, err := store.ReadSnapshot(name, func(key string, value []byte) error {
		if rows++; rows%4096 == 1 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if each == nil {
			return nil // the call alone costs next to nothing
		}
		return each(key, value)
	})
	f := StateFile{
		File: name, Kind: StateSnapshot, Bytes: s.Bytes, Partition: s.Partition, Partitions: s.Partitions,
		Cluster: s.Cluster, Topic: s.Topic, TopicID: s.TopicID, From: s.From, Through: s.Through, Rows: s.Rows, At: s.At,
	}
	if err == nil {
		err = misplaced(&f)
	}
	if err != nil {
		f.spoil(err)
	}
	return f
}

// errPeeked ends the reading of a file of which the header is enough.
var errPeeked = errors.New("header was read")

// originOf returns what the header of a snapshot says.
func originOf(name string) (store.Origin, error) {
	s, err := store.ReadSnapshot(name, func(string, []byte) error { return errPeeked })
	if err == nil || errors.Is(err, errPeeked) {
		return s.Origin, nil
	}
	return store.Origin{}, err
}

// misplaced says that a snapshot lies under the name of another.
func misplaced(f *StateFile) error {
	want := store.SnapshotName(f.Topic, f.Partition)
	if got := filepath.Base(f.File); got != want {
		return &store.UnusableError{Reason: "foreign", File: f.File, Err: fmt.Errorf("its name is %s, want %s for the rows in it", got, want)}
	}
	return nil
}

// spoil notes why a file cannot serve. What was read of it is not to be relied
// upon, and goes.
func (f *StateFile) spoil(err error) {
	kept := StateFile{File: f.File, Kind: f.Kind, Bytes: f.Bytes, Partition: partitionInName(f.File), From: -1, Through: -1}
	kept.Reason, kept.Problem = "unreadable", err.Error()
	if info, err := os.Stat(f.File); err == nil {
		kept.Bytes = info.Size()
	}
	if u, ok := errors.AsType[*store.UnusableError](err); ok && u.Err != nil {
		kept.Reason, kept.Problem = u.Reason, u.Err.Error()
	}
	if bad, ok := errors.AsType[*badRowError](err); ok {
		kept.Reason, kept.Problem = "corrupt", bad.Error()
		if _, newer := errors.AsType[*codecs.FormatError](err); newer {
			kept.Reason = "version"
		}
	}
	*f = kept
}

// bytesBelow adds up the files below a path. What goes while it looks is not
// counted.
func bytesBelow(path string) (sum int64) {
	_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	return sum
}

// stateTopic is the table whose rows a process keeps.
const stateTopic = topics.BillingTable
