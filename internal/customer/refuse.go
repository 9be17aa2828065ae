package customer

import (
	"strconv"
	"unicode/utf8"
)

// Invalid returns the refusal of one member of an event's data. Pointer is its
// JSON pointer inside the data; got names the kind of what was found, never
// the value; want names what would do.
func Invalid(pointer, got, want string) *Refusal {
	return &Refusal{Code: InvalidField, Pointer: pointer, Detail: "is " + got + ", want " + want}
}

// StringOf names a string as a refusal may show it: by its length alone. The
// empty string is what an absent member reads as.
func StringOf(s string) string {
	switch n := utf8.RuneCountInString(s); n {
	case 0:
		return "absent"
	case 1:
		return "a string of 1 character"
	default:
		return "a string of " + strconv.Itoa(n) + " characters"
	}
}

func invalidString(pointer, s, want string) *Refusal { return Invalid(pointer, StringOf(s), want) }
