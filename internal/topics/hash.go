package topics

import (
	"encoding/binary"
	"hash"
	"strconv"
)

// Partition returns the partition of key in a topic of n partitions, 0 to n-1.
//
// It is Kafka's default partitioner for keyed records: murmur2 over the bytes
// of the key with the sign bit cleared, modulo n. Java producers therefore put
// a customer where we look for it. n must be positive.
//
// Source: Apache Kafka, BuiltInPartitioner.partitionForKey and Utils.murmur2.
func Partition(key []byte, n int32) int32 {
	return int32(mask(murmur2(key)) % uint32(n))
}

// PositionKey returns the key of the position row of a partition in a table of
// n partitions: "~position.<k>" with the smallest k from 0 on that hashes to
// the partition. A customer id cannot begin with "~", so the key is free. It
// panics unless partition is 0 to n-1: no key would ever be found.
func PositionKey(partition, n int32) []byte {
	if partition < 0 || partition >= n {
		panic("partition is " + strconv.Itoa(int(partition)) + ", want less than " + strconv.Itoa(int(n)))
	}
	key := []byte("~position.")
	prefix := len(key)
	for k := int64(0); ; k++ {
		key = strconv.AppendInt(key[:prefix], k, 10)
		if Partition(key, n) == partition {
			return key
		}
	}
}

// NewHasher returns the hash that goka and sarama reduce to a partition number.
// Its sum has no sign bit: both take the absolute value of an int32, which
// leaves math.MinInt32 negative and then indexes with it.
func NewHasher() hash.Hash32 { return &hasher{} }

// hasher collects what is written, since murmur2 begins with the length.
type hasher struct{ key []byte }

func (h *hasher) Write(p []byte) (int, error) {
	h.key = append(h.key, p...)
	return len(p), nil
}

func (h *hasher) Sum32() uint32            { return mask(murmur2(h.key)) }
func (h *hasher) Sum(b []byte) []byte      { return binary.BigEndian.AppendUint32(b, h.Sum32()) }
func (h *hasher) Reset()                   { h.key = h.key[:0] }
func (h *hasher) Size() int                { return 4 }
func (h *hasher) BlockSize() int           { return 4 }
func mask(sum uint32) (withoutSign uint32) { return sum & 0x7fffffff }

// murmur2 is the 32-bit hash of Kafka's Java client, its seed included.
func murmur2(key []byte) uint32 {
	const (
		seed  = 0x9747b28c
		m     = 0x5bd1e995
		shift = 24
	)
	h := seed ^ uint32(len(key))
	for ; len(key) >= 4; key = key[4:] {
		k := binary.LittleEndian.Uint32(key) * m
		k ^= k >> shift
		h = h*m ^ k*m
	}
	switch len(key) {
	case 3:
		h ^= uint32(key[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(key[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(key[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
