package customer

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ControlCharacters is the warning for a text from which control characters
// were removed. It is the only one that the normal form no longer shows.
const ControlCharacters = "control_characters"

// NormalText returns s in normal form: control characters other than white
// space are removed (and cleaned is true), runs of Unicode white space become
// one space, the ends are trimmed. Bytes that are no UTF-8, which a decoder
// does not let through, become U+FFFD. Empty means absent. ok is false when
// more than limit code points are left. A text in normal form comes back as it
// is, without an allocation.
func NormalText(s string, limit int) (text string, cleaned, ok bool) {
	if !isNormal(s) {
		s, cleaned = normalise(s)
	}
	return s, cleaned, len(s) <= limit || utf8.RuneCountInString(s) <= limit
}

// isNormal reports whether s is in normal form.
func isNormal(s string) bool {
	space := true // a space is wrong at the start and behind another one
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			return isNormalUnicode(s[i:], space)
		case c == ' ' && !space:
			space = true
		case c <= ' ' || c == 0x7f:
			return false
		default:
			space = false
		}
	}
	return s == "" || !space
}

func isNormalUnicode(s string, space bool) bool {
	for i, r := range s {
		switch {
		case r == ' ' && !space:
			space = true
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			return false
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return false
		default:
			space = false
		}
	}
	return !space
}

func normalise(s string) (text string, cleaned bool) {
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
		case unicode.IsControl(r):
			cleaned = true
		default:
			if space {
				b.WriteByte(' ')
				space = false
			}
			b.WriteRune(r)
		}
	}
	return b.String(), cleaned
}

// reader brings the texts of one value to normal form, one after the other: it
// keeps the first refusal and gathers the warnings.
type reader struct {
	facet    string
	pointer  string
	warnings []Warning
	err      *Refusal
}

// text returns the normal form of the field name, whose value is s.
func (r *reader) text(name, s string, limit int) string {
	text, cleaned, ok := NormalText(s, limit)
	if cleaned {
		r.cleaned(name)
	}
	if !ok {
		r.refuse("/"+name, StringOf(text), "at most "+strconv.Itoa(limit)+" characters")
	}
	return text
}

func (r *reader) cleaned(name string) {
	w := Warning{Code: ControlCharacters, Facet: r.facet, Field: name}
	for _, have := range r.warnings {
		if have == w {
			return
		}
	}
	r.warnings = append(r.warnings, w)
}

// refuse keeps the first refusal: the order of the fields is the order in
// which they are checked.
func (r *reader) refuse(path, got, want string) {
	if r.err == nil {
		r.err = Invalid(r.pointer+path, got, want)
	}
}

// NormalName returns the normal form of a name of at most 256 code points; nil
// when nothing is left. Pointer is where it stands in the event's data.
func NormalName(pointer, s string) (*string, []Warning, error) {
	text, warnings, err := wholeText(facetName, "", pointer, s)
	if err != nil || text == "" {
		return nil, warnings, err
	}
	return &text, warnings, nil
}

// NormalReason returns the normal form of the reason of a closing or an
// erasure, at most 256 code points; "" when nothing is left.
func NormalReason(pointer, s string) (string, []Warning, error) {
	return wholeText(facetStatus, "reason", pointer, s)
}

func wholeText(facet, field, pointer, s string) (string, []Warning, error) {
	text, cleaned, ok := NormalText(s, maxText)
	if !ok {
		return "", nil, invalidString(pointer, text, "at most "+strconv.Itoa(maxText)+" characters")
	}
	if cleaned {
		return text, []Warning{{Code: ControlCharacters, Facet: facet, Field: field}}, nil
	}
	return text, nil, nil
}

const maxText = 256 // code points of a name, an address line, a reason

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// isToken reports whether s has 1 to limit characters of a-z, 0-9 and "_".
func isToken(s string, limit int) bool {
	for i := range len(s) {
		if c := s[i]; c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != "" && len(s) <= limit
}

// isLetters reports whether s has exactly n ASCII letters.
func isLetters(s string, n int) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return len(s) == n
}

// upperASCII raises a-z alone, so that no case table of a later Unicode
// version can change what is stored.
func upperASCII(s string) string { return swapCase(s, 'a', 'z') }

// lowerASCII lowers A-Z alone: the Kelvin sign is no k.
func lowerASCII(s string) string { return swapCase(s, 'A', 'Z') }

// swapCase changes the case of the letters from first to last.
func swapCase(s string, first, last byte) string {
	for i := range len(s) {
		if s[i] < first || s[i] > last {
			continue
		}
		b := []byte(s)
		for ; i < len(b); i++ {
			if b[i] >= first && b[i] <= last {
				b[i] ^= 0x20
			}
		}
		return string(b)
	}
	return s
}
