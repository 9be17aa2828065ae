package app_test

import (
	"bytes"
	"flag"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	names "github.com/prometheus/common/model"

	"billstream/dashboards"
)

var update = flag.Bool("update", false, "rewrite dashboards/metrics.json")

// The catalogue of metrics, which dashboards and their linter read, is what a
// process really exposes once it has committed and measured its lag.
func TestCatalogueIsWhatAProcessExposes(t *testing.T) {
	t.Parallel()
	p := start(t, config(t.TempDir()))
	p.produce(false, record("c-1", event("e-1", "renamed", "c-1", past, `{"name":"x"}`)))
	p.account("c-1", 1)
	p.get("/v1/accounts/nobody")
	var found dashboards.Catalogue
	eventually(t, "lag measured with a committed offset", 30*time.Second, func() bool {
		found = p.catalogue()
		_, ok := found.Find("billstream_committed_offset")
		return ok
	})
	const file = "../../dashboards/metrics.json"
	if *update {
		var b bytes.Buffer
		if err := found.Write(&b); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := dashboards.ReadCatalogue(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if err := found.Compare(want); err != nil {
		t.Errorf("%v\nrewrite it: go test ./internal/app -run Catalogue -update", err)
	}
}

// catalogue describes the metrics of the process.
func (p *process) catalogue() dashboards.Catalogue {
	p.t.Helper()
	return dashboards.Build(func(yield func(dashboards.Family) bool) {
		for _, f := range p.families() {
			if !yield(family(f)) {
				return
			}
		}
	}, open)
}

// open names the labels whose values are not a closed list.
func open(metric, label string) bool {
	switch metric {
	case "billstream_build_info", "billstream_config_info":
		return true
	}
	return label == "partition" || label == "handler" || metric == "billstream_http_requests_total" && label == "code"
}

// families scrapes /metrics.
func (p *process) families() map[string]*dto.MetricFamily {
	p.t.Helper()
	code, body, err := get(p.app.Addresses().Admin, "/metrics")
	if err != nil || code != http.StatusOK {
		p.t.Fatalf("/metrics is %d, %v", code, err)
	}
	parser := expfmt.NewTextParser(names.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	return families
}

// family says what the catalogue wants to know of a metric.
func family(f *dto.MetricFamily) dashboards.Family {
	out := dashboards.Family{Name: f.GetName(), Type: strings.ToLower(f.GetType().String()), Help: f.GetHelp()}
	for _, m := range f.GetMetric() {
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		out.Series = append(out.Series, labels)
	}
	return out
}
