// Package codecs turns bytes on the wire into values and back, one file per
// kind of record. It decides nothing: whether a value makes sense is the
// domain's question.
package codecs

// Header is one record header. Kafka keeps their order and allows repeats.
type Header struct {
	Key   string
	Value []byte
}

// Record is a record to be written: everything that goka's Emit cannot carry
// beside the value.
type Record struct {
	Partition int32  // -1: where the hash of the key says
	Timestamp int64  // milliseconds since 1970; 0: now
	Key       []byte // nil is a null key, which is not an empty one
	Headers   []Header
	Value     []byte
}
