package kafka

import (
	"fmt"
	"strconv"
	"time"

	"github.com/IBM/sarama"
)

// AnyPartition lets the hash of the key choose the partition.
const AnyPartition int32 = -1

// Header is one record header. Kafka keeps their order and allows repeats.
type Header struct {
	Key   string
	Value []byte
}

// Record is a record to be written.
type Record struct {
	Partition int32  // AnyPartition, or where the record belongs
	Timestamp int64  // milliseconds since 1970; 0 means now
	Key       []byte // nil is a null key, which is not an empty one
	Headers   []Header
	Value     []byte // nil is a tombstone
}

// Position is where a record was written.
type Position struct {
	Topic     string
	Partition int32
	Offset    int64
}

// String writes a position as readers pass it on: customer.events/3@188.
func (p Position) String() string {
	return p.Topic + "/" + strconv.Itoa(int(p.Partition)) + "@" + strconv.FormatInt(p.Offset, 10)
}

// TooLargeError is a record that its topic would refuse. Nothing was sent.
type TooLargeError struct {
	Topic       string
	Size, Limit int // bytes, overheads of a record included
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("record for %s is %d bytes, want at most %d", e.Topic, e.Size, e.Limit)
}

// message makes sarama's form of a record: a nil encoder is null on the wire.
func (r Record) message(topic string) *sarama.ProducerMessage {
	m := &sarama.ProducerMessage{Topic: topic, Partition: r.Partition}
	if r.Key != nil {
		m.Key = sarama.ByteEncoder(r.Key)
	}
	if r.Value != nil {
		m.Value = sarama.ByteEncoder(r.Value)
	}
	if r.Timestamp != 0 {
		m.Timestamp = time.UnixMilli(r.Timestamp)
	}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
	}
	return m
}
