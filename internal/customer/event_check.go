package customer

import "time"

// MinTime is the earliest event time, 2000-01-01T00:00:00Z: an earlier one is
// a mistake of the source.
const MinTime Instant = 946_684_800_000_000

const (
	day = 24 * time.Hour

	// MaxAhead is how far an event's time may lie after the timestamp of its
	// record. A time in the far future would win against every later fact.
	MaxAhead = 5 * time.Minute

	// MaxBackdating and MaxScheduling bound EffectiveFrom around the event's
	// time: ten years back, two years ahead.
	MaxBackdating = 3653 * day
	MaxScheduling = 731 * day
)

// Check compares the times of e with the timestamp of its record; it takes the
// record's and not the wall clock's, so that a replay decides alike. The error
// is a *Refusal with code time_in_future or effective_out_of_range.
func (e *Event) Check(recorded Instant) error {
	if e.Time > recorded.Add(MaxAhead) {
		return &Refusal{Code: TimeInFuture, Detail: "time is after the record's timestamp, want at most 5 minutes after it"}
	}
	if e.EffectiveFrom < e.Time.Add(-MaxBackdating) {
		return &Refusal{Code: EffectiveOutOfRange, Pointer: "/effective_from", Detail: "is too long before the event's time, want at most 3653 days"}
	}
	if e.EffectiveFrom > e.Time.Add(MaxScheduling) {
		return &Refusal{Code: EffectiveOutOfRange, Pointer: "/effective_from", Detail: "is too long after the event's time, want at most 731 days"}
	}
	return nil
}
