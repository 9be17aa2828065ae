package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// What follows the partition in a key.
const (
	kindMeta = 0x00
	kindRow  = 0x01
)

// identityPartition is behind every partition, which a signed number counts.
const identityPartition = 1<<32 - 1

// pebbleFormat is the version of the layout of keys and values.
const pebbleFormat = 1

// appendPrefix appends what the keys of a partition's kind begin with.
func appendPrefix(dst []byte, partition uint32, kind byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, partition), kind)
}

// prefixBytes is the length of what appendPrefix appends.
const prefixBytes = 5

func metaKey(partition int32) []byte { return appendPrefix(nil, uint32(partition), kindMeta) }

// meta is what is kept about a partition.
type meta struct {
	offset int64 // of the last batch
	stored bool  // there was a batch
	rows   int64
	fresh  int64 // when it was known to stand at the end, Unix milliseconds; 0 is never
}

// metaBytes is the length of a written meta: a byte for stored, then the three
// numbers in 8 bytes each, big endian.
const metaBytes = 1 + 3*8

func (m meta) append(dst []byte) []byte {
	var stored byte
	if m.stored {
		stored = 1
	}
	dst = append(dst, stored)
	for _, n := range []int64{m.offset, m.rows, m.fresh} {
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	return dst
}

func parseMeta(b []byte) (meta, error) {
	if len(b) != metaBytes || b[0] > 1 {
		return meta{}, &UnusableError{Reason: "corrupt", Err: fmt.Errorf("what is kept about a partition is %d bytes, want %d", len(b), metaBytes)}
	}
	n := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[1+8*i:])) }
	return meta{stored: b[0] == 1, offset: n(0), rows: n(1), fresh: n(2)}, nil
}

func (m meta) freshAt() time.Time {
	if m.fresh == 0 {
		return time.Time{}
	}
	return time.UnixMilli(m.fresh)
}

// readMeta returns what is kept about partition n: nothing yet is a zero meta.
func (p *Pebble) readMeta(n int32) (meta, error) {
	b, closer, err := p.db.Get(metaKey(n))
	if errors.Is(err, pebble.ErrNotFound) {
		return meta{}, nil
	}
	if err != nil {
		return meta{}, err
	}
	m, err := parseMeta(b)
	return m, errors.Join(err, closer.Close())
}

// identity is the value of the one key that is in no partition.
type identity struct {
	Format     int    `json:"format"`
	Cluster    string `json:"cluster"`
	Topic      string `json:"topic"`
	TopicID    string `json:"topic_id"`
	Partitions int32  `json:"partitions"`
}

// identify compares whose rows the database has with whose it is opened for. A
// new database gets its identity before its first row, and durably so.
func (p *Pebble) identify() error {
	want := identity{pebbleFormat, p.origin.Cluster, p.origin.Topic, p.origin.TopicID, p.origin.Partitions}
	key := appendPrefix(nil, identityPartition, kindMeta)
	b, closer, err := p.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return p.christen(key, want)
	}
	if err != nil {
		return err
	}
	defer closer.Close()
	var got identity
	if err := json.Unmarshal(b, &got); err != nil {
		return &UnusableError{Reason: "corrupt", Err: fmt.Errorf("read identity: %w", err)}
	}
	switch {
	case got.Format != want.Format:
		return &UnusableError{Reason: "version", Err: fmt.Errorf("format is %d, want %d", got.Format, want.Format)}
	case got != want:
		return &UnusableError{Reason: "foreign", Err: fmt.Errorf("rows are of %+v, want %+v", got, want)}
	}
	return nil
}

// christen gives an empty database its identity.
func (p *Pebble) christen(key []byte, i identity) error {
	it, err := p.db.NewIter(nil)
	if err != nil {
		return err
	}
	empty := !it.First()
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return err
	}
	if !empty {
		return &UnusableError{Reason: "corrupt", Err: errors.New("identity is gone, want it before the first row")}
	}
	b, err := json.Marshal(i)
	if err != nil {
		return err
	}
	if err := p.db.Set(key, b, pebble.NoSync); err != nil {
		return err
	}
	return p.flush()
}

// unusable returns what kept a database from opening as an *UnusableError, unless
// an operator may help it: then a system call has failed, and not for a missing
// file.
func unusable(dir string, err error) error {
	no, system := errors.AsType[syscall.Errno](err)
	u, ours := errors.AsType[*UnusableError](err)
	switch {
	case err == nil || errors.Is(err, ErrDiskFull) || system && no != syscall.ENOENT && !pebble.IsCorruptionError(err):
		return err
	case ours:
		u.File = dir
		return u
	case strings.Contains(err.Error(), "format major version"): // it has no type
		return &UnusableError{Reason: "version", File: dir, Err: err}
	}
	return &UnusableError{Reason: "corrupt", File: dir, Err: err}
}

// damaged returns err of an open database, as an *UnusableError if it says that
// what lies on the disk is not what was written.
func damaged(dir string, err error) error {
	if _, ours := errors.AsType[*UnusableError](err); ours || pebble.IsCorruptionError(err) {
		return unusable(dir, err)
	}
	return err
}
