package billing

import (
	"slices"

	"billstream/internal/customer"
)

// Outcome is what became of a record. Every record has exactly one.
type Outcome uint8

// The outcomes that Apply can give; a refusal is an error instead.
const (
	Updated   Outcome = iota + 1 // there is an update
	Unchanged                    // known already: no update
	Duplicate                    // the same event or record again: row untouched
)

// Result is what Apply makes of an event. Row is nil when the stored row stays
// as it is; Update is nil unless Outcome is Updated.
type Result struct {
	Outcome Outcome
	Row     *Row
	Update  *Update
}

// Apply folds one event, found at position at with the given record timestamp,
// into row, which is nil for a customer not seen before.
//
// Apply is deterministic: the same arguments give the same result, so a replay
// after a crash writes the same bytes again. It never changes its arguments,
// and the result shares what did not change with them. The error is a
// *customer.Refusal; the row then stays as it is, its clock included, since a
// run with a crash and one without must not differ.
func Apply(row *Row, e *customer.Event, at Position, recorded customer.Instant) (Result, error) {
	if row.Replayed(at) {
		return Result{Outcome: Duplicate}, nil
	}
	f := fold{event: e, at: at, hash: EventHash(e.Source, e.ID), now: max(recorded, e.Time), warnings: slices.Clip(e.Warnings)}
	if row != nil {
		f.row, f.clock = *row, row.RecordedAt
		f.now = max(f.now, row.RecordedAt)
	}
	_, erasure := e.Change.(customer.Erased)
	switch {
	case f.row.ErasedAt != nil && erasure:
		return Result{Outcome: Unchanged}, nil
	case f.row.ErasedAt != nil:
		return Result{}, &customer.Refusal{Code: customer.ErasedCustomer, Detail: "customer is erased, want no further events"}
	case erasure:
		return f.erase(), nil
	}
	return f.apply()
}

// Replayed reports whether the record at position at has been applied to row
// before. It is asked before the record is decoded.
func (r *Row) Replayed(at Position) bool {
	return r != nil && r.AppliedPartition == at.Partition && at.Offset <= r.AppliedOffset
}

// fold is one call of Apply on its way:
//
//	select ──> settle ──> insert ──> finish
//	   └─ nothing new: duplicate, or refused
type fold struct {
	event    *customer.Event
	at       Position
	hash     uint64           // of the event
	clock    customer.Instant // of the row before
	now      customer.Instant // the clock after
	row      Row              // the new row; its slices are the old one's until replaced
	facts    statements       // those that are new
	changes  []Change
	warnings []customer.Warning
	inserted bool
}

func (f *fold) apply() (Result, error) {
	duplicates, err := f.selectFacts()
	switch {
	case err != nil:
		return Result{}, err
	case f.facts.n == 0 && duplicates:
		return Result{Outcome: Duplicate}, nil
	case f.facts.n == 0:
		return Result{}, &customer.Refusal{Code: customer.BeyondHorizon, Detail: "event is older than the kept history, want a later effective date"}
	}
	before := f.row.status(f.clock)
	f.settle()
	for _, s := range f.facts.all() {
		f.insert(s)
	}
	return f.finish(before), nil
}

// selectFacts keeps what the event states that the row can take, and reports
// whether it knows some of it already.
func (f *fold) selectFacts() (duplicates bool, err error) {
	var said statements
	if err := said.read(f.event.Change); err != nil {
		return false, err
	}
	for _, s := range said.all() {
		t, v := &f.row.Timelines[s.facet], f.version(s)
		switch {
		case t.has(f.hash):
			duplicates = true
		case t.beyondHorizon(&v):
			f.warnings = append(f.warnings, customer.Warning{Code: "beyond_horizon", Facet: s.facet.String()})
		case t.scheduleFull(&v, f.now):
			return false, &customer.Refusal{Code: customer.ScheduleFull, Detail: s.facet.String() + " is scheduled for 8 future instants, want no more"}
		default:
			f.facts.add(s.facet, s.value)
		}
	}
	return duplicates, nil
}

func (f *fold) version(s statement) Version {
	return Version{
		EffectiveFrom: f.event.EffectiveFrom,
		Time:          f.event.Time,
		Sequence:      f.event.Sequence,
		Event:         f.hash,
		Value:         s.value,
	}
}

// insert puts one fact into its timeline and notes what it changes.
func (f *fold) insert(s statement) {
	t, v := &f.row.Timelines[s.facet], f.version(s)
	i := t.place(&v)
	if t.hides(i, &v) {
		return
	}
	old := s.facet.orUnset(t.before(i))
	next, dropped := t.with(i, &v, f.now)
	if s.facet == FacetStatus && dropped != nil {
		f.row.remember(dropped, &next.Versions[0])
	}
	if !Equal(old, v.Value) {
		c := Change{Facet: s.facet, Old: old, New: v.Value, Fields: Fields(old, v.Value), EffectiveFrom: v.EffectiveFrom}
		if i < len(t.Versions) {
			c.EffectiveTo = &t.Versions[i].EffectiveFrom
		}
		c.Current = v.EffectiveFrom <= f.now && (c.EffectiveTo == nil || *c.EffectiveTo > f.now)
		f.changes = append(f.changes, c)
	}
	f.row.Timelines[s.facet] = next
	f.inserted = true
}

// finish writes down where the row stands and builds the update.
func (f *fold) finish(before Status) Result {
	if !f.inserted && len(f.changes) == 0 {
		return Result{Outcome: Unchanged}
	}
	if f.inserted {
		f.schedule()
	}
	row := f.row
	row.RecordedAt = f.now
	row.AppliedPartition, row.AppliedOffset = f.at.Partition, f.at.Offset
	if len(f.changes) == 0 {
		return Result{Outcome: Unchanged, Row: &row}
	}
	row.Seq++
	row.UpdatedAt = f.now
	return Result{Outcome: Updated, Row: &row, Update: f.update(&row, before)}
}
