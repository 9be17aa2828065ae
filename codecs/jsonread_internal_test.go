package codecs

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// The reader is not exported, so its tests stand inside the package. The judge
// is encoding/json, except for what it does not see.

func TestJSONReaderTakesWhatTheGrammarTakes(t *testing.T) {
	for _, src := range jsonSamples() {
		if _, ok := parseJSON(src); ok != json.Valid([]byte(src)) {
			t.Errorf("%q is valid: %v, want %v", src, ok, json.Valid([]byte(src)))
		}
	}
}

func TestJSONReaderBoundsDepth(t *testing.T) {
	nest := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	if _, ok := parseJSON("[" + nest(maxDepth) + "]"); !ok {
		t.Errorf("depth %d is refused, want it to pass", maxDepth+1)
	}
	if _, ok := parseJSON(strings.Repeat(`{"a":`, maxDepth+1) + "1" + strings.Repeat("}", maxDepth+1)); ok {
		t.Errorf("depth %d passes, want it to be refused", maxDepth+1)
	}
}

func FuzzJSONReader(f *testing.F) {
	for _, src := range jsonSamples() {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		d, ok := parseJSON(src)
		valid := json.Valid([]byte(src))
		if ok && !valid || valid && !ok && strings.Count(src, "[")+strings.Count(src, "{") <= maxDepth {
			t.Fatalf("%q is valid: %v, want %v", src, ok, valid)
		}
		if !ok {
			return
		}
		d.repeated()
		for i := range d.nodes {
			d.pointer(i)
		}
		if d.half() >= 0 || !utf8.ValidString(src) || d.repeated() >= 0 {
			return // encoding/json reads something else into these
		}
		var want any
		dec := json.NewDecoder(strings.NewReader(src))
		dec.UseNumber()
		if err := dec.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if got := d.value(0); !reflect.DeepEqual(got, want) {
			t.Errorf("%q is read as %#v, want %#v", src, got, want)
		}
	})
}

// value returns node i as encoding/json would.
func (d *document) value(i int) any {
	n := d.nodes[i]
	switch n.kind {
	case kindBool:
		return d.raw(i) == "true"
	case kindNumber:
		return json.Number(d.raw(i))
	case kindString:
		return d.text(i)
	case kindArray:
		all := []any{}
		for k := i + 1; k < int(n.next); k = int(d.nodes[k].next) {
			all = append(all, d.value(k))
		}
		return all
	case kindObject:
		all := map[string]any{}
		for k := i + 1; k < int(n.next); k = int(d.nodes[k+1].next) {
			all[d.text(k)] = d.value(k + 1)
		}
		return all
	}
	return nil
}

func jsonSamples() []string {
	return []string{
		``, ` `, `null`, `nul`, `nulll`, `true`, `false`, `tru`, `[]`, `[ ]`, `{}`, `{ }`, `[1,2]`, `[1,]`, `[,1]`, `[1 2]`, `{"a":1}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{1:1}`,
		`{"a":[{"b":[]},{}],"c":{"d":null}}`, `[[[]]]`, `[}`, `{]`, `[{]}`, `]`, `}`, `,`, `:`, `"`, `"a`, `"a"`, `"\"`, `"\\"`, `"\/\b\f\n\r\t"`, `"\x"`, `"\u12"`, `"\u12G4"`, `"\uD83D\uDE00"`, `"\ud800"`, `"\ud800\u0041"`,
		"\"\x01\"", "\"\x7f\"", "\"\xff\"", "\ufeff{}", `0`, `-0`, `-`, `01`, `1.`, `1.0`, `.5`, `1e5`, `1E+05`, `1e`, `1e+`, `-1.5e-7`, `+1`, `1a`, `0x1`, `NaN`, `1 1`, "[1]\n", "\t[1]\r", `{"a":1}{"b":2}`, `{"a":1,"a":2}`,
	}
}
