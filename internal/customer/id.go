package customer

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// MaxIDBytes is the longest customer id.
const MaxIDBytes = 512

// ReservedPrefix begins the keys that we write for ourselves beside the
// customers' own; no customer id may begin with it.
const ReservedPrefix = '~'

// ID is a customer's id: the key of its records and the subject of its events.
// It is opaque, compared byte for byte, and never trimmed or folded.
type ID string

// ParseID returns the customer id that a record key holds. The error is a
// *Refusal with code no_key for an empty key and bad_key for one that is no id.
func ParseID(key []byte) (ID, error) {
	id := ID(key)
	if err := id.Check(); err != nil {
		return "", err
	}
	return id, nil
}

// Check reports why id is no customer id: it wants 1 to 512 bytes of valid
// UTF-8 without control characters, not beginning with "~". The error is a
// *Refusal and does not repeat the id.
func (id ID) Check() error {
	switch {
	case id == "":
		return &Refusal{Code: NoKey, Detail: "key is empty, want a customer id"}
	case len(id) > MaxIDBytes:
		return badKey(fmt.Sprintf("key is %d bytes, want at most %d", len(id), MaxIDBytes))
	case id[0] == ReservedPrefix:
		return badKey("key is one with the reserved prefix ~, want another first character")
	case !utf8.ValidString(string(id)):
		return badKey("key is no valid UTF-8, want UTF-8")
	case hasControl(string(id)):
		return badKey("key is a string with a control character, want none")
	}
	return nil
}

func badKey(detail string) *Refusal { return &Refusal{Code: BadKey, Detail: detail} }

// hasControl reports whether s holds a character of Unicode's category Cc.
func hasControl(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) {
			return true
		}
	}
	return false
}
