package views_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// patterns returns the patterns of the mux. Each has a series from the start.
func patterns(t *testing.T, reg prometheus.Gatherer) []string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range families {
		if f.GetName() != "billstream_http_requests_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "handler" {
					all = append(all, l.GetValue())
				}
			}
		}
	}
	return all
}

func TestDocumentListsTheRoutesAndNoOther(t *testing.T) {
	var got []string
	paths, _ := openAPI(t).at("/paths").(map[string]any)
	for path, item := range paths {
		for method := range item.(map[string]any) {
			got = append(got, strings.ToUpper(method)+" "+path)
		}
	}
	var want []string
	for _, p := range patterns(t, newWorld(t, 1).registry) {
		method, _, _ := strings.Cut(p, " ")
		want = append(want, method+" "+pathOf(p))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("document has\n%q\nwant the patterns of the mux\n%q", got, want)
	}
}

// Every example validates against the schema beside it: in media types,
// parameters and the schemas themselves.
func TestEveryExampleValidates(t *testing.T) {
	d := openAPI(t)
	checked := 0
	check := func(at string, schema string, value any) {
		checked++
		if err := d.schema(t, schema).Validate(value); err != nil {
			t.Errorf("example at %s: %v", at, err)
		}
	}
	walk(d.root, "", func(at string, node map[string]any) {
		_, hasSchema := node["schema"]
		if example, ok := node["example"]; ok && hasSchema {
			check(at, at+"/schema", example)
		}
		switch examples := node["examples"].(type) {
		case map[string]any:
			for name := range examples {
				check(at+"/"+name, at+"/schema", d.at(at+"/examples/"+escape(name)+"/value"))
			}
		case []any:
			for _, example := range examples {
				check(at, at, example)
			}
		}
	})
	if checked < 30 {
		t.Errorf("number of examples checked is %d, want at least 30", checked)
	}
}

// walk calls f for every object of the document, with its JSON pointer.
func walk(v any, at string, f func(at string, node map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(at, v)
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if name != "example" && name != "examples" && name != "value" {
				walk(v[name], at+"/"+escape(name), f)
			}
		}
	case []any:
		for i, item := range v {
			walk(item, fmt.Sprintf("%s/%d", at, i), f)
		}
	}
}

func TestEveryReferenceOfTheDocumentLeadsSomewhere(t *testing.T) {
	d := openAPI(t)
	used := make(map[string]bool)
	walk(d.root, "", func(at string, node map[string]any) {
		ref, ok := node["$ref"].(string)
		if !ok {
			return
		}
		used[strings.TrimPrefix(ref, "#/components/")] = true
		if !strings.HasPrefix(ref, "#/") || d.at(ref[1:]) == nil {
			t.Errorf("reference at %s is to %s, want something that is there", at, ref)
		}
	})
	for _, kind := range []string{"schemas", "responses"} {
		names, _ := d.at("/components/" + kind).(map[string]any)
		for name := range names {
			if !used[kind+"/"+name] {
				t.Errorf("%s/%s is used nowhere, want a use", kind, name)
			}
		}
	}
}

// What the document gives as an example is what the listener takes.
func TestEventExamplesOfTheDocumentAreAccepted(t *testing.T) {
	examples, _ := openAPI(t).at("/paths/~1v1~1events/post/requestBody/content/application~1cloudevents+json/examples").(map[string]any)
	if len(examples) != 9 {
		t.Fatalf("number of events is %d, want the nine types", len(examples))
	}
	for name, example := range examples {
		w, e := newIngest(t, 1)
		w.clock = instant(t, "2027-01-01T00:00:00Z").Time() // behind all of them
		a := w.post(structured, toJSON(t, example.(map[string]any)["value"]))
		if a.code != 202 || len(e.sent) != 1 {
			t.Errorf("event %s gives %d %s, want 202", name, a.code, a.body)
		}
	}
}
