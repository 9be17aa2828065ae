package store

import (
	"encoding/binary"
	"math/bits"
)

// rowLog holds the entries, in chunks, and where the entry of each row id is.
type rowLog struct {
	chunks   []chunk
	spare    []uint32 // numbers of chunks that were given up
	maxChunk int
	alloc    int // bytes of all chunks
	live     int // bytes of entries that are rows, or will be

	places []*placePage // by row id
	ids    uint32       // how many ids were ever given out
	free   uint64       // the id given back last, as in places; 0: none

	victim uint32 // the chunk that rows are being moved out of, or none
	scan   int    // how far that is
}

// chunk is a piece of memory with entries one behind the other.
type chunk struct {
	buf  []byte // up to the last entry, all of it while open
	live int    // bytes of its entries that are rows, or will be
	open bool   // entries are being appended
}

// none is a chunk number that no chunk has.
const none = 1<<32 - 1

// A place is where an entry is: the number of its chunk, then its offset in it,
// 32 bits each. The page of a free id holds the id that was freed before it.
type placePage [512]uint64

// freed marks a free id: no chunk has a number like it.
const freed = 1 << 63

func placeOf(chunk uint32, offset int) uint64 { return uint64(chunk)<<32 | uint64(offset) }

// place returns where the row of id is.
func (l *rowLog) place(id uint32) uint64 { return l.places[id/512][id%512] }

func (l *rowLog) setPlace(id uint32, place uint64) { l.places[id/512][id%512] = place }

// newID returns an id that no row has.
func (l *rowLog) newID() uint32 {
	if l.free != 0 {
		id := uint32(l.free - 1)
		l.free = l.place(id) &^ freed
		return id
	}
	if l.ids%512 == 0 {
		l.places = append(l.places, new(placePage))
	}
	l.ids++
	return l.ids - 1
}

// freeID takes an id back.
func (l *rowLog) freeID(id uint32) {
	l.setPlace(id, freed|l.free)
	l.free = uint64(id) + 1
}

// bytes returns what is at a place and behind it.
func (l *rowLog) bytes(place uint64) []byte { return l.chunks[place>>32].buf[uint32(place):] }

// entry returns what is at a place.
func (l *rowLog) entry(place uint64) entry { return readEntry(l.bytes(place)) }

// key returns the key of a row.
func (l *rowLog) key(id uint32) string { return readEntry(l.bytes(l.place(id))).key }

// release takes an entry for dead, and gives its chunk up with its last row.
func (l *rowLog) release(place uint64, size int) {
	n := uint32(place >> 32)
	c := &l.chunks[n]
	c.live -= size
	l.live -= size
	if c.live == 0 && !c.open {
		l.drop(n)
	}
}

// drop gives a chunk up.
func (l *rowLog) drop(n uint32) {
	l.alloc -= cap(l.chunks[n].buf)
	l.chunks[n] = chunk{}
	l.spare = append(l.spare, n)
	if l.victim == n {
		l.victim = none
	}
}

// add makes a chunk.
func (l *rowLog) add(size int) uint32 {
	c := chunk{buf: make([]byte, size), open: true}
	l.alloc += cap(c.buf)
	if n := len(l.spare); n > 0 {
		last := l.spare[n-1]
		l.spare = l.spare[:n-1]
		l.chunks[last] = c
		return last
	}
	l.chunks = append(l.chunks, c)
	return uint32(len(l.chunks) - 1)
}

// end closes a chunk behind its last entry.
func (l *rowLog) end(n uint32, at int) {
	c := &l.chunks[n]
	c.buf, c.open = c.buf[:at], false
	if c.live == 0 {
		l.drop(n)
	}
}

// chunkSize returns how big the next chunk should be, for an entry that does
// not fill an eighth of a full-sized one: small while there is little, so that
// a partition of ten rows costs a page or two.
func (l *rowLog) chunkSize(entry int) int {
	want := max(1<<bits.Len(uint(l.alloc/128)), 1<<bits.Len(uint(8*entry)), 4096)
	return min(want, l.maxChunk)
}

// size returns the bytes that are allocated.
func (l *rowLog) size() int64 {
	return int64(l.alloc) + int64(len(l.places))*(512*8+8) + int64(cap(l.chunks))*40 + int64(cap(l.spare))*4
}

// entry is a row as it lies in a chunk.
type entry struct {
	id    uint32
	size  int // of all of it
	key   string
	value []byte
}

// An entry is its row's id in 4 bytes, little-endian, the lengths of its key
// and of its value, each as a uvarint, the key and the value.

func entrySize(key, value int) int { return 4 + varintSize(key) + varintSize(value) + key + value }

func varintSize(n int) int { return (bits.Len(uint(n)|1) + 6) / 7 }

// putEntry writes an entry, still without an id, and returns its key there.
func putEntry(b []byte, key string, value []byte) string {
	at := 4 + binary.PutUvarint(b[4:], uint64(len(key)))
	at += binary.PutUvarint(b[at:], uint64(len(value)))
	own := text(b[at : at+len(key)])
	at += copy(b[at:], key)
	copy(b[at:], value)
	return own
}

func putID(b []byte, id uint32) { binary.LittleEndian.PutUint32(b, id) }

// readEntry reads the entry that b begins with.
func readEntry(b []byte) entry {
	key, n := uvarint(b[4:])
	value, m := uvarint(b[4+n:])
	at := 4 + n + m
	size := at + key + value
	return entry{
		id:    binary.LittleEndian.Uint32(b),
		size:  size,
		key:   text(b[at : at+key]),
		value: b[at+key : size : size],
	}
}

// uvarint is binary.Uvarint of a number that is known to be there, which is
// mostly of one byte or two.
func uvarint(b []byte) (value, size int) {
	if b[0] < 0x80 {
		return int(b[0]), 1
	}
	if b[1] < 0x80 {
		return int(b[0]&0x7f) | int(b[1])<<7, 2
	}
	v, n := binary.Uvarint(b)
	return int(v), n
}
