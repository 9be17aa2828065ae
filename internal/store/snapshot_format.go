package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"time"
)

// A snapshot is a file of a header, blocks of rows, and an end. Numbers are
// little endian, checksums CRC-32C.
//
//	header  magic (8 bytes), version (4), length of the text (4), text: JSON,
//	        checksum of all this (4)
//	block   length of the rows (4), how many (4), checksum of these two numbers
//	        and of the rows (4), rows: length of the key and of the value as
//	        varints, key, value; by ascending key, over all blocks
//	end     a block of 0 rows; in their place how many there are in all blocks
//	        (8), the offset when the walk ended (8), and a checksum of the
//	        checksums of the header and of the blocks (4)
//
// Nothing comes behind the end, so that a file that was cut at any byte has
// none. The form of the header is the same in all versions: an older program
// can tell a newer file from a damaged one.
const (
	magic         = "BSSNAP\r\n" // the line's end shows a copy that was made as text
	formatVersion = 1

	headBytes  = len(magic) + 4 + 4 // what is before the text
	maxText    = 1 << 16
	frameBytes = 4 + 4 + 4 // what is before the rows of a block
	endBytes   = 8 + 8 + 4
	sumBytes   = 4

	// blockBytes is when a block is full: small enough to be in the cache of a
	// processor when its rows are used.
	blockBytes = 64 << 10
	// maxBlock bounds a block of one row, which may be larger.
	maxBlock = 1 << 30
)

// castagnoli is the polynomial that processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// snapshotHeader is the text of the header.
type snapshotHeader struct {
	Cluster    string    `json:"cluster"`
	Topic      string    `json:"topic"`
	TopicID    string    `json:"topic_id"`
	Partition  int32     `json:"partition"`
	Partitions int32     `json:"partitions"`
	From       int64     `json:"from"`
	At         time.Time `json:"at"`
}

// appendHeader appends the header of s and returns its checksum too.
func appendHeader(dst []byte, s *Snapshot) ([]byte, uint32, error) {
	text, err := json.Marshal(snapshotHeader{s.Cluster, s.Topic, s.TopicID, s.Partition, s.Partitions, s.From, s.At})
	if err != nil {
		return nil, 0, fmt.Errorf("write header: %w", err)
	}
	if len(text) > maxText {
		return nil, 0, fmt.Errorf("header is %d bytes, want %d at most", len(text), maxText)
	}
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint32(dst, formatVersion)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(text)))
	dst = append(dst, text...)
	sum := crc32.Checksum(dst, castagnoli)
	return binary.LittleEndian.AppendUint32(dst, sum), sum, nil
}

// parseHead looks at what is before the text, and returns how long that is.
func parseHead(head []byte) (text int, err error) {
	if !bytes.HasPrefix(head, []byte(magic)) {
		return 0, corrupt("file begins with %q, want %q", head[:len(magic)], magic)
	}
	n := binary.LittleEndian.Uint32(head[len(magic)+4:])
	if n > maxText {
		return 0, corrupt("header is %d bytes, want %d at most", n, maxText)
	}
	return int(n), nil
}

// parseHeader takes a whole header, with its checksum.
func parseHeader(b []byte) (s Snapshot, sum uint32, err error) {
	b, sum = b[:len(b)-sumBytes], binary.LittleEndian.Uint32(b[len(b)-sumBytes:])
	if got := crc32.Checksum(b, castagnoli); got != sum {
		return s, 0, corrupt("checksum of the header is %08x, want %08x", got, sum)
	}
	if v := binary.LittleEndian.Uint32(b[len(magic):]); v != formatVersion {
		return s, 0, &UnusableError{Reason: "version", Err: fmt.Errorf("format is %d, want %d", v, formatVersion)}
	}
	var h snapshotHeader
	if err := json.Unmarshal(b[headBytes:], &h); err != nil {
		return s, 0, corrupt("read header: %w", err)
	}
	return Snapshot{Origin: Origin{h.Cluster, h.Topic, h.TopicID, h.Partition, h.Partitions}, From: h.From, At: h.At.UTC()}, sum, nil
}

// frame is what is before the rows of a block.
type frame struct {
	length, rows, sum uint32
}

func parseFrame(b []byte) frame {
	n := func(i int) uint32 { return binary.LittleEndian.Uint32(b[4*i:]) }
	return frame{n(0), n(1), n(2)}
}

// seal fills in the frame of a block: it is in the first bytes of block, the
// rows are behind it.
func seal(block []byte, rows uint32) (sum uint32) {
	binary.LittleEndian.PutUint32(block, uint32(len(block)-frameBytes))
	binary.LittleEndian.PutUint32(block[4:], rows)
	sum = blockSum(block, block[frameBytes:])
	binary.LittleEndian.PutUint32(block[8:], sum)
	return sum
}

// blockSum is the checksum of the two numbers of a frame and of what is behind it.
func blockSum(frame, rows []byte) uint32 {
	return crc32.Update(crc32.Checksum(frame[:8], castagnoli), castagnoli, rows)
}

// chained adds a checksum to the checksum of checksums.
func chained(chain, sum uint32) uint32 {
	var b [sumBytes]byte
	binary.LittleEndian.PutUint32(b[:], sum)
	return crc32.Update(chain, castagnoli, b[:])
}

// end is the rows' place of the last block.
type end struct {
	rows, through int64
	chain         uint32
}

func (e end) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.rows))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.through))
	return binary.LittleEndian.AppendUint32(dst, e.chain)
}

func parseEnd(b []byte) (e end, err error) {
	if len(b) != endBytes {
		return e, corrupt("end is %d bytes, want %d", len(b), endBytes)
	}
	n := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[i:])) }
	return end{n(0), n(8), binary.LittleEndian.Uint32(b[16:])}, nil
}

// corrupt is an *UnusableError whose File is still to be filled in.
func corrupt(format string, args ...any) *UnusableError {
	return &UnusableError{Reason: "corrupt", Err: fmt.Errorf(format, args...)}
}
