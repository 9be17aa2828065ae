package main

// columns is the width of Grafana's grid.
const columns = 24

// place is a panel and the columns it takes.
type place struct {
	width int
	panel panel
}

// row is a heading and the panels below it, all of one height, from left to
// right and then on the next line.
type row struct {
	title  string
	height int
	places []place
}

// lay numbers the panels and gives each its place on the grid.
func lay(rows []row) []panel {
	var all []panel
	y := 0
	add := func(p panel, at gridPos) {
		p.ID, p.GridPos = len(all)+1, at
		all = append(all, p)
	}
	for _, r := range rows {
		add(panel{Type: "row", Title: r.title, Collapsed: new(false), Panels: &[]panel{}}, gridPos{H: 1, W: columns, Y: y})
		y++
		x := 0
		for _, p := range r.places {
			if x+p.width > columns {
				x, y = 0, y+r.height
			}
			add(p.panel, gridPos{H: r.height, W: p.width, X: x, Y: y})
			x += p.width
		}
		y += r.height
	}
	return all
}

// page is a dashboard with what all of ours have in common.
func page(name, title string, rows ...row) dashboard {
	return dashboard{
		UID: "billstream-" + name, Title: "Billstream / " + title, Tags: []string{"billstream"},
		SchemaVersion: 42, GraphTooltip: 1, Refresh: "30s", Timezone: "utc",
		Time: timeRange{From: "now-1h", To: "now"},
		Links: []link{{
			Type: "dashboards", Title: "Billstream", Tags: []string{"billstream"},
			AsDropdown: true, IncludeVars: true, KeepTime: true,
		}},
		Annotations: annotations{List: []annotation{
			mark("Rebalances", "blue", "rebalance {{group}}",
				sumBy("group", "changes("+ofGroup("last_rebalance_timestamp_seconds")+"[$__interval])")+" > 0"),
			mark("Restarts", "purple", "restart {{instance}}",
				`changes(process_start_time_seconds{job=~"$job",instance=~"$instance"}[$__interval]) > 0`),
			mark("Alerts", "red", "{{alertname}}",
				`ALERTS{alertname=~"Billstream.+",alertstate="firing"}`),
		}},
		Templating: templating{List: []variable{
			{Type: "datasource", Name: "datasource", Label: "Data source", Query: "prometheus", Refresh: 1},
			choice("job", "Job", `label_values(billstream_build_info, job)`),
			choice("instance", "Instance", `label_values(billstream_build_info{job=~"$job"}, instance)`),
			choice("group", "Group", `label_values(billstream_commits_total{job=~"$job"}, group)`),
		}},
		Panels: lay(rows),
	}
}

// mark is an annotation: a line in every graph when expr has a value.
func mark(name, color, legend, expr string) annotation {
	return annotation{
		Name: name, Enable: true, IconColor: color, Datasource: *source(),
		Target: target{RefID: "Anno", Expr: expr, LegendFormat: legend},
	}
}

// choice is a variable whose values come from a label.
func choice(name, label, values string) variable {
	return variable{
		Type: "query", Name: name, Label: label, Datasource: source(),
		Query: &variableQuery{Query: values, RefID: "Values"},
		Multi: true, IncludeAll: true, AllValue: ".+", Refresh: 2, Sort: 1,
	}
}
