// Package check_test reads the dashboards' queries with the parser of
// Prometheus. It is a module of its own, so that the parser's dependencies stay
// out of the program's. Run it with -count=1: the test cache does not see files
// outside the module, and the dashboards are outside.
package check_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// metric is what the catalogue says of one metric.
type metric struct {
	Name, Type string
	Labels     []struct {
		Name   string
		Values []string
	}
}

// has tells whether series of m carry the label, and with that value when the
// values are a closed set and value is not "".
func (m metric) has(label, value string) bool {
	for _, l := range m.Labels {
		if l.Name == label {
			return value == "" || len(l.Values) == 0 || slices.Contains(l.Values, value)
		}
	}
	return label == "job" || label == "instance"
}

// names are the metrics that a query may use, by the name of their series.
type names map[string]metric

// catalogue reads the metrics of billstream and adds those that are not its
// own: what Prometheus and the process collector give, with their labels.
func catalogue(t *testing.T) names {
	t.Helper()
	text, err := os.ReadFile("../../metrics.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []metric
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	known := names{}
	for _, m := range all {
		known[m.Name] = m
		if m.Type != "histogram" {
			continue
		}
		for _, suffix := range []string{"_count", "_sum", "_bucket"} {
			series := m
			series.Labels = slices.Clone(m.Labels)
			if suffix == "_bucket" {
				series.Labels = append(series.Labels, struct {
					Name   string
					Values []string
				}{Name: "le"})
			}
			known[m.Name+suffix] = series
		}
	}
	alerts := metric{Name: "ALERTS"}
	for _, l := range []string{"alertname", "alertstate"} {
		alerts.Labels = append(alerts.Labels, struct {
			Name   string
			Values []string
		}{Name: l})
	}
	known["ALERTS"] = alerts
	known["process_start_time_seconds"] = metric{Name: "process_start_time_seconds"}
	return known
}

// expression is a query of a dashboard and where it stands.
type expression struct{ where, text string }

// expressions returns the queries of all panels and annotations.
func expressions(t *testing.T) []expression {
	t.Helper()
	files, err := filepath.Glob("../../*.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []expression
	for _, file := range files {
		if filepath.Base(file) == "metrics.json" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
			Annotations struct {
				List []struct {
					Name   string
					Target struct{ Expr string }
				}
			}
		}
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				all = append(all, expression{filepath.Base(file) + ", " + p.Title, q.Expr})
			}
		}
		for _, a := range d.Annotations.List {
			all = append(all, expression{filepath.Base(file) + ", " + a.Name, a.Target.Expr})
		}
	}
	if len(all) == 0 {
		t.Fatal("expressions is empty, want those of the dashboards")
	}
	return all
}

// plain puts values in place of Grafana's variables.
var plain = strings.NewReplacer(
	"$__rate_interval", "1m", "$__interval", "1m", "$__range", "1h",
	"$job", ".+", "$instance", ".+", "$group", ".+",
)

// problems parses text and compares what it selects and groups by with known.
func problems(text string, known names) []string {
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(plain.Replace(text))
	if err != nil {
		return []string{fmt.Sprintf("%s does not parse: %v", text, err)}
	}
	var ps []string
	selected := 0
	parser.Inspect(tree, func(n parser.Node, path []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			selected++
			ps = append(ps, selection(n, known)...)
		case *parser.AggregateExpr:
			ps = append(ps, grouping(n, n.Grouping, known)...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				ps = append(ps, grouping(n, slices.Concat(n.VectorMatching.MatchingLabels, n.VectorMatching.Include), known)...)
			}
		case *parser.Call:
			ps = append(ps, counting(n, known)...)
		}
		return nil
	})
	if selected == 0 {
		ps = append(ps, text+" selects nothing, want a metric")
	}
	return ps
}

func selection(s *parser.VectorSelector, known names) []string {
	m, ok := known[s.Name]
	if !ok {
		return []string{fmt.Sprintf("metric is %q, want one of the catalogue", s.Name)}
	}
	var ps []string
	for _, l := range s.LabelMatchers {
		value := ""
		if l.Type == labels.MatchEqual {
			value = l.Value
		}
		if l.Name != labels.MetricName && !m.has(l.Name, value) {
			ps = append(ps, fmt.Sprintf("%s is selected by %s, want a label and a value that it has", s.Name, l))
		}
	}
	return ps
}

// grouping checks that each label is on a metric below n: a sum by a label
// that nothing has is one series without a name.
func grouping(n parser.Node, by []string, known names) []string {
	var below []metric
	parser.Inspect(n, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			below = append(below, known[s.Name])
		}
		return nil
	})
	var ps []string
	for _, label := range by {
		if !slices.ContainsFunc(below, func(m metric) bool { return m.has(label, "") }) {
			ps = append(ps, fmt.Sprintf("%s groups by %s, want a label of what is below", n, label))
		}
	}
	return ps
}

// counting checks that rate and increase are taken of what only goes up.
func counting(c *parser.Call, known names) []string {
	if c.Func.Name != "rate" && c.Func.Name != "increase" {
		return nil
	}
	window, ok := c.Args[0].(*parser.MatrixSelector)
	if !ok {
		return nil
	}
	s, ok := window.VectorSelector.(*parser.VectorSelector)
	if !ok || known[s.Name].Type != "gauge" {
		return nil
	}
	return []string{fmt.Sprintf("%s is of a gauge, want a counter or a histogram", c)}
}

func TestEveryExpressionParsesAndUsesTheCatalogue(t *testing.T) {
	known := catalogue(t)
	for _, e := range expressions(t) {
		for _, p := range problems(e.text, known) {
			t.Errorf("%s: %s", e.where, p)
		}
	}
}

func TestCheckCatchesABrokenExpression(t *testing.T) {
	known := catalogue(t)
	for text, want := range map[string]string{
		`sum(rate(billstream_commits_total[$__rate_interval])`:                              "does not parse",
		`sum(rate(billstream_commit_total[$__rate_interval]))`:                              `metric is "billstream_commit_total"`,
		`billstream_commits_total{listener="data"}`:                                         "is selected by listener",
		`billstream_commits_total{result="lost"}`:                                           `is selected by result="lost"`,
		`billstream_ready{le=~"1([.]0)?"}`:                                                  "is selected by le",
		`sum by (facet) (rate(billstream_commits_total[1m]))`:                               "groups by facet",
		`billstream_build_info * on (shard) billstream_config_info`:                         "groups by shard",
		`billstream_ready * on (instance) group_left (facet) billstream_config_info`:        "groups by facet",
		`rate(billstream_ready[1m])`:                                                        "is of a gauge",
		`vector(0)`:                                                                         "selects nothing",
		`histogram_quantile(0.99, sum by (le) (rate(billstream_commits_total_bucket[1m])))`: `metric is "billstream_commits_total_bucket"`,
	} {
		if got := strings.Join(problems(text, known), "\n"); !strings.Contains(got, want) {
			t.Errorf("problems of %s are %q, want one that says %q", text, got, want)
		}
	}
}
