package customer

import "time"

// Instant is a moment in UTC, in microseconds since 1970-01-01T00:00:00Z.
// Microseconds are what every consumer can keep (PostgreSQL's resolution).
type Instant int64

// InstantOf returns the instant of t; finer digits are cut.
func InstantOf(t time.Time) Instant { return Instant(t.UnixMicro()) }

// Time returns i as a time in UTC.
func (i Instant) Time() time.Time { return time.UnixMicro(int64(i)).UTC() }

// String returns i in RFC 3339 with Z; the fraction only when it is not zero,
// without trailing zeros.
func (i Instant) String() string { return i.Time().Format(time.RFC3339Nano) }
