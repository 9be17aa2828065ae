package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"billstream/internal/store"
)

// databaseFile describes the database of a process with --store pebble, as far
// as it can be seen from outside.
func databaseFile(dataDir string) (StateFile, bool) {
	name := filepath.Join(StateDir(dataDir), StateDatabase)
	info, err := os.Stat(name)
	if err != nil {
		return StateFile{}, false
	}
	return StateFile{
		File: name, Kind: StateDatabase, Partition: AnyPartition, From: -1, Through: -1,
		Bytes: bytesBelow(name), At: info.ModTime(), Unread: true,
	}, true
}

// openDatabase opens the database of a table. Only one whose table is known can
// be opened, and only while its state is held.
func openDatabase(f *StateFile, table *tableNow) (*store.Pebble, error) {
	o := store.Origin{Cluster: table.cluster, Topic: stateTopic, TopicID: table.topicID, Partitions: table.partitions}
	return store.OpenPebble(f.File, o, store.PebbleOptions{})
}

// verifyDatabase reads a database row by row, unless nobody knows its table or
// a process uses it.
func verifyDatabase(ctx context.Context, dataDir string, table *tableNow, t *tally) (f StateFile, ok bool) {
	f, ok = databaseFile(dataDir)
	if !ok || table == nil {
		return f, ok
	}
	held, err := HoldState(dataDir)
	if err != nil {
		return f, true
	}
	defer held.Close()
	f.Cluster, f.Topic, f.TopicID, f.Partitions, f.Unread = table.cluster, stateTopic, table.topicID, table.partitions, false
	if err := f.readDatabase(ctx, table, t); err != nil {
		f.spoil(err)
	}
	return f, true
}

// readDatabase reads all partitions, and adds up their rows.
func (f *StateFile) readDatabase(ctx context.Context, table *tableNow, t *tally) (err error) {
	db, err := openDatabase(f, table)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for n := range f.Partitions {
		p, err := db.Partition(n)
		if err != nil {
			return err
		}
		one := StateFile{File: f.File, Topic: f.Topic, Cluster: f.Cluster, TopicID: f.TopicID, Partition: n, Partitions: f.Partitions}
		if one.Through, err = p.GetOffset(-1); err != nil {
			return err
		}
		if err := table.owns(&one); err != nil {
			return err
		}
		check, err := newRowCheck(store.Origin{Partition: n, Partitions: f.Partitions})
		if err != nil {
			return err
		}
		if err := eachRow(ctx, p, func(key string, value []byte) error {
			t.row(len(key) + len(value))
			return check.row(key, value)
		}); err != nil {
			return fmt.Errorf("partition %d: %w", n, err)
		}
		if int(check.rows) != p.Len() {
			return &store.UnusableError{Reason: "corrupt", File: f.File, Err: fmt.Errorf("rows of partition %d are %d, want %d", n, check.rows, p.Len())}
		}
		f.Rows += check.rows
	}
	return nil
}

// eachRow yields the rows of a partition until an error.
func eachRow(ctx context.Context, p *store.PebblePartition, yield func(key string, value []byte) error) error {
	var stopped error
	rows := 0
	err := p.Ascend("", func(key string, value []byte) bool {
		if rows++; rows%4096 == 1 && ctx.Err() != nil {
			stopped = context.Cause(ctx)
			return false
		}
		stopped = yield(key, value)
		return stopped == nil
	})
	return errors.Join(stopped, err)
}

// databaseDumps are the partitions of which the database has anything. It stays
// open until h is closed.
func (h *HeldState) databaseDumps(ctx context.Context, f *StateFile, b *TableBrokers) ([]StateDump, error) {
	table, err := b.table(ctx)
	if err != nil {
		return nil, err
	}
	if table == nil {
		return nil, fmt.Errorf("brokers are none, want those of the table to read %s", f.File)
	}
	if h.database, err = openDatabase(f, table); err != nil {
		bad := *f
		bad.spoil(err)
		return nil, bad.err()
	}
	var dumps []StateDump
	for n := range table.partitions {
		p, err := h.database.Partition(n)
		if err != nil {
			return nil, err
		}
		offset, err := p.GetOffset(-1)
		if err != nil {
			return nil, err
		}
		if offset < 0 && p.Len() == 0 {
			continue
		}
		one := StateFile{
			File: f.File, Kind: f.Kind, Cluster: table.cluster, Topic: stateTopic, TopicID: table.topicID,
			Partition: n, Partitions: table.partitions, From: offset, Through: offset, Rows: int64(p.Len()), At: f.At,
		}
		dumps = append(dumps, StateDump{one, func(yield func(string, []byte) error) error { return eachRow(ctx, p, yield) }})
	}
	return dumps, nil
}
