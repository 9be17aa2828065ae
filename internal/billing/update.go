package billing

import (
	"slices"

	"billstream/internal/customer"
)

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

// update builds the update that leads to row; before is the status that was
// announced until now.
func (f *fold) update(row *Row, before Status) *Update {
	e := f.event
	u := &Update{
		Customer: e.Customer,
		Seq:      row.Seq,
		Changes:  f.changes,
		Cause: Cause{
			Source: e.Source, ID: e.ID, Type: e.Type.CloudEvent(),
			Time: e.Time, Position: f.at, CorrelationID: e.CorrelationID,
		},
		RecordedAt: row.RecordedAt,
		Reason:     reasonOf(e.Change),
		Account:    AccountOf(e.Customer, row),
	}
	u.Class = u.classify(before)
	u.Warnings = f.withStanding(u.Account.Status)
	return u
}

func reasonOf(c customer.Change) string {
	switch c := c.(type) {
	case customer.Closed:
		return c.Reason
	case customer.Erased:
		return c.Reason
	}
	return ""
}

// classify sums up the changes: the first class that fits.
func (u *Update) classify(before Status) Class {
	switch now := u.Account.Status; {
	case now == StatusErased:
		return ClassErased
	case now == StatusClosed && before != StatusClosed:
		return ClassClosed
	case slices.ContainsFunc(u.Changes, func(c Change) bool { return c.Current }):
		return ClassApplied
	case slices.ContainsFunc(u.Changes, func(c Change) bool { return c.EffectiveFrom > u.RecordedAt }):
		return ClassScheduled
	}
	return ClassCorrected
}

// withStanding returns the warnings of the update: those of the event's
// values, whether the facts are about a customer who is not active, and which
// facts came too late to be kept.
func (f *fold) withStanding(now Status) []customer.Warning {
	code := ""
	switch f.event.Change.(type) {
	case customer.Registered, customer.Closed, customer.Erased:
	default:
		switch now {
		case StatusUnregistered:
			code = "not_registered"
		case StatusClosed:
			code = "account_closed"
		}
	}
	if code == "" {
		return f.warnings
	}
	return slices.Insert(f.warnings, len(f.event.Warnings), customer.Warning{Code: code})
}
