// Package dashboards holds what people look at while billstream runs: Grafana
// dashboards, and the catalogue of the metrics that they may use.
//
// The dashboards are written by internal/gen and never by hand. The catalogue,
// metrics.json, is written from the registry of a process with everything wired
// up; see Build.
package dashboards

import (
	"embed"
	"io/fs"
)

//go:generate go run ./internal/gen

//go:embed *.json
var files embed.FS

// CatalogueFile is the name of the catalogue of metrics among Files. Every
// other file there is a dashboard.
const CatalogueFile = "metrics.json"

// Files returns the dashboards, as classic Grafana JSON named after the last
// word of their uid, and the catalogue of metrics. It has no folders.
func Files() fs.FS { return files }
