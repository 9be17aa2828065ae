package eos

import (
	"context"
	"fmt"
	"time"
)

// Epoch is what one commit makes durable: the work of some partitions since
// their last epoch, with the offsets that say so.
type Epoch struct {
	Member Member
	Parts  []EpochPart // in ascending order of partitions; never empty
	Took   Phases      // set by Writer.Write
}

// Member is in whose name offsets are committed. A coordinator that no longer
// takes its word refuses the commit (KIP-447).
type Member struct {
	Group      string
	ID         string
	Generation int32
	InstanceID string // "" for a dynamic member
}

// EpochPart is one partition's share of an epoch. It has at least one row, the
// position row, which stands last.
type EpochPart struct {
	Partition int32
	Outputs   []Record       // in the order of their Emit
	Rows      []Row          // of the group table, one per key
	Marks     []PositionMark // the next offset of each input topic that moved

	// LastRow is the offset in the changelog of the last row. Writer.Write sets
	// it.
	LastRow int64
}

// Record is an output of a callback, with everything that goka's Emit does not
// carry.
type Record struct {
	Topic      string
	Partition  int32
	Key, Value []byte // nil is a null
	Headers    []Header
}

// Header is a header of a record. Order and repeats count.
type Header struct {
	Key   string
	Value []byte
}

// Row is the new value of a key of the group table; nil deletes it.
type Row struct {
	Key   string
	Value []byte
}

// PositionMark says how far an input partition has been processed.
type PositionMark struct {
	Topic      string
	Partition  int32
	Next       int64     // the next offset to read
	RecordedAt time.Time // timestamp of the record before Next
}

// Phases is where the time of a commit went.
type Phases struct{ Offsets, Produce, End time.Duration }

// Writer makes epochs durable, one at a time. The committer of the session is
// its only caller but for Close.
type Writer interface {
	// Open takes the writer's identity: what a predecessor under the same name
	// left open is aborted, and its later writes are refused. It does nothing
	// while an identity is held.
	Open(ctx context.Context) error
	// Write returns nil once the epoch is durable as a whole. After an error,
	// a *WriteError, nothing of it may be believed: the caller drops what is
	// staged, calls Reset and goes on from the committed position.
	Write(ctx context.Context, e *Epoch) error
	// Reset gives the identity up, without a word to the brokers. The next Open
	// takes it again.
	Reset()
	// Close disconnects.
	Close()
}

// Failure says what an error of a Writer means for the caller.
type Failure string

// The failures of a writer; all but Unknown say that nothing was committed.
const (
	Aborted      Failure = "aborted"      // the brokers said no, or a step before the commit failed
	Unknown      Failure = "unknown"      // no answer to the commit itself
	Lost         Failure = "lost"         // the partitions are somebody else's by now
	Fenced       Failure = "fenced"       // another live process has our identity: leave
	Unauthorized Failure = "unauthorized" // a right or a login is missing; it may come back
	Unsupported  Failure = "unsupported"  // the brokers lack what the guarantee needs: a person must act
)

// WriteError is what Writer's methods return.
type WriteError struct {
	Failure Failure
	Step    string // open, begin, offsets, produce, end
	Err     error
}

// Error implements error. It holds no key and no value.
func (e *WriteError) Error() string { return fmt.Sprintf("%s epoch: %v", e.Step, e.Err) }

// Unwrap returns the cause.
func (e *WriteError) Unwrap() error { return e.Err }
