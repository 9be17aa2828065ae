package billing

import "billstream/internal/customer"

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
// after a crash writes the same bytes again. It never changes its arguments.
// The error is a *customer.Refusal.
func Apply(row *Row, e *customer.Event, at Position, recorded customer.Instant) (Result, error) {
	panic("contract: to be built")
}

// Replayed reports whether the record at position at has been applied to row
// before. It is asked before the record is decoded.
func (r *Row) Replayed(at Position) bool {
	return r != nil && r.AppliedPartition == at.Partition && at.Offset <= r.AppliedOffset
}

// AccountOf returns the account that row announces for the customer id.
func AccountOf(id customer.ID, row *Row) *Account { panic("contract: to be built") }
