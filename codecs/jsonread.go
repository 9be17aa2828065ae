package codecs

import "strings"

// A reader of JSON that keeps what encoding/json hides: repeated names, bad
// UTF-8, halves of surrogate pairs, the exact case of names, and whether a
// number is an integer. It makes no copies: a document is a list of nodes that
// point into its text.

// kind is what a JSON value is.
type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

// String names the kind as a refusal does: "is a number, want a string".
func (k kind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// node is one JSON value, or the name of a member, which stands before its
// value. The parts of an array or object follow it.
type node struct {
	kind       kind
	escaped    bool   // a string with escapes
	integer    bool   // a number without fraction and exponent
	start, end uint32 // its text; of a string, that between the quotes
	next       uint32 // the first node behind it and all its parts
}

// maxDepth bounds how deep values may nest. Events need four levels.
const maxDepth = 64

// document is a JSON text taken apart. Node 0 is the whole; so 0 also stands
// for a member that is absent.
type document struct {
	src   string
	nodes []node
}

// parseJSON takes src apart and reports whether it is one JSON value (RFC 8259)
// that nests at most maxDepth deep. It checks the grammar only: what else can
// be wrong, the document tells.
func parseJSON(src string) (document, bool) {
	d := document{src: src}
	if uint64(len(src)) >= 1<<32 {
		return d, false
	}
	// A member takes two nodes: the nodes of most events take one allocation.
	nodes := make([]node, 0, min(2+2*strings.Count(src, ":"), 8+len(src)/8))
	p := parser{src: src}
	for {
		var ok bool
		if nodes, ok = p.value(nodes); !ok {
			return d, false
		}
		if !p.entered && !p.leave(nodes) {
			return d, false
		}
		if p.depth == 0 {
			p.space()
			d.nodes = nodes
			return d, p.pos == len(src)
		}
		if nodes[p.open].kind == kindObject {
			if nodes, ok = p.name(nodes); !ok {
				return d, false
			}
		}
	}
}

// parser stands before a value, or before a name inside an object.
type parser struct {
	src     string
	pos     int
	depth   int    // how many arrays and objects are open
	open    uint32 // the innermost; its next is the one around it
	entered bool   // the last value was the start of one that is not empty
}

func (p *parser) space() {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ' ', '\n', '\r', '\t':
			p.pos++
		default:
			return
		}
	}
}

// skip consumes c, if it is next behind white space.
func (p *parser) skip(c byte) bool {
	p.space()
	if p.pos < len(p.src) && p.src[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

// value reads one value; of an array or object only its start, unless it is
// empty.
func (p *parser) value(nodes []node) ([]node, bool) {
	p.entered = false
	p.space()
	if p.pos >= len(p.src) {
		return nodes, false
	}
	switch c := p.src[p.pos]; c {
	case '"':
		return p.string(nodes)
	case '{':
		return p.enter(nodes, kindObject, '}')
	case '[':
		return p.enter(nodes, kindArray, ']')
	case 't':
		return p.literal(nodes, kindBool, "true")
	case 'f':
		return p.literal(nodes, kindBool, "false")
	case 'n':
		return p.literal(nodes, kindNull, "null")
	default:
		return p.number(nodes)
	}
}

func (p *parser) enter(nodes []node, k kind, end byte) ([]node, bool) {
	at := uint32(len(nodes))
	nodes = append(nodes, node{kind: k, start: uint32(p.pos), next: p.open})
	p.pos++
	if p.skip(end) {
		nodes[at].end, nodes[at].next = uint32(p.pos), at+1
		return nodes, true
	}
	p.open, p.entered = at, true
	p.depth++
	return nodes, p.depth <= maxDepth
}

// leave goes on to the place of the next value: behind a comma, or out of the
// arrays and objects that end here.
func (p *parser) leave(nodes []node) bool {
	for p.depth > 0 {
		if p.skip(',') {
			return true
		}
		end := byte(']')
		if nodes[p.open].kind == kindObject {
			end = '}'
		}
		if !p.skip(end) {
			return false
		}
		n := &nodes[p.open]
		n.end, n.next, p.open = uint32(p.pos), uint32(len(nodes)), n.next
		p.depth--
	}
	return true
}

// name reads the name of a member and the colon behind it.
func (p *parser) name(nodes []node) ([]node, bool) {
	p.space()
	if p.pos >= len(p.src) || p.src[p.pos] != '"' {
		return nodes, false
	}
	nodes, ok := p.string(nodes)
	return nodes, ok && p.skip(':')
}

func (p *parser) literal(nodes []node, k kind, text string) ([]node, bool) {
	if !strings.HasPrefix(p.src[p.pos:], text) {
		return nodes, false
	}
	nodes = append(nodes, node{kind: k, start: uint32(p.pos), end: uint32(p.pos + len(text)), next: uint32(len(nodes) + 1)})
	p.pos += len(text)
	return nodes, true
}

func (p *parser) string(nodes []node) ([]node, bool) {
	start := p.pos + 1
	escaped := false
	for i := start; i < len(p.src); i++ {
		switch c := p.src[i]; {
		case c == '"':
			p.pos = i + 1
			return append(nodes, node{
				kind: kindString, escaped: escaped,
				start: uint32(start), end: uint32(i), next: uint32(len(nodes) + 1),
			}), true
		case c == '\\':
			n := escapeLen(p.src[i:])
			if n == 0 {
				return nodes, false
			}
			escaped = true
			i += n - 1
		case c < 0x20:
			return nodes, false
		}
	}
	return nodes, false
}

// escapeLen returns the length of the escape that s begins with, 0 if it is
// none.
func escapeLen(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(s); ok {
			return 6
		}
	}
	return 0
}

// hex4 reads the escape \uXXXX that s begins with.
func hex4(s string) (r rune, ok bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	for i := 2; i < 6; i++ {
		c := s[i]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

func (p *parser) number(nodes []node) ([]node, bool) {
	start := p.pos
	if p.src[p.pos] == '-' {
		p.pos++
	}
	whole := p.pos
	if !p.digits() || p.src[whole] == '0' && p.pos-whole > 1 {
		return nodes, false
	}
	integer := true
	if p.pos < len(p.src) && p.src[p.pos] == '.' {
		integer = false
		p.pos++
		if !p.digits() {
			return nodes, false
		}
	}
	if p.pos < len(p.src) && p.src[p.pos]|0x20 == 'e' {
		integer = false
		p.pos++
		if p.pos < len(p.src) && (p.src[p.pos] == '+' || p.src[p.pos] == '-') {
			p.pos++
		}
		if !p.digits() {
			return nodes, false
		}
	}
	return append(nodes, node{
		kind: kindNumber, integer: integer,
		start: uint32(start), end: uint32(p.pos), next: uint32(len(nodes) + 1),
	}), true
}

// digits consumes at least one digit.
func (p *parser) digits() bool {
	start := p.pos
	for p.pos < len(p.src) && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
		p.pos++
	}
	return p.pos > start
}
