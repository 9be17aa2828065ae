package store

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"unsafe"
)

// ReadSnapshot reads a snapshot to its end and says what it is. each gets the
// rows by ascending key, those of a block once its checksum is right; it must
// neither write to key and value nor keep them. It may be nil. Its error ends
// the reading, and is what ReadSnapshot returns.
//
// An *UnusableError says why the file cannot serve: it is missing, corrupt, or
// in a format that this program does not know (version). Rows that came before
// are not to be relied upon then: they may be a part of what was written. Other
// errors are of the system's making.
func ReadSnapshot(name string, each func(key string, value []byte) error) (Snapshot, error) {
	r, err := openSnapshot(name)
	if err != nil {
		return Snapshot{}, err
	}
	defer r.file.Close()
	return r.read(each)
}

// snapshotReader takes a file apart.
type snapshotReader struct {
	Snapshot // Through and Rows are known at the end
	name     string
	file     io.ReadCloser
	left     int64 // bytes of the file that are still to be read

	buf   []byte // the block
	last  []byte // the last key of the block before
	rows  int64
	chain uint32
	done  bool  // the end was read, and is right
	err   error // why it was not
}

// openSnapshot opens a file and reads its header.
func openSnapshot(name string) (*snapshotReader, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &UnusableError{Reason: "missing", File: name, Err: err}
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r := newSnapshotReader(name, f, info.Size())
	if err := r.header(); err != nil {
		return nil, errors.Join(r.unusable(err), f.Close())
	}
	return r, nil
}

// newSnapshotReader returns the reader of a file of size bytes: it takes no more
// memory than they justify.
func newSnapshotReader(name string, f io.ReadCloser, size int64) *snapshotReader {
	return &snapshotReader{Snapshot: Snapshot{Bytes: size}, name: name, file: f, left: size}
}

// unusable fills in the file's name, if err says that the file is to blame.
func (r *snapshotReader) unusable(err error) error {
	if u, ok := errors.AsType[*UnusableError](err); ok {
		u.File = r.name
	}
	return err
}

// next appends the next n bytes of the file to dst.
func (r *snapshotReader) next(dst []byte, n int) ([]byte, error) {
	if int64(n) > r.left {
		return nil, corrupt("file goes on for %d bytes, want %d", r.left, n)
	}
	old := len(dst)
	dst = slices.Grow(dst, n)[:old+n]
	got, err := io.ReadFull(r.file, dst[old:])
	r.left -= int64(got)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, corrupt("file ends behind %d bytes, want %d", got, n)
	}
	return dst, err
}

func (r *snapshotReader) header() error {
	b, err := r.next(nil, headBytes)
	if err != nil {
		return err
	}
	text, err := parseHead(b)
	if err != nil {
		return err
	}
	if b, err = r.next(b, text+sumBytes); err != nil {
		return err
	}
	s, sum, err := parseHeader(b)
	if err != nil {
		return err
	}
	s.Bytes = r.Bytes
	r.Snapshot, r.chain = s, chained(0, sum)
	return nil
}

// read reads all that comes behind the header.
func (r *snapshotReader) read(each func(key string, value []byte) error) (Snapshot, error) {
	var stopped error
	r.each(func(key string, value []byte) bool {
		if each != nil {
			stopped = each(key, value)
		}
		return stopped == nil
	})
	if stopped != nil {
		return r.Snapshot, stopped
	}
	return r.Snapshot, r.err
}

// each yields the rows that are behind the header. It ends after the last one,
// when the file turns out to be bad, or when yield says so: then done tells,
// and err.
func (r *snapshotReader) each(yield func(key string, value []byte) bool) {
	for on := true; on && !r.done && r.err == nil; {
		on, r.err = r.block(yield)
		r.err = r.unusable(r.err)
	}
}

// block reads a block, and yields its rows if it is right.
func (r *snapshotReader) block(yield func(string, []byte) bool) (on bool, err error) {
	at := r.Bytes - r.left
	if r.buf, err = r.next(r.buf[:0], frameBytes); err != nil {
		return false, err
	}
	f := parseFrame(r.buf)
	if f.length > maxBlock {
		return false, corrupt("block at byte %d is %d bytes, want %d at most", at, f.length, maxBlock)
	}
	if r.buf, err = r.next(r.buf, int(f.length)); err != nil {
		return false, err
	}
	body := r.buf[frameBytes:]
	if sum := blockSum(r.buf, body); sum != f.sum {
		return false, corrupt("checksum of the block at byte %d is %08x, want %08x", at, sum, f.sum)
	}
	if f.rows == 0 {
		return false, r.end(body)
	}
	r.chain = chained(r.chain, f.sum)
	return r.split(body, int(f.rows), at, yield)
}

// split yields the rows of a block.
func (r *snapshotReader) split(b []byte, rows int, at int64, yield func(string, []byte) bool) (on bool, err error) {
	last := unsafe.String(unsafe.SliceData(r.last), len(r.last))
	for i := range rows {
		key, value, rest, ok := cutRow(b)
		if !ok {
			return false, corrupt("block at byte %d has %d rows, want %d", at, i, rows)
		}
		if key <= last && r.rows > 0 {
			return false, corrupt("row %d of the block at byte %d is not behind the one before, want ascending keys", i, at)
		}
		b, last = rest, key
		r.rows++
		if !yield(key, value) {
			return false, nil
		}
	}
	if len(b) > 0 {
		return false, corrupt("block at byte %d goes on for %d bytes behind its rows, want none", at, len(b))
	}
	r.last = append(r.last[:0], last...) // the block's memory is used again
	return true, nil
}

// cutRow takes the first row off b.
func cutRow(b []byte) (key string, value, rest []byte, ok bool) {
	k, n := binary.Uvarint(b)
	if n <= 0 {
		return "", nil, nil, false
	}
	b = b[n:]
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return "", nil, nil, false
	}
	b = b[n:]
	if size := uint64(len(b)); k > size || v > size-k {
		return "", nil, nil, false
	}
	return unsafe.String(unsafe.SliceData(b), k), b[k : k+v : k+v], b[k+v:], true
}

// end checks the end against what was read.
func (r *snapshotReader) end(b []byte) error {
	e, err := parseEnd(b)
	switch {
	case err != nil:
		return err
	case e.chain != r.chain:
		return corrupt("checksum of all blocks is %08x, want %08x", r.chain, e.chain)
	case e.rows != r.rows:
		return corrupt("file has %d rows, want %d", r.rows, e.rows)
	case e.through < r.From:
		return corrupt("offset at the end is %d, want %d at least", e.through, r.From)
	case r.left > 0:
		return corrupt("file goes on for %d bytes behind its end, want none", r.left)
	}
	r.Rows, r.Through, r.done = e.rows, e.through, true
	return nil
}
