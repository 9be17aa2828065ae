package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"billstream/internal/auth"
	"billstream/internal/kafka"
	"billstream/internal/store"
)

// TableBrokers are asked whose state it is that lies somewhere.
type TableBrokers struct {
	Brokers []string      // none: nobody is asked, and only files are judged
	Auth    *auth.Auth    // secures connections and logs in; nil does neither
	Wait    time.Duration // for a broker; negative: for ever
}

// StateCheck says which state is checked, and against what.
type StateCheck struct {
	DataDir string
	Table   TableBrokers

	Progress func(rows, bytes, total int64) // nil: nobody looks; bytes of the files and of all
}

// VerifyState reads every snapshot in a data directory row by row, by partition.
// It takes no lock: a process may run. The error is ErrState when a file cannot
// serve; the files say which one and why. A database is looked into if there
// are brokers to say whose it is, and no process uses it; one that is not is
// ErrState as well.
func VerifyState(ctx context.Context, c StateCheck) ([]StateFile, error) {
	table, err := c.Table.table(ctx)
	if err != nil {
		return nil, err
	}
	names, err := stateNames(c.DataDir, AnyPartition)
	if err != nil {
		return nil, err
	}
	t := tally{show: c.Progress, total: bytesBelow(filepath.Join(StateDir(c.DataDir), StateDatabase))}
	for _, name := range names {
		t.total += bytesBelow(name)
	}
	var files []StateFile
	var errs []error
	for _, name := range names {
		f := verifyStateFile(ctx, name, table, &t)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		t.file(f.Bytes)
		if f.Reason != gone {
			files = append(files, f)
			errs = append(errs, f.err())
		}
	}
	if f, ok := verifyDatabase(ctx, c.DataDir, table, &t); ok {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		files = append(files, f)
		errs = append(errs, f.err(), f.unread())
	}
	return files, errors.Join(errs...)
}

// unread is an error of class ErrState about a file of which nobody knows whether
// it can serve.
func (f *StateFile) unread() error {
	if !f.Unread {
		return nil
	}
	return &classed{
		class: ErrState, err: fmt.Errorf("%s was not looked into, want brokers that know its table, and no process that uses it", f.File),
		hint: "stop the process and name its brokers: --brokers",
	}
}

// verifyStateFile reads a snapshot row by row. table may be nil.
func verifyStateFile(ctx context.Context, name string, table *tableNow, t *tally) StateFile {
	f := StateFile{File: name, Kind: StateSnapshot}
	o, err := originOf(name)
	var check *rowCheck
	if err == nil {
		check, err = newRowCheck(o)
	}
	if err != nil {
		f.spoil(err)
		return f
	}
	f = readStateFile(ctx, name, func(key string, value []byte) error {
		t.row(len(key) + len(value))
		return check.row(key, value)
	})
	if f.Reason == "" {
		if err := table.owns(&f); err != nil {
			f.spoil(err)
		}
	}
	return f
}

// tally counts what was read.
type tally struct {
	rows, files, inFile, total int64
	show                       func(rows, bytes, total int64)
}

func (t *tally) row(bytes int) {
	t.rows++
	t.inFile += int64(bytes)
	if t.show != nil && t.rows%1024 == 0 {
		t.show(t.rows, min(t.files+t.inFile, t.total), t.total)
	}
}

func (t *tally) file(bytes int64) {
	t.files += bytes
	t.inFile = 0
}

// tableNow is the table as the brokers have it.
type tableNow struct {
	cluster, topicID string
	partitions       int32
	ends             map[int32]int64 // high watermarks
}

// table asks the brokers; nil when there are none to ask.
func (c *TableBrokers) table(ctx context.Context) (t *tableNow, err error) {
	if len(c.Brokers) == 0 {
		return nil, nil
	}
	admin, err := kafka.OpenAdmin(ctx, kafka.Config{Brokers: c.Brokers, Auth: c.Auth}, c.Wait)
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	t = &tableNow{ends: map[int32]int64{}}
	if t.cluster, err = admin.ClusterID(ctx); err != nil {
		return nil, err
	}
	found, err := admin.Topics(ctx, stateTopic)
	if err != nil {
		return nil, err
	}
	topic, ok := found[stateTopic]
	if !ok {
		return nil, refuse(fmt.Errorf("topic %s is missing, want it to compare the state with", stateTopic), "name the brokers that the process used: --brokers")
	}
	t.topicID, t.partitions = topic.ID, topic.Partitions
	offsets, err := admin.Offsets(ctx, stateTopic)
	if err != nil {
		return nil, fmt.Errorf("ask for the ends of %s: %w", stateTopic, err)
	}
	for _, o := range offsets {
		t.ends[o.Partition] = o.Newest
	}
	return t, nil
}

// owns says whether a snapshot is of this table.
func (t *tableNow) owns(f *StateFile) error {
	foreign := func(what string, got, want any) error {
		return &store.UnusableError{Reason: "foreign", File: f.File, Err: fmt.Errorf("%s is %v, want %v", what, got, want)}
	}
	switch {
	case f.Topic != stateTopic:
		return foreign("topic", f.Topic, stateTopic)
	case t == nil:
		return nil
	case f.Cluster != t.cluster:
		return foreign("cluster id", f.Cluster, t.cluster)
	case f.TopicID != t.topicID:
		return foreign("topic id", f.TopicID, t.topicID)
	case f.Partitions != t.partitions:
		return foreign("partition count", f.Partitions, t.partitions)
	case f.Through >= t.ends[f.Partition]:
		return foreign("last offset", f.Through, fmt.Sprintf("less than %d, the end of the changelog", t.ends[f.Partition]))
	}
	return nil
}
