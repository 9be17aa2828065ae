package store

import "math/bits"

// hashIndex finds the id of a key's row: a directory of segments by the upper
// bits of the tag, and in a segment open addressing. A segment that gets too
// big splits, so that no insert works on more than one (extendible hashing).
type hashIndex struct {
	log      *rowLog
	segments []*segment // 1<<depth; a segment of less depth is there more than once
	depth    int
	rows     int
	slots    int // of all segments
	count    int // of different segments
	maxSlots int
}

// segment holds the rows whose tags begin with the same depth bits.
type segment struct {
	slots []uint64 // a tag and its row's id+1, 32 bits each; 0: empty
	used  int
	depth int
}

func newHashIndex(l *rowLog, maxSlots int) hashIndex {
	s := newSegment(0, 0)
	return hashIndex{log: l, segments: []*segment{s}, slots: len(s.slots), count: 1, maxSlots: maxSlots}
}

// newSegment has room for rows and some more, and fills what its allocation
// gets anyway.
func newSegment(depth, rows int) *segment {
	s := append([]uint64(nil), make([]uint64, wantSlots(rows))...)
	return &segment{slots: s[:cap(s)], depth: depth}
}

// wantSlots is how many slots are right for so many rows: three of four used,
// to grow when seven of eight are.
func wantSlots(rows int) int { return rows + rows/3 + 8 }

// home is where the search for a tag begins: its bits below those of the
// directory, scaled to the slots.
func (s *segment) home(tag uint32) int {
	return int(uint64(tag<<s.depth) * uint64(len(s.slots)) >> 32)
}

func (s *segment) next(i int) int {
	if i++; i < len(s.slots) {
		return i
	}
	return 0
}

// put adds what is not there, while there is an empty slot.
func (s *segment) put(slot uint64) {
	i := s.home(uint32(slot >> 32))
	for s.slots[i] != 0 {
		i = s.next(i)
	}
	s.slots[i] = slot
	s.used++
}

// of returns the segment of a tag.
func (x *hashIndex) of(tag uint32) *segment { return x.segments[tag>>(32-x.depth)] }

// find returns the id of key's row.
func (x *hashIndex) find(tag uint32, key string) (id uint32, ok bool) {
	s := x.of(tag)
	for i := s.home(tag); s.slots[i] != 0; i = s.next(i) {
		if slot := s.slots[i]; uint32(slot>>32) == tag {
			if id := uint32(slot) - 1; x.log.key(id) == key {
				return id, true
			}
		}
	}
	return 0, false
}

// guess returns the id+1 of a row that has the tag, 0 if none has.
func (x *hashIndex) guess(tag uint32) uint32 {
	s := x.of(tag)
	i := s.home(tag)
	for s.slots[i] != 0 && uint32(s.slots[i]>>32) != tag {
		i = s.next(i)
	}
	return uint32(s.slots[i])
}

// insert adds a row that is not there.
func (x *hashIndex) insert(tag, id uint32) {
	s := x.of(tag)
	for (s.used+1)*8 > len(s.slots)*7 {
		x.grow(s, tag)
		s = x.of(tag)
	}
	s.put(slotOf(tag, id))
	x.rows++
}

func slotOf(tag, id uint32) uint64 { return uint64(tag)<<32 | uint64(id+1) }

// grow makes room in the segment s of tag.
func (x *hashIndex) grow(s *segment, tag uint32) {
	if wantSlots(s.used) > x.maxSlots && s.depth < x.maxDepth() {
		x.split(s, tag)
		return
	}
	wide := newSegment(s.depth, s.used)
	for _, slot := range s.slots {
		if slot != 0 {
			wide.put(slot)
		}
	}
	x.slots += len(wide.slots) - len(s.slots)
	s.slots = wide.slots
}

// maxDepth keeps the directory small even if tags begin alike, which they do
// not: a segment then grows instead.
func (x *hashIndex) maxDepth() int { return min(bits.Len(uint(16*x.rows/x.maxSlots)), 31) }

// split puts two segments in the place of one.
func (x *hashIndex) split(s *segment, tag uint32) {
	if s.depth == x.depth {
		x.double()
	}
	var rows [2]int
	bit := 63 - s.depth // of a slot
	for _, slot := range s.slots {
		if slot != 0 {
			rows[slot>>bit&1]++
		}
	}
	halves := [2]*segment{newSegment(s.depth+1, rows[0]), newSegment(s.depth+1, rows[1])}
	for _, slot := range s.slots {
		if slot != 0 {
			halves[slot>>bit&1].put(slot)
		}
	}
	each := 1 << (x.depth - s.depth - 1) // entries of the directory for a half
	first := int(tag>>(32-s.depth)) * 2 * each
	for i := range each {
		x.segments[first+i], x.segments[first+each+i] = halves[0], halves[1]
	}
	x.slots += len(halves[0].slots) + len(halves[1].slots) - len(s.slots)
	x.count++
}

// double gives the directory a bit more.
func (x *hashIndex) double() {
	wide := make([]*segment, 2*len(x.segments))
	for i, s := range x.segments {
		wide[2*i], wide[2*i+1] = s, s
	}
	x.segments = wide
	x.depth++
}

// remove takes out a row that is there, and moves those behind it that would
// not be found across the gap.
func (x *hashIndex) remove(tag, id uint32) {
	s := x.of(tag)
	gap := s.home(tag)
	for s.slots[gap] != slotOf(tag, id) {
		gap = s.next(gap)
	}
	for i := s.next(gap); s.slots[i] != 0; i = s.next(i) {
		home := s.home(uint32(s.slots[i] >> 32))
		if between := gap < home && home <= i || i < gap && (gap < home || home <= i); !between {
			s.slots[gap] = s.slots[i]
			gap = i
		}
	}
	s.slots[gap] = 0
	s.used--
	x.rows--
}

// size returns the bytes that are allocated.
func (x *hashIndex) size() int64 {
	return int64(x.slots)*8 + int64(x.count)*48 + int64(cap(x.segments))*8
}
