package main

import (
	"fmt"
	"strconv"
	"strings"
)

// byteSize is a number of bytes on the command line: 20kB, 64MiB, or a plain
// number.
type byteSize int64

// sizeUnit is a name for a number of bytes.
type sizeUnit struct {
	name  string
	bytes int64
}

// sizeUnits returns the names of sizes, the longer first where one ends like
// another. Those with an i are powers of 1,024.
func sizeUnits() []sizeUnit {
	return []sizeUnit{
		{"GiB", 1 << 30},
		{"MiB", 1 << 20},
		{"KiB", 1 << 10},
		{"GB", 1e9},
		{"MB", 1e6},
		{"kB", 1e3},
		{"B", 1},
	}
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *byteSize) UnmarshalText(text []byte) error {
	number, unit := string(text), int64(1)
	for _, u := range sizeUnits() {
		if cut, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = cut, u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return fmt.Errorf("size is %q, want a number with B, kB, KiB, MB, MiB, GB or GiB", text)
	}
	*b = byteSize(n * unit)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (b byteSize) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String returns the size in the largest binary unit that leaves a whole number.
func (b byteSize) String() string {
	for _, u := range sizeUnits()[:3] {
		if b > 0 && int64(b)%u.bytes == 0 {
			return fmt.Sprintf("%d%s", int64(b)/u.bytes, u.name)
		}
	}
	return strconv.FormatInt(int64(b), 10)
}
