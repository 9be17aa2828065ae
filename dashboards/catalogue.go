package dashboards

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
)

// Prefix begins the name of every metric of the product. What the Go runtime
// and the operating system report has other names and is in no catalogue: it
// differs between versions and machines.
const Prefix = "billstream_"

// Catalogue is the list of the product's metrics, by name.
type Catalogue []Metric

// Metric is one metric as a scrape shows it.
type Metric struct {
	Name   string  `json:"name"`
	Type   string  `json:"type"` // counter, gauge or histogram
	Help   string  `json:"help"`
	Labels []Label `json:"labels,omitempty"` // by name, without the scraper's job and instance
}

// Label is a label of a metric. Values lists every value it can take; it is
// empty when they depend on the installation, as partition numbers do.
type Label struct {
	Name   string   `json:"name"`
	Values []string `json:"values,omitempty"`
}

// Family is what a registry gathers for one metric: the labels of each of its
// series, one or more.
type Family struct {
	Name, Type, Help string
	Series           []map[string]string
}

// Build makes a catalogue out of families, leaving out names without Prefix.
// The values of a label are those that its series show, so every series of a
// closed set must exist already; labels for which open is true keep none.
func Build(families iter.Seq[Family], open func(metric, label string) bool) Catalogue {
	var c Catalogue
	for f := range families {
		if strings.HasPrefix(f.Name, Prefix) {
			c = append(c, Metric{Name: f.Name, Type: f.Type, Help: f.Help, Labels: f.labels(open)})
		}
	}
	slices.SortFunc(c, func(a, b Metric) int { return cmp.Compare(a.Name, b.Name) })
	return c
}

func (f Family) labels(open func(metric, label string) bool) []Label {
	values := map[string]map[string]bool{}
	for _, s := range f.Series {
		for name, value := range s {
			if values[name] == nil {
				values[name] = map[string]bool{}
			}
			values[name][value] = true
		}
	}
	var ls []Label
	for _, name := range slices.Sorted(maps.Keys(values)) {
		l := Label{Name: name}
		if !open(f.Name, name) {
			l.Values = slices.Sorted(maps.Keys(values[name]))
		}
		ls = append(ls, l)
	}
	return ls
}

// ReadCatalogue reads what Write wrote. Unknown fields are an error.
func ReadCatalogue(r io.Reader) (Catalogue, error) {
	var c Catalogue
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return nil, fmt.Errorf("read the catalogue of metrics: %w", err)
	}
	return c, nil
}

// Write writes c as indented JSON; equal catalogues give equal bytes.
func (c Catalogue) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(c); err != nil {
		return fmt.Errorf("write the catalogue of metrics: %w", err)
	}
	return nil
}

// Find returns the metric that a query means by name. It knows the series
// _bucket, _count and _sum of a histogram, and the native histogram itself.
func (c Catalogue) Find(name string) (Metric, bool) {
	for _, m := range c {
		if m.Name == name {
			return m, true
		}
		if suffix, ok := strings.CutPrefix(name, m.Name); ok && m.Type == "histogram" {
			if suffix == "_bucket" || suffix == "_count" || suffix == "_sum" {
				return m, true
			}
		}
	}
	return Metric{}, false
}

// Label returns the label of that name.
func (m Metric) Label(name string) (Label, bool) {
	for _, l := range m.Labels {
		if l.Name == name {
			return l, true
		}
	}
	return Label{}, false
}

// Compare says how c differs from want, every difference at once, and returns
// nil when nothing does.
func (c Catalogue) Compare(want Catalogue) error {
	var errs []error
	for _, m := range c {
		i := slices.IndexFunc(want, func(w Metric) bool { return w.Name == m.Name })
		if i < 0 {
			errs = append(errs, fmt.Errorf("metric %s is there, want none of that name", m.Name))
			continue
		}
		errs = append(errs, m.compare(want[i]))
	}
	for _, w := range want {
		if !slices.ContainsFunc(c, func(m Metric) bool { return m.Name == w.Name }) {
			errs = append(errs, fmt.Errorf("metric %s is missing, want a %s", w.Name, w.Type))
		}
	}
	return errors.Join(errs...)
}

func (m Metric) compare(want Metric) error {
	var errs []error
	differ := func(what, got, want string) {
		if got != want {
			errs = append(errs, fmt.Errorf("%s of %s is %q, want %q", what, m.Name, got, want))
		}
	}
	differ("type", m.Type, want.Type)
	differ("help", m.Help, want.Help)
	differ("labels", spell(m.Labels), spell(want.Labels))
	return errors.Join(errs...)
}

// spell writes labels on one line, with their values.
func spell(ls []Label) string {
	var s []string
	for _, l := range ls {
		s = append(s, l.Name+"="+strings.Join(l.Values, "|"))
	}
	return strings.Join(s, " ")
}
