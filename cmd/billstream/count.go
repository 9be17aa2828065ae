package main

import (
	"fmt"
	"strconv"
	"strings"
)

// count is a number of things on the command line: 10k, 2M, or a plain number.
type count int

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *count) UnmarshalText(text []byte) error {
	number, unit := string(text), 1
	if cut, ok := strings.CutSuffix(number, "k"); ok {
		number, unit = cut, 1000
	} else if cut, ok := strings.CutSuffix(number, "M"); ok {
		number, unit = cut, 1_000_000
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > 1_000_000_000/unit {
		return fmt.Errorf("number is %q, want one of 1 or more, such as 500, 10k or 2M", text)
	}
	*c = count(n * unit)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (c count) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// String returns the number in the largest unit that leaves a whole one.
func (c count) String() string {
	switch {
	case c >= 1_000_000 && c%1_000_000 == 0:
		return strconv.Itoa(int(c)/1_000_000) + "M"
	case c >= 1000 && c%1000 == 0:
		return strconv.Itoa(int(c)/1000) + "k"
	}
	return strconv.Itoa(int(c))
}
