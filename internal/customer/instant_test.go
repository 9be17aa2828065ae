package customer_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"billstream/internal/customer"
)

func TestInstantsAreRFC3339(t *testing.T) {
	for in, want := range map[string]string{
		"2019-02-06T20:29:52Z":            "2019-02-06T20:29:52Z",
		"2019-02-06t20:29:52z":            "2019-02-06T20:29:52Z",
		"2026-03-10T08:30:00.25Z":         "2026-03-10T08:30:00.25Z",
		"2026-03-10T08:30:00.250000Z":     "2026-03-10T08:30:00.25Z",
		"2026-03-10T08:30:00.1234567891Z": "2026-03-10T08:30:00.123456Z",
		"2026-03-10T08:30:00.0000009Z":    "2026-03-10T08:30:00Z",
		"2026-04-01T00:00:00+02:00":       "2026-03-31T22:00:00Z",
		"2026-03-31T22:30:00.5-01:30":     "2026-04-01T00:00:00.5Z",
		"2026-03-31T22:00:00-00:00":       "2026-03-31T22:00:00Z",
		"2024-02-29T00:00:00Z":            "2024-02-29T00:00:00Z",
		"2016-12-31T23:59:60Z":            "2017-01-01T00:00:00Z",
		"2017-01-01T00:59:60.5+01:00":     "2017-01-01T00:00:00.5Z",
		"0001-01-01T00:00:00Z":            "0001-01-01T00:00:00Z",
		"1969-12-31T23:59:59.999999Z":     "1969-12-31T23:59:59.999999Z",
		"9999-12-31T23:59:59Z":            "9999-12-31T23:59:59Z",
		"0000-01-01T00:00:00Z":            "0000-01-01T00:00:00Z",
	} {
		got, err := customer.ParseInstant(in)
		if err != nil || got.String() != want {
			t.Errorf("%s: got %s, %v, want %s", in, got, err, want)
		}
	}
}

func TestWhatIsNoInstantIsRefused(t *testing.T) {
	for _, in := range []string{
		"", "2026-03-10", "2026-03-10T08:30:00", "2026-03-10 08:30:00Z", "2026-03-10T08:30Z", "20260310T083000Z",
		"2026-3-10T08:30:00Z", "2026-13-10T08:30:00Z", "2026-00-10T08:30:00Z", "2026-04-31T08:30:00Z", "2026-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z", "2026-03-00T08:30:00Z", "2026-03-10T24:00:00Z", "2026-03-10T08:60:00Z", "2026-03-10T08:30:61Z",
		"2026-03-10T08:30:60Z", "2026-03-10T23:59:60Z", "2026-03-10T08:30:00.Z", "2026-03-10T08:30:00,5Z", "2026-03-10T08:30:00+0200",
		"2026-03-10T08:30:00+24:00", "2026-03-10T08:30:00+02:60", "2026-03-10T08:30:00+02", "2026-03-10T08:30:00ZZ", "2026-03-10T08:30:00Z ",
		"+2026-03-10T08:30:00Z", "2026-03-10T08:30:0\xffZ", "2026-03-10T08:30:00*02:00", "2026-03-10T-8:30:00Z",
	} {
		if got, err := customer.ParseInstant(in); err == nil || strings.Contains(err.Error(), "03-1") && !strings.Contains(err.Error(), "2026-03-10T08:30:00Z") {
			t.Errorf("%q: got %s, %v, want an error without it", in, got, err)
		}
	}
}

func TestInstantsReadWhatTheyWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := customer.Instant(rapid.Int64Range(-62_167_219_200_000_000, 253_402_300_799_999_999).Draw(t, "instant"))
		got, err := customer.ParseInstant(want.String())
		if err != nil || got != want || customer.InstantOf(want.Time()) != want {
			t.Fatalf("%s: got %s, %v", want, got, err)
		}
		if std, err := time.Parse(time.RFC3339Nano, want.String()); err != nil || customer.InstantOf(std) != want {
			t.Fatalf("%s: package time reads %s, %v", want, std, err)
		}
	})
}

func TestReadingAnInstantDoesNotAllocate(t *testing.T) {
	n := testing.AllocsPerRun(100, func() {
		if _, err := customer.ParseInstant("2019-02-06T20:29:52.25+01:00"); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// FuzzParseInstant compares with package time, which reads a little more: one
// digit of the hour, a comma, and no lower case.
func FuzzParseInstant(f *testing.F) {
	for _, s := range []string{"2019-02-06T20:29:52Z", "2026-03-31T22:30:00.5-01:30", "2016-12-31T23:59:60Z", "2026-02-29T00:00:00Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := customer.ParseInstant(s)
		if err != nil || strings.Contains(s, ":60") {
			return
		}
		want, err := time.Parse(time.RFC3339Nano, strings.ToUpper(s))
		if err != nil || customer.InstantOf(want) != got {
			t.Fatalf("%q: got %s, package time %s, %v", s, got, want, err)
		}
	})
}
