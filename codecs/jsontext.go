package codecs

import (
	"strings"
	"unicode/utf8"
)

// raw returns the text of node i as it was sent, without a string's quotes.
func (d *document) raw(i int) string { return d.src[d.nodes[i].start:d.nodes[i].end] }

// text returns the string of node i.
func (d *document) text(i int) string {
	s := d.raw(i)
	if d.nodes[i].escaped {
		s, _ = unescape(s)
	}
	return s
}

// unescape resolves the escapes of a JSON string; whole is false when half a
// surrogate pair is among them, which names no character.
func unescape(s string) (text string, whole bool) {
	var b strings.Builder
	b.Grow(len(s))
	whole = true
	for len(s) > 0 {
		cut := strings.IndexByte(s, '\\')
		if cut < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:cut])
		r, n := escaped(s[cut:])
		if r < 0 {
			r, whole = utf8.RuneError, false
		}
		b.WriteRune(r)
		s = s[cut+n:]
	}
	return b.String(), whole
}

// escaped returns the character that the escape at the start of s stands for
// and the escape's length; -1 for half a surrogate pair.
func escaped(s string) (rune, int) {
	switch s[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r, _ := hex4(s)
		if r < 0xD800 || r > 0xDFFF {
			return r, 6
		}
		if low, ok := hex4(s[6:]); ok && r < 0xDC00 && low >= 0xDC00 && low <= 0xDFFF {
			return (r-0xD800)<<10 | (low - 0xDC00) + 0x10000, 12
		}
		return -1, 6
	}
	return rune(s[1]), 2
}
