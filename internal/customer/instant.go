package customer

import (
	"errors"
	"time"
)

// Instant is a moment in UTC, in microseconds since 1970-01-01T00:00:00Z.
// Microseconds are what every consumer can keep (PostgreSQL's resolution).
type Instant int64

// InstantOf returns the instant of t; finer digits are cut.
func InstantOf(t time.Time) Instant { return Instant(t.UnixMicro()) }

// Time returns i as a time in UTC.
func (i Instant) Time() time.Time { return time.UnixMicro(int64(i)).UTC() }

// Add returns the instant d after i; digits of d finer than a microsecond are
// cut.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d.Microseconds()) }

// String returns i in RFC 3339 with Z; the fraction only when it is not zero,
// without trailing zeros.
func (i Instant) String() string { return string(i.Append(nil)) }

// Append appends the text that String returns to dst.
func (i Instant) Append(dst []byte) []byte { return i.Time().AppendFormat(dst, time.RFC3339Nano) }

// errInstant is all there is to say about a text that is no instant: naming
// what was found would repeat a customer's data.
var errInstant = errors.New("instant is no RFC 3339 date and time, want one such as 2026-03-10T08:30:00Z")

// ParseInstant returns the instant that s names in RFC 3339: date, T, time and
// an offset or Z, all of them required; digits finer than a microsecond are
// cut. As RFC 3339 5.6 allows, t and z may be lower case. A leap second
// (23:59:60 UTC at the end of a month) is the first second after it, as in
// POSIX. It does not allocate.
func ParseInstant(s string) (Instant, error) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[7] != '-' || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return 0, errInstant
	}
	year, ok1 := number(s[0:4], 9999)
	month, ok2 := number(s[5:7], 12)
	day, ok3 := number(s[8:10], 31)
	hour, ok4 := number(s[11:13], 23)
	minute, ok5 := number(s[14:16], 59)
	second, ok6 := number(s[17:19], 60)
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6) || month == 0 || day == 0 || day > daysIn(year, month) {
		return 0, errInstant
	}
	micros, rest, ok := fraction(s[19:])
	if !ok {
		return 0, errInstant
	}
	offset, ok := zone(rest)
	if !ok {
		return 0, errInstant
	}
	seconds := daysSince1970(year, month, day)*86400 + (hour*60+minute-offset)*60 + second
	if second == 60 && !monthBegins(seconds) {
		return 0, errInstant
	}
	return Instant(seconds*1_000_000 + micros), nil
}

// number reads s as a decimal number of 0 to limit; s has digits only.
func number(s string, limit int64) (int64, bool) {
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, n <= limit
}

// fraction reads an optional fraction of a second at the start of s, in
// microseconds, and returns what follows it.
func fraction(s string) (micros int64, rest string, ok bool) {
	if s == "" || s[0] != '.' {
		return 0, s, true
	}
	scale, i := int64(100_000), 1
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		micros += scale * int64(s[i]-'0')
		scale /= 10
	}
	return micros, s[i:], i > 1
}

// zone reads an offset from UTC, in minutes: Z, +hh:mm or -hh:mm.
func zone(s string) (minutes int64, ok bool) {
	if len(s) == 1 {
		return 0, s[0]|0x20 == 'z'
	}
	if len(s) != len("+00:00") || s[3] != ':' || (s[0] != '+' && s[0] != '-') {
		return 0, false
	}
	h, ok1 := number(s[1:3], 23)
	m, ok2 := number(s[4:6], 59)
	minutes = h*60 + m
	if s[0] == '-' {
		minutes = -minutes
	}
	return minutes, ok1 && ok2
}

// daysSince1970 counts the days from 1970-01-01 to the given date of the
// proleptic Gregorian calendar. The year is taken to begin in March, so that
// the leap day is its last.
func daysSince1970(year, month, day int64) int64 {
	const eraDays, daysTo1970 = 146_097, 719_468 // 400 years; 0000-03-01 to 1970-01-01
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	if year < 0 {
		era = -1
	}
	ofEra := year - era*400
	ofYear := (153*(month-3)+2)/5 + day - 1
	return era*eraDays + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - daysTo1970
}

func daysIn(year, month int64) int64 {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// monthBegins reports whether a month begins at the given second: the only
// moment before which a leap second can be.
func monthBegins(seconds int64) bool {
	t := time.Unix(seconds, 0).UTC()
	return seconds%86400 == 0 && t.Day() == 1
}
