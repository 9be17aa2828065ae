package bench

import (
	_ "embed"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"
)

//go:embed chart.svg.tmpl
var chartText string

// Measures of the chart, in pixels.
const (
	chartWidth  = 960
	chartMargin = 24
	chartHead   = 88 // to the first heading of a panel
	columns     = 2
	labels      = 118 // for the names of the arms
	barStep     = 20
	barThick    = 13
	panelHead   = 14 // from a heading to its bars
	panelGap    = 34
	values      = 64 // right of the longest bar
	lineStep    = 16
	lineLetters = 150 // of the caption, about as many as fit
)

// chart is what the template draws.
type chart struct {
	Width, Height   int
	Title, Subtitle string
	Panels          []panel
	Caption         []captionLine
}

// panel is one figure of all arms.
type panel struct {
	X, Y         int
	What, Hint   string
	Left, Bottom int
	Bars         []bar
}

// bar is one arm. Ends are where its median and its span are.
type bar struct {
	Arm               string
	Value             string // "": not measured
	Ours, Spans       bool
	Left, Top, Thick  int
	Text              int
	Middle            int
	CapTop, CapEnd    int
	Length, Low, High float64
	End               float64
}

type captionLine struct {
	Text string
	Y    int
}

// Chart draws the figures as bars with their spans: an SVG file of its own, for
// light and for dark surroundings.
func (r *Report) Chart(w io.Writer) error {
	funcs := template.FuncMap{
		"x": escape,
		"n": func(f float64) string { return fmt.Sprintf("%.1f", f) },
	}
	t, err := template.New("chart").Funcs(funcs).Parse(chartText)
	if err != nil {
		return err
	}
	return t.Execute(w, r.chart())
}

// escape makes s fit to stand in XML.
func escape(s string) (string, error) {
	var b strings.Builder
	err := xml.EscapeText(&b, []byte(s))
	return b.String(), err
}

func (r *Report) chart() chart {
	c := chart{
		Width: chartWidth, Title: "One small job on Kafka, in different ways",
		Subtitle: "Bars are medians, lines the span of the rounds; blue is billstream.",
	}
	caption := append(r.caption(), r.Command)
	if len(r.Arms) == 0 {
		c.Title, c.Subtitle = "billstream with more and more to do", "The bars of a panel are about the whole program."
		caption = []string{r.where() + ".", r.Command}
	}
	y := chartHead
	for _, g := range [][]drawing{r.armDrawings(), r.Growth.drawings()} {
		y = c.add(g, y)
	}
	for _, sentence := range caption {
		for _, line := range wrap(sentence, lineLetters) {
			c.Caption = append(c.Caption, captionLine{line, y})
			y += lineStep
		}
	}
	c.Height = y + chartMargin - lineStep/2
	return c
}

// drawing is a panel before it has a place.
type drawing struct {
	what   string
	format string // of one number
	more   bool   // is better
	strips []strip
}

// strip is a bar before it has a length.
type strip struct {
	label string
	ours  bool
	value *Spread // nil: not measured
}

// add places panels of equal height from y on, and returns where they end.
func (c *chart) add(all []drawing, y int) int {
	if len(all) == 0 {
		return y
	}
	height := panelHead + len(all[0].strips)*barStep + panelGap
	for i, d := range all {
		c.Panels = append(c.Panels, d.panel(chartMargin+i%columns*(chartWidth-chartMargin)/columns, y+i/columns*height))
	}
	return y + (len(all)+columns-1)/columns*height
}

// armDrawings are the figures of the arms.
func (r *Report) armDrawings() []drawing {
	var all []drawing
	ours := []Way{AtLeastOnce, ExactlyOnce, Unpositioned}
	for _, f := range r.figures() {
		d := drawing{what: f.title(), format: f.format, more: f.more}
		for _, a := range r.Arms {
			one := strip{label: string(a.Way), ours: slices.Contains(ours, a.Way)}
			if s, ok := f.spread(a.Way); ok {
				one.value = &s
			}
			d.strips = append(d.strips, one)
		}
		all = append(all, d)
	}
	return all
}

// panel draws d at a place.
func (d drawing) panel(x, y int) panel {
	p := panel{X: x, Y: y, What: d.what, Hint: "less is better", Left: labels, Bottom: panelHead + len(d.strips)*barStep - 2}
	if d.more {
		p.Hint = "more is better"
	}
	longest := 0.0
	for _, s := range d.strips {
		if s.value != nil {
			longest = max(longest, s.value.Max)
		}
	}
	room := float64((chartWidth-chartMargin)/columns - chartMargin - labels - values)
	for i, s := range d.strips {
		top := panelHead + i*barStep
		b := bar{
			Arm: s.label, Ours: s.ours, Left: labels, Top: top, Thick: barThick,
			Text: top + barThick - 2, Middle: top + barThick/2, CapTop: top + 3, CapEnd: top + barThick - 3,
		}
		if s.value != nil {
			at := func(v float64) float64 { return labels + v/longest*room }
			b.Value, b.Spans = fmt.Sprintf(d.format, s.value.Median), s.value.Max > s.value.Min
			b.Length, b.Low, b.High = at(s.value.Median)-labels, at(s.value.Min), at(s.value.Max)
			b.End = max(at(s.value.Median), b.High)
		}
		p.Bars = append(p.Bars, b)
	}
	return p
}

// wrap breaks a text into lines of at most so many letters, between words.
func wrap(text string, letters int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > letters {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
