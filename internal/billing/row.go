package billing

import "billstream/internal/customer"

// RowFormat is the version of the stored row that this program writes and the
// highest it reads.
const RowFormat = 1

// Limits of a row. A timeline keeps the newest Horizon versions of a facet; at
// most MaxFuture of its instants may lie ahead of the account's clock.
const (
	Horizon     = 16
	MaxFuture   = 8
	MaxRowBytes = 64 << 10
)

// Row is everything that is known about a customer: the value of its key in
// the group table. Rows are values in the mathematical sense: Apply builds a
// new one and leaves the old one whole, so that a caller may drop the result.
type Row struct {
	Seq              uint64                  // number of the last update; 0 before the first
	RecordedAt       customer.Instant        // the account's clock; it never goes back
	UpdatedAt        customer.Instant        // the clock at update Seq
	AppliedPartition int32                   // where the last record that wrote the row stood
	AppliedOffset    int64                   // its offset; -1 before the first
	RegisteredAt     *customer.Instant       // start of the first active interval, once the versions that proved it are gone
	ErasedAt         *customer.Instant       // set once the customer was erased
	Timelines        [FacetPlan + 1]Timeline // by Facet; index 0 is not used
	Pending          []Pending               // events with a version ahead of the clock, by EffectiveFrom
}

// Timeline is the history of one facet, sorted by EffectiveFrom, Time and
// Sequence; equal keys stand in order of arrival.
type Timeline struct {
	Truncated bool // versions older than the first were dropped
	Versions  []Version
}

// Version is one statement: from EffectiveFrom on the facet has Value, until
// the next version takes over.
type Version struct {
	EffectiveFrom customer.Instant
	Time          customer.Instant // event time
	Sequence      string
	Event         uint64 // EventHash of source and id
	Value         Value
}

// Pending remembers which event announced a change that lies ahead.
type Pending struct {
	EffectiveFrom customer.Instant
	Event         EventRef
}

// EventRef names an event.
type EventRef struct{ Source, ID string }
