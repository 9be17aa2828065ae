package codecs

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrBody says that the body of a request is not JSON in UTF-8, or no object.
// It comes wrapped in what is wrong.
var ErrBody = errors.New("body is broken, want a JSON object")

// MemberError says that a member of a request's body is wrong.
type MemberError struct {
	Name string // as it was sent: it may be anything
	text string
}

// Error says what is wrong without any value, or the name of a member that is
// not one of ours.
func (e *MemberError) Error() string { return e.text }

// ParseIDs returns the customer ids that the body {"ids":["c-1001","…"]} names,
// at most limit of them, in its order. They are strings, and not checked any
// further. The error is, or wraps, ErrBody, or is a *MemberError; the first
// fault counts, and nothing behind it is read.
func ParseIDs(body string, limit int) ([]string, error) {
	if !utf8.ValidString(body) {
		return nil, fmt.Errorf("%w: it is no valid UTF-8", ErrBody)
	}
	p := parser{src: body}
	if !p.skip('{') {
		return nil, fmt.Errorf("%w: it does not begin with one", ErrBody)
	}
	if p.skip('}') {
		return nil, p.end(&MemberError{Name: "ids", text: "ids is absent, want an array of customer ids"})
	}
	name, err := p.memberName()
	if err != nil {
		return nil, err
	}
	if name != "ids" {
		return nil, &MemberError{Name: name, text: "member is unknown, want ids"}
	}
	ids, err := p.ids(limit)
	if err != nil {
		return nil, err
	}
	if p.skip(',') {
		if name, err = p.memberName(); err != nil {
			return nil, err
		}
		if name == "ids" {
			return nil, &MemberError{Name: name, text: "ids is there twice, want it once"}
		}
		return nil, &MemberError{Name: name, text: "member is unknown, want ids"}
	}
	if !p.skip('}') {
		return nil, errNoJSON
	}
	return ids, p.end(nil)
}

var errNoJSON = fmt.Errorf("%w: it is not JSON", ErrBody)

// end returns err if nothing but white space is left.
func (p *parser) end(err error) error {
	if p.space(); p.pos != len(p.src) {
		return fmt.Errorf("%w: something stands behind it", ErrBody)
	}
	return err
}

// memberName reads a name and the colon behind it.
func (p *parser) memberName() (string, error) {
	var one [1]node
	nodes, ok := p.name(one[:0])
	if !ok {
		return "", errNoJSON
	}
	return p.whole(&nodes[0])
}

// whole returns the text of a string. Half a surrogate pair names no character,
// and two texts that differ in it would look alike.
func (p *parser) whole(n *node) (string, error) {
	s := p.src[n.start:n.end]
	if !n.escaped {
		return s, nil
	}
	s, ok := unescape(s)
	if !ok {
		return "", fmt.Errorf("%w: a string has half a surrogate pair", ErrBody)
	}
	return s, nil
}

// ids reads an array of strings.
func (p *parser) ids(limit int) ([]string, error) {
	var one [1]node
	if !p.skip('[') {
		nodes, ok := p.value(one[:0])
		if !ok {
			return nil, errNoJSON
		}
		return nil, &MemberError{Name: "ids", text: "ids is " + nodes[0].kind.String() + ", want an array of customer ids"}
	}
	if p.skip(']') {
		return nil, nil
	}
	ids := make([]string, 0, min(1+strings.Count(p.src, ","), limit))
	for {
		if len(ids) == limit {
			return nil, &MemberError{Name: "ids", text: fmt.Sprintf("ids is more than %d ids, want at most that", limit)}
		}
		nodes, ok := p.value(one[:0])
		if !ok {
			return nil, errNoJSON
		}
		if k := nodes[0].kind; k != kindString {
			return nil, &MemberError{Name: "ids", text: fmt.Sprintf("id %d is %s, want a string", len(ids), k)}
		}
		id, err := p.whole(&nodes[0])
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
		switch {
		case p.skip(','):
		case p.skip(']'):
			return ids, nil
		default:
			return nil, errNoJSON
		}
	}
}
