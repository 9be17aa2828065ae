package views_test

import (
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// document is openapi.json, and its schemas compiled.
type document struct {
	root     map[string]any
	compiler *jsonschema.Compiler
	mu       sync.Mutex
	schemas  map[string]*jsonschema.Schema // by JSON pointer
}

const documentURL = "https://example.com/openapi.json"

var loadOnce = sync.OnceValues(loadDocument)

func loadDocument() (*document, error) {
	f, err := os.Open("openapi.json")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	root, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(documentURL, root); err != nil {
		return nil, err
	}
	return &document{root: root.(map[string]any), compiler: c, schemas: make(map[string]*jsonschema.Schema)}, nil
}

// openAPI returns the document.
func openAPI(t testing.TB) *document {
	t.Helper()
	d, err := loadOnce()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// schema compiles the schema at the JSON pointer.
func (d *document) schema(t testing.TB, pointer string) *jsonschema.Schema {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if s, ok := d.schemas[pointer]; ok {
		return s
	}
	s, err := d.compiler.Compile(documentURL + "#" + (&url.URL{Path: pointer}).EscapedPath())
	if err != nil {
		t.Fatal(err)
	}
	d.schemas[pointer] = s
	return s
}

// at returns what stands at the JSON pointer, nil if nothing does.
func (d *document) at(pointer string) any {
	var v any = d.root
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
	}
	return v
}

func escape(step string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(step) }

// pathOf returns the document's path for a pattern of the mux.
func pathOf(pattern string) string {
	_, path, _ := strings.Cut(pattern, " ")
	return strings.TrimSuffix(path, "{$}")
}

// responseSchema returns the schema of one kind of answer. An answer that the
// document does not know is an error; one without a body has no schema.
func (d *document) responseSchema(t testing.TB, method, pattern string, code int, contentType string) *jsonschema.Schema {
	t.Helper()
	if pattern == "" { // no route: any problem
		return d.schema(t, "/components/schemas/Problem")
	}
	responses := "/paths/" + escape(pathOf(pattern)) + "/" + strings.ToLower(method) + "/responses/"
	at := responses + fmt.Sprint(code)
	if d.at(at) == nil {
		at = responses + "default"
	}
	if ref, ok := d.at(at + "/$ref").(string); ok {
		at = strings.TrimPrefix(ref, "#")
	}
	if d.at(at) == nil {
		t.Errorf("answer %d of %q is not in the document", code, pattern)
		return nil
	}
	if d.at(at+"/content") == nil {
		return nil
	}
	at += "/content/" + escape(contentType) + "/schema"
	if d.at(at) == nil {
		t.Errorf("answer %d of %q is %q, want a media type of the document", code, pattern, contentType)
		return nil
	}
	return d.schema(t, at)
}
