package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/internal/store"
	"billstream/internal/topics"
)

// badRowError says which row of a file is not as a row must be: its number from
// 1 on, never its key.
type badRowError struct {
	number int64
	err    error
}

func (e *badRowError) Error() string { return fmt.Sprintf("row %d: %v", e.number, e.err) }
func (e *badRowError) Unwrap() error { return e.err }

// rowCheck judges the rows of one partition, of which the reader of the file
// has seen that they ascend.
type rowCheck struct {
	store.Origin
	position string // the key of the partition's position row
	rows     int64
}

func newRowCheck(o store.Origin) (*rowCheck, error) {
	if o.Partition < 0 || o.Partition >= o.Partitions {
		return nil, &store.UnusableError{Reason: "foreign", Err: fmt.Errorf("partition is %d of %d, want one of them", o.Partition, o.Partitions)}
	}
	return &rowCheck{Origin: o, position: string(topics.PositionKey(o.Partition, o.Partitions))}, nil
}

// row says what is wrong with the next row: its key belongs elsewhere, or its
// value cannot be decoded.
func (c *rowCheck) row(key string, value []byte) error {
	c.rows++
	if err := c.check(key, value); err != nil {
		return &badRowError{c.rows, err}
	}
	return nil
}

func (c *rowCheck) check(key string, value []byte) error {
	if p := topics.Partition([]byte(key), c.Partitions); p != c.Partition {
		return fmt.Errorf("key belongs into partition %d, want %d", p, c.Partition)
	}
	if !strings.HasPrefix(key, codecs.PositionKeyPrefix) {
		_, err := codecs.ParseRow(value)
		return err
	}
	if key != c.position {
		return errors.New("key is that of another position row than the partition's")
	}
	_, err := codecs.ParsePosition(value)
	return err
}

// StateQuery says which rows are wanted.
type StateQuery struct {
	DataDir   string
	Partition int32  // or AnyPartition
	Customer  string // "" for all, and for the rows that are no customer's
}

// StateRows yields rows of the snapshots in a data directory as lines of JSON
// without a newline, each good until the next one, and says how many files it
// read. It takes no lock: a process may run. The error is ErrState for a file
// that cannot be read to its end; rows before the damage have been yielded by
// then. A damaged file does not keep a customer's row in another one from being
// found. Beside a database, which it cannot read, snapshots may be old: that is
// ErrState, too. An error of yield ends it and is returned.
func StateRows(ctx context.Context, q StateQuery, yield func(line []byte) error) (files int, err error) {
	names, err := stateNames(q.DataDir, q.Partition)
	if err != nil {
		return 0, err
	}
	if f, ok := databaseFile(q.DataDir); ok {
		return 0, &classed{
			class: ErrState, err: fmt.Errorf("%s cannot be read here, and snapshots beside it may be old", f.File),
			hint: "look customers up, or compare all rows: billstream verify --stores",
		}
	}
	found := false
	count := func(line []byte) error {
		found = true
		return yield(line)
	}
	var damaged error
	for _, name := range names {
		read, err := q.rows(ctx, name, count)
		if errors.Is(err, ErrState) && q.Customer != "" {
			damaged = errors.Join(damaged, err)
			continue
		}
		if err != nil {
			return files, err
		}
		if read {
			files++
		}
	}
	if found {
		return files, nil
	}
	return files, damaged
}

// rows yields those of one file, unless it is gone.
func (q *StateQuery) rows(ctx context.Context, name string, yield func(line []byte) error) (read bool, err error) {
	var (
		line    []byte
		stopped error
		number  int64
	)
	f := readStateFile(ctx, name, func(key string, value []byte) error {
		number++
		if q.Customer != "" && q.Customer != key {
			return nil
		}
		var err error
		if line, err = appendStateRow(line[:0], partitionInName(name), key, value); err != nil {
			return &badRowError{number, err}
		}
		stopped = yield(line)
		return stopped
	})
	switch {
	case stopped != nil:
		return false, stopped
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case f.Reason == gone:
		return false, nil
	}
	return true, f.err()
}

// err is why the file cannot serve, as an error of class ErrState; nil when it
// can.
func (f *StateFile) err() error {
	if f.Reason == "" {
		return nil
	}
	return &classed{
		class: ErrState, err: fmt.Errorf("%s is %s: %s", f.File, f.Reason, f.Problem),
		hint: "a process reads the changelog instead; to be rid of the files: billstream state reset",
	}
}

// appendStateRow appends a row as a JSON object: an account, a position, or of
// what belongs to neither its size. The error names no key.
func appendStateRow(dst []byte, partition int32, key string, value []byte) ([]byte, error) {
	dst = append(dst, `{"partition":`...)
	dst = strconv.AppendInt(dst, int64(partition), 10)
	dst = append(dst, `,"key":`...)
	dst = codecs.AppendString(dst, key)
	if strings.HasPrefix(key, codecs.PositionKeyPrefix) {
		p, err := codecs.ParsePosition(value)
		if err != nil {
			return dst, err
		}
		dst = append(dst, `,"position":{"next_offset":`...)
		dst = strconv.AppendInt(dst, p.NextOffset, 10)
		dst = append(dst, `,"recorded_at":`...)
		dst = codecs.AppendInstant(dst, p.RecordedAt)
		dst = append(dst, `,"topic_id":`...)
		dst = codecs.AppendString(dst, string(p.TopicID))
		return append(dst, '}', '}'), nil
	}
	row, err := codecs.ParseRow(value)
	if err != nil {
		return dst, err
	}
	dst = append(dst, `,"seq":`...)
	dst = strconv.AppendUint(dst, row.Seq, 10)
	dst = append(dst, `,"applied_offset":`...)
	dst = strconv.AppendInt(dst, row.AppliedOffset, 10)
	dst = append(dst, `,"account":`...)
	dst = codecs.AppendAccountJSON(dst, billing.AccountOf(customer.ID(key), row))
	return append(dst, '}'), nil
}
