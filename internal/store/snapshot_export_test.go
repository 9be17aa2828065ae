package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// ReadSnapshotBytes reads b as ReadSnapshot reads a file, and says how much
// memory it took for blocks.
func ReadSnapshotBytes(b []byte, each func(key string, value []byte) error) (s Snapshot, memory int, err error) {
	r := newSnapshotReader("state", io.NopCloser(bytes.NewReader(b)), int64(len(b)))
	if err := r.header(); err != nil {
		return Snapshot{}, 0, r.unusable(err)
	}
	s, err = r.read(each)
	return s, cap(r.buf) + cap(r.last), err
}

// Reseal puts right checksums into a snapshot, in place, as far as its lengths
// make sense: so damage gets behind them.
func Reseal(b []byte) {
	if len(b) < headBytes {
		return
	}
	n := headBytes + int(binary.LittleEndian.Uint32(b[headBytes-4:]))
	if n > len(b)-sumBytes {
		return
	}
	sum := crc32.Checksum(b[:n], castagnoli)
	binary.LittleEndian.PutUint32(b[n:], sum)
	chain := chained(0, sum)
	for b = b[n+sumBytes:]; len(b) >= frameBytes; {
		f := parseFrame(b)
		n := frameBytes + int(f.length)
		if n > len(b) {
			return
		}
		if f.rows == 0 && f.length == endBytes {
			binary.LittleEndian.PutUint32(b[n-sumBytes:], chain)
		}
		chain = chained(chain, seal(b[:n], f.rows))
		b = b[n:]
	}
}

// WriteSnapshotTo writes a snapshot to a file that is open.
func WriteSnapshotTo(ctx context.Context, f io.Writer, s Source) error {
	w := &snapshotWriter{to: f, buf: make([]byte, frameBytes)}
	_, err := w.write(ctx, s, Snapshot{})
	return err
}
