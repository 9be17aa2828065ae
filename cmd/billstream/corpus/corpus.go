// Package corpus holds a real customer history for demonstrations and tests:
// seven years of the register of .gov domains as customer events. README.md
// says where it is from.
package corpus

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
)

// What the history holds. SHA256 is that of the plain text.
const (
	Events    = 93217 // lines
	Customers = 17454
	SHA256    = "f66b3cf3251d18d2b995948ea83dcf47f0cdeb3f3afa99e2c54f0a0b8a0e46be"
)

//go:embed dotgov-customer-events.jsonl.gz
var packed []byte

// Open returns the history as plain JSON lines, one structured CloudEvent per
// line in order of event time. Reading fails if the embedded file is damaged.
func Open() (io.ReadCloser, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("open the corpus: %w", err)
	}
	return r, nil
}
