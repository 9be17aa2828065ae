package dashboards_test

import (
	"strings"
	"testing"
)

// Each control breaks the overview in one way that the checks must name.
func TestChecksCatchABrokenDashboard(t *testing.T) {
	panelOf := func(b *board, title string) *panel {
		for i := range b.Panels {
			if b.Panels[i].Title == title {
				return &b.Panels[i]
			}
		}
		t.Fatalf("overview has no panel %q", title)
		return nil
	}
	expr := func(change func(string) string) func(*board) {
		return func(b *board) {
			q := &panelOf(b, "Lookups answered").Targets[0]
			old := q.Expr
			if q.Expr = change(old); q.Expr == old {
				t.Fatalf("expression %s did not change", old)
			}
		}
	}
	replace := func(old, new string) func(*board) {
		return expr(func(s string) string { return strings.Replace(s, old, new, 1) })
	}
	lag := "Lag, worst partition"
	for name, control := range map[string]struct {
		change func(*board)
		want   string
	}{
		"unknown metric":                     {replace("billstream_http_requests_total", "billstream_requests_total"), "metric is not in"},
		"suffix of a histogram on a counter": {replace("_requests_total", "_requests_total_count"), "metric is not in"},
		"unknown label":                      {replace(`listener="data"`, `port="data"`), "label port is unknown"},
		"unknown value":                      {replace(`listener="data"`, `listener="front"`), `value "front" of label listener`},
		"no job":                             {replace(`job=~"$job",`, ""), "matcher of job"},
		"no instance":                        {replace(`,instance=~"$instance"`, ""), "matcher of instance"},
		"no group": {func(b *board) {
			q := &panelOf(b, lag).Targets[0]
			q.Expr = strings.Replace(q.Expr, `,group=~"$group"`, "", 1)
		}, "matcher of group"},
		"le of one":          {replace(`listener="data"`, `le="1"`), `le is "1"`},
		"unknown grouping":   {expr(func(s string) string { return "sum by (shard) (" + s + ")" }), "groups by shard"},
		"fixed window":       {replace("$__range", "5m"), "range 5m"},
		"no metric":          {expr(func(string) string { return "vector(1)" }), "no metric"},
		"annotation":         {func(b *board) { b.Annotations.List[0].Target.Expr = "billstream_gone" }, "metric is not in"},
		"same id":            {func(b *board) { b.Panels[2].ID = b.Panels[1].ID }, "positive one of its own"},
		"overlap":            {func(b *board) { b.Panels[2].GridPos.X-- }, "lies over"},
		"too wide":           {func(b *board) { b.Panels[2].GridPos.W++ }, "inside 24 columns"},
		"no description":     {func(b *board) { panelOf(b, lag).Description = "" }, "description is empty"},
		"nothing is normal":  {func(b *board) { panelOf(b, lag).Description = "Lag." }, "without Normal:"},
		"no title":           {func(b *board) { panelOf(b, lag).Title = "" }, "title of panel"},
		"type":               {func(b *board) { panelOf(b, lag).Type = "heatmap" }, `type is "heatmap"`},
		"unit":               {func(b *board) { panelOf(b, lag).FieldConfig.Defaults.Unit = "ms" }, `unit is "ms"`},
		"no word for none":   {func(b *board) { panelOf(b, lag).FieldConfig.Defaults.NoValue = "" }, "noValue"},
		"no target":          {func(b *board) { panelOf(b, lag).Targets = nil }, "targets is empty"},
		"no legend":          {func(b *board) { panelOf(b, lag).Targets[0].LegendFormat = "" }, "legendFormat"},
		"default datasource": {func(b *board) { panelOf(b, lag).Datasource = nil }, "datasource is"},
		"target datasource":  {func(b *board) { panelOf(b, lag).Targets[0].Datasource.UID = "x" }, "datasource of"},
		"same refId":         {func(b *board) { q := panelOf(b, "Trouble").Targets; q[1].RefID = q[0].RefID }, "refId of"},
		"editable":           {func(b *board) { b.Editable = true }, "editable is true"},
		"schema":             {func(b *board) { b.SchemaVersion = 36 }, "schemaVersion is 36"},
		"variables":          {func(b *board) { b.Templating.List = b.Templating.List[:2] }, "variables is datasource job"},
	} {
		t.Run(name, func(t *testing.T) {
			b, c := readBoard(t, "overview.json"), catalogue(t)
			control.change(&b)
			all := strings.Join(problems(b, c), "\n")
			if !strings.Contains(all, control.want) {
				t.Errorf("problems are %q, want one that says %q", all, control.want)
			}
		})
	}
}
