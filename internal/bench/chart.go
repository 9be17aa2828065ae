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
	figures := r.figures()
	height := panelHead + len(r.Arms)*barStep
	for i, f := range figures {
		c.Panels = append(c.Panels, r.panel(f,
			chartMargin+i%columns*(chartWidth-chartMargin)/columns,
			chartHead+i/columns*(height+panelGap)))
	}
	rows := (len(figures) + columns - 1) / columns
	y := chartHead + rows*(height+panelGap)
	for _, sentence := range append(r.caption(), r.Command) {
		for _, line := range wrap(sentence, lineLetters) {
			c.Caption = append(c.Caption, captionLine{line, y})
			y += lineStep
		}
	}
	c.Height = y + chartMargin - lineStep/2
	return c
}

// panel draws a figure at a place.
func (r *Report) panel(f figure, x, y int) panel {
	p := panel{X: x, Y: y, What: f.title(), Hint: "less is better", Left: labels, Bottom: panelHead + len(r.Arms)*barStep - 2}
	if f.more {
		p.Hint = "more is better"
	}
	longest := 0.0
	for _, a := range r.Arms {
		s, _ := f.spread(a.Way)
		longest = max(longest, s.Max)
	}
	room := float64((chartWidth-chartMargin)/columns - chartMargin - labels - values)
	ours := []Way{AtLeastOnce, ExactlyOnce, Unpositioned}
	for i, a := range r.Arms {
		top := panelHead + i*barStep
		b := bar{
			Arm: string(a.Way), Ours: slices.Contains(ours, a.Way), Left: labels, Top: top, Thick: barThick,
			Text: top + barThick - 2, Middle: top + barThick/2, CapTop: top + 3, CapEnd: top + barThick - 3,
		}
		if s, ok := f.spread(a.Way); ok {
			at := func(v float64) float64 { return labels + v/longest*room }
			b.Value, b.Spans = fmt.Sprintf(f.format, s.Median), s.Max > s.Min
			b.Length, b.Low, b.High = at(s.Median)-labels, at(s.Min), at(s.Max)
			b.End = max(at(s.Median), b.High)
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
