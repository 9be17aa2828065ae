package main

import "testing"

func TestNumbersOfThingsHaveUnits(t *testing.T) {
	for text, want := range map[string]struct {
		n     int
		shown string
	}{
		"1": {1, "1"}, "500": {500, "500"}, "10k": {10_000, "10k"}, "1500": {1500, "1500"},
		"2M": {2_000_000, "2M"}, "1000000": {1_000_000, "1M"}, "1000M": {1_000_000_000, "1000M"},
	} {
		var c count
		if err := c.UnmarshalText([]byte(text)); err != nil || int(c) != want.n || c.String() != want.shown {
			t.Errorf("%s is %d, shown as %s, and %v, want %d, shown as %s", text, c, c, err, want.n, want.shown)
		}
	}
	for _, text := range []string{"", "0", "-1", "M", "1.5M", "1G", "1001M", "k1"} {
		var c count
		if err := c.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %d, want it refused", text, c)
		}
	}
}
