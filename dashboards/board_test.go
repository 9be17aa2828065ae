package dashboards_test

import (
	"encoding/json"
	"io/fs"
	"testing"

	"billstream/dashboards"
)

// board is what the tests look at in a dashboard.
type board struct {
	UID, Title, Refresh, Timezone string
	SchemaVersion                 int
	Editable                      bool
	Tags                          []string
	Annotations                   struct{ List []mark }
	Templating                    struct{ List []choice }
	Panels                        []panel
}

type mark struct {
	Name       string
	Datasource source
	Target     target
}

type choice struct {
	Name       string
	Datasource *source
	Query      any
}

type source struct{ Type, UID string }

type target struct {
	Datasource                source
	RefID, Expr, LegendFormat string
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               *source
	GridPos                  struct{ H, W, X, Y int }
	Targets                  []target
	FieldConfig              struct {
		Defaults struct{ Unit, NoValue string }
	}
}

// boards reads every committed dashboard, by the name of its file.
func boards(t *testing.T) map[string]board {
	t.Helper()
	names, err := fs.Glob(dashboards.Files(), "*.json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]board{}
	for _, name := range names {
		if name != dashboards.CatalogueFile {
			all[name] = readBoard(t, name)
		}
	}
	if len(all) == 0 {
		t.Fatal("dashboards is empty, want at least one")
	}
	return all
}

func readBoard(t *testing.T, name string) board {
	t.Helper()
	text, err := fs.ReadFile(dashboards.Files(), name)
	if err != nil {
		t.Fatal(err)
	}
	var b board
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return b
}

func catalogue(t *testing.T) dashboards.Catalogue {
	t.Helper()
	f, err := dashboards.Files().Open(dashboards.CatalogueFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, err := dashboards.ReadCatalogue(f)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
