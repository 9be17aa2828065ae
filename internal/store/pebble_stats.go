package store

import "time"

// PebbleStats are counts since the database was opened, and sizes as they are.
type PebbleStats struct {
	CacheHits   int64 // blocks that were in memory
	CacheMisses int64 // blocks that were read from the disk
	CacheBytes  int64 // blocks in memory

	MemTableBytes int64 // memory of what waits for the disk
	DiskBytes     int64 // all files

	Compactions    int64         // that ended
	WriteStall     time.Duration // writers waited, one that does included
	OpenIterators  int64         // pages of walks that are being read
	OldestIterator time.Duration // since the longest of these began, 0 if none
}

// Stats returns the counts and sizes; all are zero behind Close. It reads no
// file.
func (p *Pebble) Stats() PebbleStats {
	if !p.gate.enter() {
		return PebbleStats{}
	}
	defer p.gate.leave()
	m := p.db.Metrics()
	s := PebbleStats{
		CacheHits:     m.BlockCache.Hits,
		CacheMisses:   m.BlockCache.Misses,
		CacheBytes:    m.BlockCache.Size,
		MemTableBytes: int64(m.MemTable.Size + m.MemTable.ZombieSize),
		DiskBytes:     int64(m.DiskSpaceUsage()),
		Compactions:   m.Compact.Count,
		WriteStall:    p.health.stallTime(),
	}
	s.OpenIterators, s.OldestIterator = p.iterators()
	return s
}

// iterators returns how many are open, and for how long the oldest.
func (p *Pebble) iterators() (n int64, oldest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for _, began := range p.walks {
		oldest = max(oldest, now.Sub(began))
	}
	return int64(len(p.walks)), oldest
}

// memory is what the database takes of it. The library has it outside of Go's
// heap where it is built with cgo.
func (p *Pebble) memory() int64 {
	m := p.db.Metrics()
	return m.BlockCache.Size + int64(m.MemTable.Size+m.MemTable.ZombieSize)
}

// opened is how many partitions share it.
func (p *Pebble) opened() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(len(p.partitions))
}
