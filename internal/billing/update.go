package billing

import "billstream/internal/customer"

// Update is what billing learns from one event: the difference between two
// states of an account, numbered without gaps per customer.
type Update struct {
	Customer   customer.ID
	Seq        uint64 // 1, 2, 3 … per customer
	Class      Class
	Changes    []Change // apply in this order
	Cause      Cause
	RecordedAt customer.Instant
	Reason     string // of a closing or an erasure; "" otherwise
	Warnings   []customer.Warning
	Account    *Account // the state after the update
}

// Class sums up the changes of an update.
type Class uint8

// The closed set of classes.
const (
	ClassApplied   Class = iota + 1 // at least one change is in force now
	ClassScheduled                  // none is, one begins later
	ClassCorrected                  // only the past changed
	ClassClosed                     // the account is closed now and was not before
	ClassErased                     // the customer was erased
)

// Change says that a facet has New instead of Old in the half-open interval
// [EffectiveFrom, EffectiveTo); EffectiveTo nil means without end.
type Change struct {
	Facet         Facet
	Old, New      Value
	Fields        []string // leaves that differ; nil unless both values are objects
	EffectiveFrom customer.Instant
	EffectiveTo   *customer.Instant
	Current       bool      // the interval holds RecordedAt
	ScheduledBy   *EventRef // the event that announced a change now in force
}

// Cause is the record that led to an update.
type Cause struct {
	Source, ID    string
	Type          string // CloudEvents type with its version
	Time          customer.Instant
	Position      Position
	CorrelationID string
}

// Position is the place of a record: customer.events/3@131.
type Position struct {
	Topic     string
	Partition int32
	Offset    int64
}
