package store

import (
	"iter"
	"slices"
	"strings"
)

// order holds the ids of all rows, sorted by key, in nodes.
type order struct {
	log   *rowLog
	lows  []string // the least key that a node may have; that of the first is ""
	nodes []*node  // none is empty, unless it is the only one
	bytes int      // of the keys in lows
	limit int      // ids of a full node
}

// nodeRows makes a node 4096 bytes.
const nodeRows = 510

// node is a piece of the order. All keys between its low and the next one begin
// alike, also those to come; a head is the four bytes of a key behind that
// beginning. Most comparisons end with the heads and never touch a row.
type node struct {
	n     int
	skip  int // how long that beginning is
	heads [nodeRows]uint32
	ids   [nodeRows]uint32
}

// head returns the four bytes of key behind skip, in an order like that of the
// keys.
func head(key string, skip int) uint32 {
	if k := key[skip:]; len(k) >= 4 {
		return uint32(k[0])<<24 | uint32(k[1])<<16 | uint32(k[2])<<8 | uint32(k[3])
	}
	var h uint32
	for i := range 4 {
		h <<= 8
		if skip+i < len(key) {
			h |= uint32(key[skip+i])
		}
	}
	return h
}

// common returns how long the common beginning of two keys is.
func common(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// of returns the number of the node for key.
func (o *order) of(key string) int {
	if last := len(o.lows) - 1; key >= o.lows[last] {
		return last
	}
	n, found := slices.BinarySearch(o.lows, key)
	if !found {
		n--
	}
	return n
}

// search returns where in its node key is, or belongs.
func (o *order) search(nd *node, key string) (at int, found bool) {
	h := head(key, nd.skip)
	heads := nd.heads[:nd.n]
	if n := nd.n; n == 0 || h > heads[n-1] || h == heads[n-1] && key > o.log.key(nd.ids[n-1]) {
		return n, false // keys that come in order
	}
	low, found := slices.BinarySearch(heads, h)
	if !found {
		return low, false
	}
	same := 1
	if next := low + 1; next < nd.n && heads[next] == h {
		same, _ = slices.BinarySearchFunc(heads[low:], h, func(other, h uint32) int {
			if other > h {
				return 1
			}
			return -1
		})
	}
	at, found = slices.BinarySearchFunc(nd.ids[low:low+same], key, func(id uint32, key string) int {
		return strings.Compare(o.log.key(id), key)
	})
	return low + at, found
}

// insert adds the id of a row whose key is not there.
func (o *order) insert(id uint32, key string) {
	if len(o.nodes) == 0 {
		o.nodes, o.lows = []*node{{}}, []string{""}
	}
	n := o.of(key)
	nd := o.nodes[n]
	at, _ := o.search(nd, key)
	if nd.n >= o.limit {
		if n++; at == nd.n && n == len(o.nodes) {
			o.add(n, key, &node{}) // keys that come in order fill their nodes
		} else {
			o.split(n - 1)
		}
		if key < o.lows[n] {
			n--
		}
		nd = o.nodes[n]
		at, _ = o.search(nd, key)
	}
	copy(nd.heads[at+1:nd.n+1], nd.heads[at:nd.n])
	copy(nd.ids[at+1:nd.n+1], nd.ids[at:nd.n])
	nd.heads[at], nd.ids[at] = head(key, nd.skip), id
	nd.n++
}

// split moves the upper half of a node into a new one behind it.
func (o *order) split(n int) {
	left, right := o.nodes[n], &node{}
	half := left.n / 2
	right.n = copy(right.ids[:], left.ids[half:left.n])
	copy(right.heads[:], left.heads[half:left.n])
	right.skip = left.skip
	left.n = half
	o.add(n+1, o.log.key(right.ids[0]), right)
}

// add puts a node behind another.
func (o *order) add(n int, low string, nd *node) {
	low = strings.Clone(low)
	o.bytes += len(low)
	o.lows = slices.Insert(o.lows, n, low)
	o.nodes = slices.Insert(o.nodes, n, nd)
	o.rehead(n - 1)
	o.rehead(n)
}

// rehead renews the heads of a node whose bounds have changed.
func (o *order) rehead(n int) {
	skip := 0
	if n+1 < len(o.lows) {
		skip = common(o.lows[n], o.lows[n+1])
	}
	nd := o.nodes[n]
	if skip == nd.skip {
		return
	}
	nd.skip = skip
	for i, id := range nd.ids[:nd.n] {
		nd.heads[i] = head(o.log.key(id), skip)
	}
}

// remove takes out the id of key, which must still have its row.
func (o *order) remove(key string) {
	n := o.of(key)
	nd := o.nodes[n]
	at, _ := o.search(nd, key)
	copy(nd.heads[at:], nd.heads[at+1:nd.n])
	copy(nd.ids[at:], nd.ids[at+1:nd.n])
	nd.n--
	if nd.n >= o.limit/8 && nd.n > 0 {
		return
	}
	if !o.merge(n) {
		o.merge(n - 1)
	}
}

// merge puts a node and the next one together, if there are both and they leave
// room: a quarter, unless one is empty.
func (o *order) merge(n int) bool {
	if n < 0 || n+1 >= len(o.nodes) {
		return false
	}
	nd, next := o.nodes[n], o.nodes[n+1]
	if nd.n > 0 && next.n > 0 && (nd.n+next.n)*4 > o.limit*3 {
		return false
	}
	nd.n += copy(nd.ids[nd.n:], next.ids[:next.n])
	o.bytes -= len(o.lows[n+1])
	o.lows = slices.Delete(o.lows, n+1, n+2)
	o.nodes = slices.Delete(o.nodes, n+1, n+2)
	nd.skip = -1 // the heads that have come are of another skip
	o.rehead(n)
	return true
}

// ascend yields the ids of the rows from key on, in order.
func (o *order) ascend(key string) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		if len(o.nodes) == 0 {
			return
		}
		n := o.of(key)
		at, _ := o.search(o.nodes[n], key)
		for ; n < len(o.nodes); n++ {
			for _, id := range o.nodes[n].ids[at:o.nodes[n].n] {
				if !yield(id) {
					return
				}
			}
			at = 0
		}
	}
}

// size returns the bytes that are allocated.
func (o *order) size() int64 {
	return int64(len(o.nodes))*4096 + int64(cap(o.nodes))*8 + int64(cap(o.lows))*16 + int64(o.bytes)
}
