package eos

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Role says what a copy of a table is for.
type Role string

// The roles of a table's copy.
const (
	Active  Role = "active"  // the processor's own state
	View    Role = "view"    // the copy that answers lookups
	Standby Role = "standby" // a warm copy of a partition that is owned elsewhere
)

// RecoveryConfig is what a Recovery needs.
type RecoveryConfig struct {
	Table string // the changelog topic
	Role  Role

	// Start returns the offset of the oldest record of the changelog.
	Start func(ctx context.Context, topic string, partition int32) (int64, error)
	// End returns where recovery ends: one past the last data record that a
	// reader of committed records can see, or the oldest offset if there is
	// none. It may wait for open transactions until ctx ends, and tells blocked
	// the first offset of the one that it waits for.
	End func(ctx context.Context, topic string, partition int32, blocked func(offset int64)) (int64, error)
	// CheckRow is asked for every row that is recovered, CheckEnd once all rows
	// of a partition are there. An error refuses the table: no retry can help.
	// Both may be nil; the bytes must not be kept.
	CheckRow func(partition int32, key string, value []byte) error
	CheckEnd func(partition int32, get func(key string) ([]byte, error)) error
	// OnRefused is called once with the first refusal. It may be nil.
	OnRefused func(error)

	Registerer prometheus.Registerer
	Log        *slog.Logger
	Now        func() time.Time // nil: time.Now
}

// Recovery brings a copy of a table up to date from its changelog, all or
// nothing: a partition is ready only if every row below the announced end has
// been stored. goka's own states do not prove that: it takes an interrupted or
// out-of-range read for a finished one.
type Recovery struct {
	cfg      RecoveryConfig
	rows     atomic.Int64 // of the changelog
	snapshot atomic.Int64 // rows of snapshots
	duration prometheus.Histogram

	mu      sync.Mutex
	parts   map[int32]*partition
	refusal error
	broken  error // why a recovery of this session broke off
}

// NewRecovery returns a recovery and registers its metrics. Two may share a
// registry if table or role differ.
func NewRecovery(cfg RecoveryConfig) *Recovery {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	r := &Recovery{cfg: cfg, parts: map[int32]*partition{}}
	r.register(cfg.Registerer)
	return r
}

// Ready reports whether a partition has recovered. If not, remaining is how
// many offsets are still to be read, and negative while that is unknown.
func (r *Recovery) Ready(partition int32) (remaining int64, ok bool) {
	p := r.find(partition)
	if p == nil {
		return -1, false
	}
	return p.ready()
}

// Refused returns why the table cannot be used, nil if it can. It is a
// *RefusedError.
func (r *Recovery) Refused() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refusal
}

// refuse keeps the first refusal: goka passes on nothing but its text.
func (r *Recovery) refuse(err error) error {
	err = refused(err)
	r.mu.Lock()
	first := r.refusal == nil
	if first {
		r.refusal = err
	}
	r.mu.Unlock()
	if first && r.cfg.OnRefused != nil {
		r.cfg.OnRefused(err)
	}
	return err
}

// broke keeps why a recovery broke off, and returns it. The first reason stays:
// goka interrupts the other partitions because of it.
func (r *Recovery) broke(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken == nil {
		r.broken = err
	}
	r.cfg.Log.Warn("recovery broke off", "table", r.cfg.Table, "role", r.cfg.Role, "err", err)
	return err
}

// takeBroken returns what broke kept and forgets it.
func (r *Recovery) takeBroken() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.broken
	r.broken = nil
	return err
}

// expect makes the partitions known before goka gets to them.
func (r *Recovery) expect(partitions []int32) {
	for _, n := range partitions {
		r.begin(n)
	}
}

// begin starts the recovery of a partition anew.
func (r *Recovery) begin(n int32) *partition {
	p := &partition{r: r, number: n, stored: notStored, began: r.cfg.Now(), state: initializing, rate: rate{now: r.cfg.Now}}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.parts[n] = p
	return p
}

// resume returns the recovery of a base that is to be brought up to date. Who
// follows it and connects again stays ready meanwhile: it trails, as before.
func (r *Recovery) resume(base *Base) *partition {
	p := r.find(base.number)
	if r.cfg.Role != Active && p != nil && p.running() && base.Whole() {
		return &partition{r: r, number: base.number, stored: notStored, began: r.cfg.Now(), state: initializing, rate: rate{now: r.cfg.Now}}
	}
	return r.begin(base.number)
}

// loaded counts the rows that came with a store. Only those of a snapshot were
// read, and have a bound: a database's stay where they are.
func (r *Recovery) loaded(base *Base) {
	if rows, ok := base.Rows().(interface{ Len() int }); ok && base.bound.Load() > 0 {
		r.snapshot.Add(int64(rows.Len()))
	}
}

// forget drops partitions that were revoked; their series go with them.
func (r *Recovery) forget(partitions []int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range partitions {
		delete(r.parts, n)
	}
}

func (r *Recovery) find(n int32) *partition {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.parts[n]
}

// all returns the known partitions, ascending.
func (r *Recovery) all() []*partition {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := make([]*partition, 0, len(r.parts))
	for _, p := range r.parts {
		found = append(found, p)
	}
	slices.SortFunc(found, func(a, b *partition) int { return int(a.number - b.number) })
	return found
}

// state is where a partition's copy stands; the names are goka's.
//
//	initializing ──> connecting ──> recovering ──> preparing ──> running
//	                     └───────────────┴── read broken off ──> initializing
type state string

const (
	stopped      state = "stopped"
	initializing state = "initializing" // the store is being opened
	connecting   state = "connecting"   // looking for the end
	recovering   state = "recovering"   // reading rows
	preparing    state = "preparing"    // checking what was read
	running      state = "running"
)

// partition is the recovery of one partition.
type partition struct {
	r      *Recovery
	number int32
	began  time.Time

	mu     sync.Mutex
	state  state
	oldest int64 // offset of the first record that the topic still has
	stored int64 // offset that the store stood at before; -1 for none
	start  int64 // the first offset to read
	end    int64 // one past the last
	next   int64 // the next to read
	known  bool  // end was announced

	blockedAt    int64     // first offset of the transaction that is waited for
	blockedSince time.Time // zero: none is
	rate         rate
}

func (p *partition) enter(s state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = s
}

func (p *partition) ready() (remaining int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.known {
		return -1, false
	}
	return p.remaining(), p.state == running
}

// remaining is how many offsets are still to be read.
func (p *partition) remaining() int64 { return max(p.end-p.next, 0) }

func (p *partition) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == running
}

func (p *partition) setOldest(offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.oldest = offset
}

func (p *partition) setStored(offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stored = offset
}

// announce sets the end of the recovery; goka will read on behind what is
// stored.
func (p *partition) announce(end int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = recovering
	p.start, p.end = max(p.stored+1, p.oldest), end
	p.next, p.known = p.start, true
	p.rate.restart()
}

// findEnd asks where the recovery ends, and keeps what it waits for meanwhile.
func (p *partition) findEnd(ctx context.Context) (int64, error) {
	defer p.unblock()
	return p.r.cfg.End(ctx, p.r.cfg.Table, p.number, p.block)
}

// block notes that the recovery waits for an open transaction.
func (p *partition) block(offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.blockedSince.IsZero() || p.blockedAt != offset {
		p.blockedAt, p.blockedSince = offset, p.r.cfg.Now()
		p.r.cfg.Log.Info("recovery waits for a transaction", "table", p.r.cfg.Table, "role", p.r.cfg.Role, "partition", p.number, "offset", offset)
	}
}

func (p *partition) unblock() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blockedSince = time.Time{}
}

// open lets readers in.
func (p *partition) open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = running
	p.r.duration.Observe(p.r.cfg.Now().Sub(p.began).Seconds())
}

// readAll notes that so many rows up to offset are stored.
func (p *partition) readAll(offset int64, rows int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.r.rows.Add(int64(rows))
	p.next = max(p.next, offset+1)
}

// lastRow is the offset of the last row of the recovery.
func (p *partition) lastRow() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.end - 1
}

// finish judges whether everything was read. stored is the offset that the
// store stands at, -1 for none.
func (p *partition) finish(stored int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.known {
		return fmt.Errorf("end of %s/%d is unknown, want it before the rows", p.r.cfg.Table, p.number)
	}
	if p.start < p.end && stored < p.end-1 {
		return fmt.Errorf("recovery of %s/%d stopped at offset %d, want %d", p.r.cfg.Table, p.number, stored, p.end-1)
	}
	p.next = max(p.next, p.end)
	return nil
}
