// Command gen writes Grafana's dashboards into the current directory, one file
// each. What they show is in a file per dashboard; how Grafana wants it said is
// in model.go and panel.go. It writes the same bytes every time.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

func main() {
	if err := write("."); err != nil {
		fmt.Fprintf(os.Stderr, "gen: error: %v\n", err)
		os.Exit(1)
	}
}

// write writes every dashboard into the folder dir, over what is there.
func write(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open the folder of the dashboards: %w", err)
	}
	defer root.Close()
	for _, d := range dashboards() {
		text, err := encode(d)
		if err != nil {
			return err
		}
		if err := root.WriteFile(d.file(), text, 0o644); err != nil {
			return fmt.Errorf("write dashboard %s: %w", d.UID, err)
		}
	}
	return nil
}

// dashboards returns all of them.
func dashboards() []dashboard {
	return []dashboard{overview(), processor(), state()}
}

func encode(d dashboard) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return nil, fmt.Errorf("encode dashboard %s: %w", d.UID, err)
	}
	return b.Bytes(), nil
}

// file is the name of d's file: the last word of its uid.
func (d dashboard) file() string {
	return strings.TrimPrefix(d.UID, "billstream-") + ".json"
}
