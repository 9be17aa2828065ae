package store

import (
	"slices"
	"strings"
)

// chunkKeys is how many keys a chunk holds at most. A new key moves half a
// chunk on average, and a split moves the list of chunks: 512 keeps both small
// from a hundred keys to ten million.
const chunkKeys = 512

// index is a sorted list of different keys, in chunks. No chunk is empty.
type index struct{ chunks [][]string }

// chunk returns the number of the last chunk that begins at or before key, 0 if
// none does.
func (x *index) chunk(key string) int {
	n, found := slices.BinarySearchFunc(x.chunks, key, func(c []string, k string) int {
		return strings.Compare(c[0], k)
	})
	if !found && n > 0 {
		n--
	}
	return n
}

// insert adds key, which must not be there.
func (x *index) insert(key string) {
	if len(x.chunks) == 0 {
		x.chunks = [][]string{{key}}
		return
	}
	n := x.chunk(key)
	c := x.chunks[n]
	at, _ := slices.BinarySearch(c, key)
	c = slices.Insert(c, at, key)
	x.chunks[n] = c
	if len(c) <= chunkKeys {
		return
	}
	half := len(c) / 2
	back := slices.Clone(c[half:])
	clear(c[half:])
	x.chunks[n] = c[:half]
	x.chunks = slices.Insert(x.chunks, n+1, back)
}

// remove takes key out, if it is there.
func (x *index) remove(key string) {
	if len(x.chunks) == 0 {
		return
	}
	n := x.chunk(key)
	at, ok := slices.BinarySearch(x.chunks[n], key)
	if !ok {
		return
	}
	x.chunks[n] = slices.Delete(x.chunks[n], at, at+1)
	if len(x.chunks[n]) == 0 {
		x.chunks = slices.Delete(x.chunks, n, n+1)
	}
}

// from returns the keys of one chunk that are key or greater, at least one
// unless there is none at all, and whether chunks follow. They are the index's
// own.
func (x *index) from(key string) (keys []string, more bool) {
	if len(x.chunks) == 0 {
		return nil, false
	}
	n := x.chunk(key)
	at, _ := slices.BinarySearch(x.chunks[n], key)
	if at == len(x.chunks[n]) {
		if n++; n == len(x.chunks) {
			return nil, false
		}
		at = 0
	}
	return x.chunks[n][at:], n+1 < len(x.chunks)
}
