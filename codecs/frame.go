package codecs

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A frame is a Record as one byte string, so that it can pass goka's Emit,
// which carries a key and a value only. The producer takes it apart again; a
// frame never reaches Kafka. Layout, integers as varints:
//
//	magic, version, partition, timestamp, key, number of headers,
//	{header key, header value}, value
//
// Byte strings are preceded by their length plus one; 0 stands for null.
const (
	frameMagic   = 0xB5
	frameVersion = 1
)

// ErrFrame says that bytes are no frame.
var ErrFrame = errors.New("frame is broken, want one of version 1")

// AppendFrame appends r to dst as one frame.
func AppendFrame(dst []byte, r *Record) []byte {
	dst = append(dst, frameMagic, frameVersion)
	dst = binary.AppendVarint(dst, int64(r.Partition))
	dst = binary.AppendVarint(dst, r.Timestamp)
	dst = appendNullable(dst, r.Key)
	dst = binary.AppendUvarint(dst, uint64(len(r.Headers)))
	for i := range r.Headers {
		h := &r.Headers[i]
		dst = binary.AppendUvarint(dst, uint64(len(h.Key))+1)
		dst = append(dst, h.Key...)
		dst = appendNullable(dst, h.Value)
	}
	return appendNullable(dst, r.Value)
}

// frameSize is enough room for r's frame.
func frameSize(r *Record) int {
	const field = binary.MaxVarintLen32
	n := 4*field + binary.MaxVarintLen64 + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += 2*field + len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

func appendNullable(dst, b []byte) []byte {
	if b == nil {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(b))+1)
	return append(dst, b...)
}

// ParseFrame takes a frame apart. The record's byte slices are parts of b. The
// error is ErrFrame.
func ParseFrame(b []byte) (Record, error) {
	if len(b) < 2 || b[0] != frameMagic || b[1] != frameVersion {
		return Record{}, ErrFrame
	}
	c := frameCursor{rest: b[2:]}
	partition := c.varint()
	r := Record{Partition: int32(partition), Timestamp: c.varint(), Key: c.bytes()}
	// Each header takes two bytes at least: the count cannot ask for more
	// memory than the frame justifies.
	if n := c.uvarint(); n > uint64(len(c.rest)/2) {
		return Record{}, ErrFrame
	} else if n > 0 {
		r.Headers = make([]Header, n)
	}
	for i := range r.Headers {
		key := c.bytes()
		if key == nil {
			return Record{}, ErrFrame
		}
		r.Headers[i] = Header{Key: string(key), Value: c.bytes()}
	}
	r.Value = c.bytes()
	if c.bad || len(c.rest) > 0 || int64(r.Partition) != partition {
		return Record{}, ErrFrame
	}
	return r, nil
}

// frameCursor reads a frame from its start; bad stays set after the first
// thing that is not there.
type frameCursor struct {
	rest []byte
	bad  bool
}

func (c *frameCursor) varint() int64 {
	v, n := binary.Varint(c.rest)
	c.skip(n)
	return v
}

func (c *frameCursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.rest)
	c.skip(n)
	return v
}

func (c *frameCursor) skip(n int) {
	if n <= 0 {
		c.bad, c.rest = true, nil
		return
	}
	c.rest = c.rest[n:]
}

func (c *frameCursor) bytes() []byte {
	n := c.uvarint()
	if n == 0 {
		return nil
	}
	n--
	if n > uint64(len(c.rest)) {
		c.bad, c.rest = true, nil
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

// Frames is the goka codec of the output topics: a *Record, or a frame that is
// ready, as one frame.
type Frames struct{}

// Encode takes a *Record or a frame.
func (Frames) Encode(value any) ([]byte, error) {
	switch v := value.(type) {
	case *Record:
		return AppendFrame(make([]byte, 0, frameSize(v)), v), nil
	case []byte:
		return v, nil
	}
	return nil, fmt.Errorf("output value is a %T, want a *codecs.Record", value)
}

// Decode gives a *Record whose byte slices are parts of data.
func (Frames) Decode(data []byte) (any, error) {
	r, err := ParseFrame(data)
	if err != nil {
		return nil, err
	}
	return &r, nil
}
