package verify

import (
	"context"
	"errors"
	"iter"

	"billstream/codecs"
)

// ErrIncomplete says that a log could not be read to where it ends. What was
// read then proves nothing.
var ErrIncomplete = errors.New("read is incomplete")

// ErrHanging says that a transaction stayed open: the last stable offset of a
// partition does not reach its high watermark.
var ErrHanging = errors.New("transaction is hanging")

// Record is a record as a reader of committed records sees it.
type Record struct {
	Offset    int64
	Timestamp int64  // milliseconds since 1970
	Key       []byte // nil is a null key
	Value     []byte // nil is a null value
	Headers   []codecs.Header

	// Aborted says that the markers of the log take the record back, although
	// it was shown to a reader of committed records.
	Aborted bool
}

// Topic is what the brokers say about a topic.
type Topic struct {
	ID         [16]byte
	Partitions int32
	MaxMessage int // max.message.bytes; 0: not known
}

// Bounds is where the log of a partition begins and ends: its first offset and
// its high watermark, which is also stable.
type Bounds struct{ Start, End int64 }

// Log is the Kafka that is judged.
type Log interface {
	// Topic describes a topic.
	Topic(ctx context.Context, name string) (Topic, error)
	// Committed returns the group's next offset by partition of the input;
	// partitions without one are missing. It waits for pending commits, and
	// returns ErrHanging if they do not come to an end.
	Committed(ctx context.Context) (map[int32]int64, error)
	// Bounds returns the bounds of all partitions of a topic. It waits until
	// everything below the ends is stable; ErrHanging if that takes too long.
	Bounds(ctx context.Context, topic string) ([]Bounds, error)
	// Read yields the committed records of a partition within b, in the order
	// of their offsets. An error ends the sequence: ErrIncomplete if the end was
	// not reached.
	Read(ctx context.Context, topic string, partition int32, b Bounds) iter.Seq2[*Record, error]
}
