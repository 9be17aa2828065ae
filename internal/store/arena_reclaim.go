package store

// tail is where entries are appended.
type tail struct {
	chunk uint32
	at    int
	space int // bytes of the chunk, 0 before the first
}

// move is a row that has got a new place.
type move struct {
	place uint64
	id    uint32
	size  int
}

const (
	// deadShare is how much of the chunks may be dead: one part in deadShare.
	// Under uniform updates a chunk is then left when a quarter of it is dead,
	// so that each update moves three rows beside its own.
	deadShare = 7
	// reclaimPace is how many bytes are gone over at most per byte that comes or
	// dies. The worst chunk has its share of the dead at least, so deadShare
	// keeps up.
	reclaimPace = deadShare + 1
)

// reserve returns the place of a new entry behind a tail. The entry counts as a
// row's from now on.
func (a *Arena) reserve(t *tail, size int) uint64 {
	l := &a.log
	if size > l.maxChunk/8 {
		return a.reserveAlone(size)
	}
	if t.at+size > t.space {
		a.mu.Lock()
		if t.space > 0 {
			l.end(t.chunk, t.at)
		}
		n := l.chunkSize(size)
		*t = tail{chunk: l.add(n), space: n}
		a.mu.Unlock()
	}
	at := t.at
	t.at += size
	l.chunks[t.chunk].live += size
	l.live += size
	return placeOf(t.chunk, at)
}

// reserveAlone gives a big entry a chunk of its own, which goes when it dies.
func (a *Arena) reserveAlone(size int) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.log.add(size)
	c := &a.log.chunks[n]
	c.live, c.open = size, false
	a.log.live += size
	return placeOf(n, 0)
}

// reclaim moves rows out of chunks with many dead bytes while there are too
// many of those, and works as long as the bytes that have come or died since
// the last time are worth.
func (a *Arena) reclaim(bytes int) {
	for budget := reclaimPace * bytes; budget > 0; {
		if a.log.victim == none && !a.choose() {
			return
		}
		budget -= a.evacuate(budget)
	}
}

// choose takes the chunk with the greatest share of dead bytes as the victim,
// unless there are few enough of them in all.
func (a *Arena) choose() bool {
	l := &a.log
	dead := l.alloc - l.live
	for _, t := range []*tail{&a.warm, &a.cold} {
		if t.space > 0 {
			dead -= t.space - l.chunks[t.chunk].live
		}
	}
	if dead*deadShare <= l.alloc {
		return false
	}
	worst, most := uint32(none), 0.0
	for n, c := range l.chunks {
		if c.open || c.buf == nil {
			continue
		}
		if share := 1 - float64(c.live)/float64(cap(c.buf)); share > most {
			worst, most = uint32(n), share
		}
	}
	l.victim, l.scan = worst, 0
	return worst != none
}

// evacuate copies some rows of the victim to the cold tail, shows readers where
// they are, and returns how many bytes it went over. Copying needs no lock:
// nobody else writes, and nobody reads the copies yet.
func (a *Arena) evacuate(budget int) int {
	l := &a.log
	victim, from := l.victim, l.scan
	buf := l.chunks[victim].buf
	a.moved = a.moved[:0]
	for l.scan < len(buf) && l.scan-from < budget && len(a.moved) < arenaBatch {
		e := readEntry(buf[l.scan:])
		if l.ids > e.id && l.place(e.id) == placeOf(victim, l.scan) {
			to := a.reserve(&a.cold, e.size)
			copy(l.bytes(to), buf[l.scan:l.scan+e.size])
			a.moved = append(a.moved, move{place: to, id: e.id, size: e.size})
		}
		l.scan += e.size
	}
	went := l.scan - from
	ended := l.scan == len(buf)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.moved {
		old := l.place(m.id)
		l.setPlace(m.id, m.place)
		l.release(old, m.size)
	}
	if ended && l.victim == victim {
		l.drop(victim) // it has no row left
	}
	return went
}
