package codecs

import (
	"strconv"
	"unicode/utf8"

	"billstream/internal/customer"
)

// AppendInstant appends i as a JSON string: RFC 3339 in UTC, the fraction only
// when it is not zero, without trailing zeros.
func AppendInstant(dst []byte, i customer.Instant) []byte {
	dst = append(dst, '"')
	dst = i.Append(dst)
	return append(dst, '"')
}

// AppendString appends s as a JSON string. Bytes that are no UTF-8 become
// U+FFFD, so that the output is always valid.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscape(dst, c)
		i += size
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// appendEscape appends what stands for the byte c inside a JSON string.
func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	if c >= utf8.RuneSelf {
		return append(dst, "\uFFFD"...)
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// object writes the members of one JSON object, one after the other.
type object struct {
	dst  []byte
	more bool
}

func openObject(dst []byte) object { return object{dst: append(dst, '{')} }

func (o *object) close() []byte { return append(o.dst, '}') }

// name begins the next member. Names are ours: they need no escape.
func (o *object) name(n string) {
	if o.more {
		o.dst = append(o.dst, ',')
	}
	o.more = true
	o.dst = append(o.dst, '"')
	o.dst = append(o.dst, n...)
	o.dst = append(o.dst, '"', ':')
}

func (o *object) str(name, v string) {
	o.name(name)
	o.dst = AppendString(o.dst, v)
}

// given writes the member only when there is something to say.
func (o *object) given(name, v string) {
	if v != "" {
		o.str(name, v)
	}
}

func (o *object) uint(name string, v uint64) {
	o.name(name)
	o.dst = strconv.AppendUint(o.dst, v, 10)
}

func (o *object) int(name string, v int64) {
	o.name(name)
	o.dst = strconv.AppendInt(o.dst, v, 10)
}

func (o *object) bool(name string, v bool) {
	o.name(name)
	o.dst = strconv.AppendBool(o.dst, v)
}

func (o *object) instant(name string, v customer.Instant) {
	o.name(name)
	o.dst = AppendInstant(o.dst, v)
}

func (o *object) instantOrNull(name string, v *customer.Instant) {
	if v == nil {
		o.null(name)
		return
	}
	o.instant(name, *v)
}

func (o *object) null(name string) {
	o.name(name)
	o.dst = append(o.dst, "null"...)
}
