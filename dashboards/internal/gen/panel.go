package main

// Units of Grafana that the panels use.
const (
	unitSeconds  = "s"
	unitEvents   = "eps"
	unitRecords  = "recps"
	unitCommits  = "ops"
	unitRate     = "Bps"
	unitBytes    = "bytes"
	unitRatio    = "percentunit"
	unitShort    = "short"
	unitNone     = "none"
	unitDuration = "dtdurations"
	unitAge      = "dateTimeFromNow"
)

// source is the data source that is chosen at the top.
func source() *datasource { return &datasource{Type: "prometheus", UID: "${datasource}"} }

// query asks for expr over the time range of the dashboard.
func query(legend, expr string) target {
	return target{Datasource: source(), Expr: expr, LegendFormat: legend, Range: true}
}

// instant asks for expr at the end of the time range.
func instant(legend, expr string) target {
	return target{Datasource: source(), Expr: expr, LegendFormat: legend, Instant: true}
}

// newPanel is what all panels with data have in common.
func newPanel(kind, title, description, unit string, targets []target) panel {
	for i := range targets {
		targets[i].RefID = string(rune('A' + i))
	}
	return panel{
		Type: kind, Title: title, Description: description, Datasource: source(), Targets: targets,
		FieldConfig: &fieldConfig{
			Defaults: fieldDefaults{
				Unit: unit, NoValue: "none", Min: new(0.0),
				Color: object{"mode": "palette-classic"},
			},
			Overrides: []object{},
		},
	}
}

func timeSeries(title, description, unit string, targets ...target) panel {
	p := newPanel("timeseries", title, description, unit, targets)
	p.FieldConfig.Defaults.Custom = object{
		"drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 1, "fillOpacity": 10,
		"showPoints": "never", "spanNulls": false, "thresholdsStyle": object{"mode": "off"},
		"stacking": object{"mode": "none", "group": "A"},
	}
	p.Options = object{
		"legend":  object{"displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": []string{"mean", "max", "lastNotNull"}},
		"tooltip": object{"mode": "multi", "sort": "desc"},
	}
	return p
}

func stat(title, description, unit string, targets ...target) panel {
	p := newPanel("stat", title, description, unit, targets)
	p.Options = object{
		"reduceOptions": lastValue(), "colorMode": "value", "graphMode": "area", "justifyMode": "auto",
		"textMode": "auto", "orientation": "auto", "wideLayout": true,
		"showPercentChange": false, "percentChangeColorMode": "standard",
	}
	return p
}

func barGauge(title, description, unit string, targets ...target) panel {
	p := newPanel("bargauge", title, description, unit, targets)
	p.Options = object{
		"reduceOptions": lastValue(), "displayMode": "basic", "orientation": "horizontal", "showUnfilled": true,
		"minVizHeight": 16, "minVizWidth": 8, "maxVizHeight": 300, "valueMode": "color",
		"namePlacement": "auto", "sizing": "auto",
		"legend": object{"displayMode": "list", "placement": "bottom", "showLegend": false, "calcs": []string{}},
	}
	return p
}

// table shows one row per series, at the end of the time range.
func table(title, description, unit string, targets ...target) panel {
	p := newPanel("table", title, description, unit, targets)
	for i := range p.Targets {
		p.Targets[i].Format = "table"
	}
	p.FieldConfig.Defaults.Min = nil
	p.Options = object{"frameIndex": 0, "showHeader": true, "cellHeight": "sm"}
	return p
}

func text(title, description, markdown string) panel {
	return panel{
		Type: "text", Title: title, Description: description,
		Options: object{"mode": "markdown", "content": markdown},
	}
}

func lastValue() object {
	return object{"calcs": []string{"lastNotNull"}, "values": false, "fields": ""}
}

// limits colours values by thresholds: base first, then each step from its
// value on.
func (p panel) limits(base string, steps ...step) panel {
	p.FieldConfig.Defaults.Color = object{"mode": "thresholds"}
	p.FieldConfig.Defaults.Thresholds = &thresholds{Mode: "absolute", Steps: append([]step{{Color: base}}, steps...)}
	return p
}

func from(value float64, color string) step { return step{Color: color, Value: new(value)} }

// most is the highest value that the scale needs to show.
func (p panel) most(value float64) panel {
	p.FieldConfig.Defaults.Max = new(value)
	return p
}

// words shows texts in place of values.
func (p panel) words(of map[string]string) panel {
	options := object{}
	for value, word := range of {
		options[value] = object{"text": word}
	}
	p.FieldConfig.Defaults.Mappings = []object{{"type": "value", "options": options}}
	return p
}

// stacked puts the lines on top of each other: their sum means something.
func (p panel) stacked() panel {
	p.FieldConfig.Defaults.Custom["stacking"] = object{"mode": "normal", "group": "A"}
	return p
}
