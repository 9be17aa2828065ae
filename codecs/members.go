package codecs

import (
	"strconv"
	"strings"

	"billstream/internal/customer"
)

// members reads the members of one value. The first of a wrong kind ends the
// reading; whether a member before it is broken is then still to be asked.
type members struct {
	d       document
	pointer string
	names   []string
	at      [6]int
	fault   *customer.Refusal
	rank    int // of the member at fault
}

func (r *dataReader) members(pointer string, i int, names []string) members {
	m := members{d: r.d, pointer: pointer, names: names}
	r.d.find(i, names, m.at[:])
	return m
}

// given returns the node of the k-th member, 0 when it is absent, null, or
// behind a fault.
func (m *members) given(k int) int {
	i := m.at[k]
	if m.fault != nil || m.d.nodes[i].kind == kindNull {
		return 0
	}
	return i
}

func (m *members) refuse(k int, path, got, want string) {
	if m.fault == nil {
		m.fault, m.rank = customer.Invalid(m.pointer+"/"+m.names[k]+path, got, want), k
	}
}

func (m *members) text(k int) string {
	i := m.given(k)
	if i == 0 {
		return ""
	}
	if kind := m.d.nodes[i].kind; kind != kindString {
		m.refuse(k, "", kind.String(), "a string")
		return ""
	}
	return m.d.text(i)
}

// integer reads an integer; stated is false when there is none.
func (m *members) integer(k int) (v int64, stated bool) {
	i := m.given(k)
	if i == 0 {
		return 0, false
	}
	if kind := m.d.nodes[i].kind; kind != kindNumber {
		m.refuse(k, "", kind.String(), "an integer")
		return 0, false
	}
	v, ok := m.d.integer(i)
	if !ok {
		m.refuse(k, "", "a number with a fraction or exponent", "an integer")
		return 0, false
	}
	return v, ok
}

// each calls f for the elements of the k-th member, an array of the given kind,
// until there is a fault.
func (m *members) each(k int, want kind, f func(index, i int)) {
	i := m.given(k)
	if i == 0 {
		return
	}
	if kind := m.d.nodes[i].kind; kind != kindArray {
		m.refuse(k, "", kind.String(), "an array")
		return
	}
	index, end := 0, int(m.d.nodes[i].next)
	for i++; i < end && m.fault == nil; i = int(m.d.nodes[i].next) {
		if kind := m.d.nodes[i].kind; kind != want {
			m.refuse(k, "/"+strconv.Itoa(index), kind.String(), want.String())
			return
		}
		f(index, i)
		index++
	}
}

// first returns the error of the member that comes first: one of a wrong kind,
// or one that the value's normal form refuses.
func (m *members) first(err error) error {
	if m.fault == nil {
		return err
	}
	r, ok := err.(*customer.Refusal)
	if !ok || r == nil {
		return m.fault
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(r.Pointer, m.pointer+"/"), "/")
	for k, n := range m.names {
		if n == name && (k < m.rank || k == m.rank && r.Pointer != m.fault.Pointer && strings.HasPrefix(m.fault.Pointer, m.pointer+"/"+n+"/")) {
			return r
		}
	}
	return m.fault
}
