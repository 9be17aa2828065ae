package dashboards_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"billstream/dashboards"
)

var (
	types   = []string{"timeseries", "stat", "bargauge", "table", "text", "row"}
	units   = []string{"s", "recps", "eps", "reqps", "ops", "Bps", "bytes", "percentunit", "short", "none", "bool", "dtdurations", "dateTimeFromNow"}
	foreign = map[string][]string{ // names that are not ours, and their labels
		"ALERTS":                     {"alertname", "alertstate"},
		"process_start_time_seconds": nil,
	}
	scraped = []string{"job", "instance", "le"} // labels that a scrape adds
)

// problems says what is wrong with b, one sentence each.
func problems(b board, c dashboards.Catalogue) []string {
	return slices.Concat(frame(b), grid(b.Panels), conventions(b.Panels), expressions(b, c))
}

// frame checks what all dashboards share.
func frame(b board) []string {
	var ps []string
	want := func(what string, got, want any) {
		if got != want {
			ps = append(ps, fmt.Sprintf("%s is %v, want %v", what, got, want))
		}
	}
	want("uid begins with billstream-", strings.HasPrefix(b.UID, "billstream-"), true)
	want("title begins with Billstream / ", strings.HasPrefix(b.Title, "Billstream / "), true)
	want("schemaVersion", b.SchemaVersion, 42)
	want("editable", b.Editable, false)
	want("tags", strings.Join(b.Tags, " "), "billstream")
	want("refresh", b.Refresh, "30s")
	want("timezone", b.Timezone, "utc")
	var names []string
	for i, v := range b.Templating.List {
		names = append(names, v.Name)
		if i > 0 {
			want("datasource of variable "+v.Name, v.Datasource != nil && *v.Datasource == chosen, true)
		}
	}
	want("variables", strings.Join(names, " "), "datasource job instance group")
	for _, a := range b.Annotations.List {
		want("datasource of annotation "+a.Name, a.Datasource, chosen)
	}
	return ps
}

// chosen is the data source that is picked at the top of a dashboard.
var chosen = source{Type: "prometheus", UID: "${datasource}"}

// grid checks that every panel has a number and a place of its own.
func grid(all []panel) []string {
	var ps []string
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range all {
		if p.ID <= 0 || ids[p.ID] {
			ps = append(ps, fmt.Sprintf("%s: id is %d, want a positive one of its own", p.Title, p.ID))
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.X < 0 || g.Y < 0 || g.W < 1 || g.H < 1 || g.X+g.W > 24 {
			ps = append(ps, fmt.Sprintf("%s: gridPos is %v, want one inside 24 columns", p.Title, g))
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok {
					ps = append(ps, fmt.Sprintf("%s: lies over %s", p.Title, other))
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
	return ps
}

// conventions checks what each panel must say.
func conventions(all []panel) []string {
	var ps []string
	for _, p := range all {
		bad := func(format string, args ...any) {
			ps = append(ps, p.Title+": "+fmt.Sprintf(format, args...))
		}
		if !slices.Contains(types, p.Type) {
			bad("type is %q, want one of %v", p.Type, types)
		}
		if p.Title == "" {
			bad("title of panel %d is empty, want one", p.ID)
		}
		if p.Type == "row" {
			continue
		}
		if p.Description == "" {
			bad("description is empty, want what it shows, what is normal, what to do")
		}
		if p.Type == "text" {
			continue
		}
		if !strings.Contains(p.Description, "Normal:") {
			bad("description is without Normal:, want it to say what is normal")
		}
		if p.Datasource == nil || *p.Datasource != chosen {
			bad("datasource is %v, want %v", p.Datasource, chosen)
		}
		if !slices.Contains(units, p.FieldConfig.Defaults.Unit) {
			bad("unit is %q, want one of %v", p.FieldConfig.Defaults.Unit, units)
		}
		if p.FieldConfig.Defaults.NoValue != "none" {
			bad("noValue is %q, want none", p.FieldConfig.Defaults.NoValue)
		}
		if len(p.Targets) == 0 {
			bad("targets is empty, want one or more")
		}
		for i, q := range p.Targets {
			if q.LegendFormat == "" || q.LegendFormat == "__auto" {
				bad("legendFormat of %s is %q, want words", q.Expr, q.LegendFormat)
			}
			if q.Datasource != chosen {
				bad("datasource of %s is %v, want %v", q.Expr, q.Datasource, chosen)
			}
			if want := string(rune('A' + i)); q.RefID != want {
				bad("refId of %s is %q, want %q", q.Expr, q.RefID, want)
			}
		}
	}
	return ps
}

// The rough reading of PromQL that this test lives on. The module in
// internal/check reads it with Prometheus' own parser.
var (
	selector = regexp.MustCompile(`\b(billstream_[a-z0-9_]+|process_[a-z0-9_]+|go_[a-z0-9_]+|ALERTS)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`([a-z_]+)(=~|!~|!=|=)"([^"]*)"`)
	grouping = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right) \(([^)]*)\)`)
	window   = regexp.MustCompile(`\[([^\]]*)\]`)
	windows  = []string{"$__rate_interval", "$__range", "$__interval", "30d"}
)

// expressions checks every query of b against the catalogue.
func expressions(b board, c dashboards.Catalogue) []string {
	var ps []string
	for _, p := range b.Panels {
		for _, q := range p.Targets {
			for _, s := range expression(q.Expr, c) {
				ps = append(ps, p.Title+": "+s)
			}
		}
	}
	for _, a := range b.Annotations.List {
		for _, s := range expression(a.Target.Expr, c) {
			ps = append(ps, a.Name+": "+s)
		}
	}
	return ps
}

func expression(expr string, c dashboards.Catalogue) []string {
	var ps []string
	known := slices.Clone(scraped)
	found := selector.FindAllStringSubmatch(expr, -1)
	if len(found) == 0 {
		ps = append(ps, expr+" has no metric, want one")
	}
	for _, s := range found {
		labels, bad := selection(s[1], s[2], c)
		ps, known = append(ps, bad...), append(known, labels...)
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for _, l := range strings.Split(g[1], ",") {
			if l = strings.TrimSpace(l); l != "" && !slices.Contains(known, l) {
				ps = append(ps, fmt.Sprintf("%s groups by %s, want a label of its metrics", expr, l))
			}
		}
	}
	for _, w := range window.FindAllStringSubmatch(expr, -1) {
		if !slices.Contains(windows, w[1]) {
			ps = append(ps, fmt.Sprintf("%s has the range %s, want one of %v", expr, w[1], windows))
		}
	}
	return ps
}

// selection checks one selector and returns the labels of its metric.
func selection(name, matchers string, c dashboards.Catalogue) (labels, ps []string) {
	bad := func(format string, args ...any) {
		ps = append(ps, fmt.Sprintf("%s{%s}: ", name, matchers)+fmt.Sprintf(format, args...))
	}
	m, ours := c.Find(name)
	labels, other := foreign[name]
	if !ours && !other {
		bad("metric is not in %s", dashboards.CatalogueFile)
		return nil, ps
	}
	for _, l := range m.Labels {
		labels = append(labels, l.Name)
	}
	have := map[string]string{}
	for _, f := range matcher.FindAllStringSubmatch(matchers, -1) {
		have[f[1]] = f[2] + f[3]
		if !slices.Contains(labels, f[1]) && !slices.Contains(scraped, f[1]) {
			bad("label %s is unknown, want one of %v", f[1], labels)
		}
		if l, ok := m.Label(f[1]); ok && f[2] == "=" && len(l.Values) > 0 && !slices.Contains(l.Values, f[3]) {
			bad("value %q of label %s is unknown, want one of %v", f[3], f[1], l.Values)
		}
		if f[1] == "le" && f[3] == "1" {
			bad(`le is "1", which one of the two exposition formats writes as "1.0"`)
		}
	}
	wanted := []string{"job", "instance"}
	if slices.Contains(labels, "group") {
		wanted = append(wanted, "group")
	}
	for _, l := range wanted {
		if name != "ALERTS" && have[l] != "=~$"+l {
			bad("matcher of %s is %q, want =~$%s", l, have[l], l)
		}
	}
	return labels, ps
}

func TestDashboardsKeepTheConventionsAndTheCatalogue(t *testing.T) {
	c := catalogue(t)
	uids := map[string]string{}
	for name, b := range boards(t) {
		for _, p := range problems(b, c) {
			t.Errorf("%s: %s", name, p)
		}
		if want := "billstream-" + strings.TrimSuffix(name, ".json"); b.UID != want {
			t.Errorf("uid of %s is %s, want %s", name, b.UID, want)
		}
		if other, ok := uids[b.UID]; ok {
			t.Errorf("uid of %s is that of %s", name, other)
		}
		uids[b.UID] = name
	}
}

func TestEveryMetricIsOursAndSaysWhatItCounts(t *testing.T) {
	for _, m := range catalogue(t) {
		if !strings.HasPrefix(m.Name, dashboards.Prefix) {
			t.Errorf("metric %s, want a name that begins with %s", m.Name, dashboards.Prefix)
		}
		if m.Help == "" || !slices.Contains([]string{"counter", "gauge", "histogram"}, m.Type) {
			t.Errorf("metric %s: type is %q and help %q, want both", m.Name, m.Type, m.Help)
		}
		if strings.HasSuffix(m.Name, "_total") != (m.Type == "counter") {
			t.Errorf("metric %s is a %s, want _total on counters and on nothing else", m.Name, m.Type)
		}
	}
}
