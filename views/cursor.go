package views

import (
	"encoding/base64"
	"hash/fnv"
	"strings"

	"billstream/internal/customer"
)

// A cursor is the base64url form (RFC 4648, no padding) of
//
//	1 byte   its version
//	8 bytes  hash of the filters
//	n bytes  the last id of the page before
//
// It holds no state of this server, so that any instance continues a walk, also
// after a restart. It is not signed: it opens nothing that a limit does not.
const cursorVersion = 1

// appendCursor appends the cursor of the page behind the id last.
func appendCursor(dst []byte, filters statusSet, last string) []byte {
	raw := append([]byte{cursorVersion}, filters.hash()...)
	return base64.RawURLEncoding.AppendEncode(dst, append(raw, last...))
}

// parseCursor returns the last id of the page before. A cursor goes with the
// filters that it was made for: with others the walk would have holes.
func parseCursor(text string, filters statusSet) (last string, err error) {
	broken := &Problem{Code: InvalidCursor, Detail: "cursor is broken or of another version, want next_cursor of the page before"}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) == 0 || raw[0] != cursorVersion {
		return "", broken
	}
	want := filters.hash()
	rest := string(raw[1:])
	if len(rest) <= len(want) {
		return "", broken
	}
	last, ok := strings.CutPrefix(rest, string(want))
	if !ok {
		return "", &Problem{Code: InvalidCursor, Detail: "cursor is of other filters, want those of the page before"}
	}
	if _, err := customer.ParseID([]byte(last)); err != nil {
		return "", broken
	}
	return last, nil
}

// hash names the filters of a walk, 8 bytes.
func (s statusSet) hash() []byte {
	h := fnv.New64a()
	_, _ = h.Write([]byte{'s', byte(s)}) // never fails
	return h.Sum(nil)
}
