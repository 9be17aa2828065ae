package store

import "fmt"

// NewTinyArena returns a store in which a few rows do what takes millions
// outside of tests: chunks fill and are evacuated, segments and nodes split.
// hash is how many bits of the hash are used.
func NewTinyArena(hash int) *Arena {
	return newArena(limits{rows: 1 << 20, chunk: 1 << 9, slots: 16, node: 16, hash: ^(1<<(64-hash) - 1)})
}

// NewArenaOf returns a store of n rows at most.
func NewArenaOf(n int) *Arena {
	l := standard
	l.rows = n
	return newArena(l)
}

// Recount goes over all that the store has, and returns what it keeps count of
// elsewhere: the bytes that are allocated. It is an error if parts of the store
// do not agree.
func (a *Arena) Recount() (Size, error) {
	a.writer.Lock()
	defer a.writer.Unlock()
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, check := range []func() error{a.checkHash, a.checkOrder, a.checkLog} {
		if err := check(); err != nil {
			return Size{}, err
		}
	}
	n := int64(cap(a.log.chunks)*40 + cap(a.log.spare)*4 + len(a.log.places)*(512*8+8))
	for _, c := range a.log.chunks {
		n += int64(cap(c.buf))
	}
	seen := map[*segment]bool{}
	for _, s := range a.hash.segments {
		if !seen[s] {
			n += int64(len(s.slots)*8 + 48)
		}
		seen[s] = true
	}
	n += int64(cap(a.hash.segments)*8 + cap(a.order.lows)*16 + cap(a.order.nodes)*8 + len(a.order.nodes)*4096)
	for _, low := range a.order.lows {
		n += int64(len(low))
	}
	return Size{Memory: n}, nil
}

// checkLog compares the bytes that live with the rows, and the dead with what
// reclaim leaves.
func (a *Arena) checkLog() error {
	l := &a.log
	live := make([]int, len(l.chunks))
	total := 0
	for id := range a.order.ascend("") {
		p := l.place(id)
		e := l.entry(p)
		if e.id != id {
			return fmt.Errorf("entry of row %d says %d", id, e.id)
		}
		live[p>>32] += e.size
		total += e.size
	}
	for n, c := range l.chunks {
		if c.live != live[n] {
			return fmt.Errorf("chunk %d has %d live bytes, want %d", n, c.live, live[n])
		}
		if c.live == 0 && !c.open && c.buf != nil {
			return fmt.Errorf("chunk %d has no row, want it dropped", n)
		}
	}
	if l.live != total {
		return fmt.Errorf("live bytes are %d, want %d", l.live, total)
	}
	open := 0 // bytes of open chunks that are not alive: not used yet, or dead
	for _, c := range l.chunks {
		if c.open {
			open += cap(c.buf) - c.live
		}
	}
	if dead := l.alloc - l.live - open; dead > l.alloc/3 && dead > 3*l.maxChunk {
		return fmt.Errorf("of %d bytes %d are dead, want a third at most", l.alloc, dead)
	}
	return nil
}

// checkHash looks every row of the order up.
func (a *Arena) checkHash() error {
	n := 0
	for id := range a.order.ascend("") {
		key := a.log.key(id)
		if got, ok := a.hash.find(a.tag(key), key); !ok || got != id {
			return fmt.Errorf("hash says row %d, %t for %q, want %d", got, ok, key, id)
		}
		n++
	}
	used, seen := 0, map[*segment]bool{}
	for i, s := range a.hash.segments {
		if !seen[s] {
			used += s.used
		}
		seen[s] = true
		if s.depth > a.hash.depth || a.hash.segments[i>>(a.hash.depth-s.depth)<<(a.hash.depth-s.depth)] != s {
			return fmt.Errorf("segment at %d is of depth %d in %d", i, s.depth, a.hash.depth)
		}
	}
	if used != n || a.hash.rows != n || len(seen) != a.hash.count {
		return fmt.Errorf("hash has %d rows in %d segments and says %d in %d, want %d rows", used, len(seen), a.hash.rows, a.hash.count, n)
	}
	return nil
}

// checkOrder checks nodes and their heads.
func (a *Arena) checkOrder() error {
	o := &a.order
	for i, nd := range o.nodes {
		if nd.n == 0 && len(o.nodes) > 1 {
			return fmt.Errorf("node %d is empty", i)
		}
		for j, id := range nd.ids[:nd.n] {
			key := o.log.key(id)
			switch {
			case nd.heads[j] != head(key, nd.skip):
				return fmt.Errorf("head of %q behind %d is %x", key, nd.skip, nd.heads[j])
			case key < o.lows[i] || i+1 < len(o.lows) && key >= o.lows[i+1]:
				return fmt.Errorf("key %q is in node %d", key, i)
			case j > 0 && key <= o.log.key(nd.ids[j-1]):
				return fmt.Errorf("key %q is behind %q", key, o.log.key(nd.ids[j-1]))
			}
		}
	}
	return nil
}

// Shape returns how many segments, nodes and chunks there are.
func (a *Arena) Shape() (segments, nodes, chunks int) {
	return a.hash.count, len(a.order.nodes), len(a.log.chunks) - len(a.log.spare)
}

// LongestProbe returns how many slots the longest search for a row goes over.
func (a *Arena) LongestProbe() int {
	longest := 0
	for _, s := range a.hash.segments {
		for i, slot := range s.slots {
			if slot != 0 {
				n := (i-s.home(uint32(slot>>32))+len(s.slots))%len(s.slots) + 1
				longest = max(longest, n)
			}
		}
	}
	return longest
}
