package dashboards_test

import (
	"bytes"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"

	"billstream/dashboards"
)

func shop() []dashboards.Family {
	return []dashboards.Family{
		{Name: "billstream_sold_total", Type: "counter", Help: "Things sold.", Series: []map[string]string{
			{"kind": "tea", "till": "7"}, {"kind": "cake", "till": "7"}, {"kind": "tea", "till": "3"},
		}},
		{Name: "go_goroutines", Type: "gauge", Help: "Goroutines.", Series: []map[string]string{{}}},
		{Name: "billstream_queue_seconds", Type: "histogram", Help: "Time in the queue.", Series: []map[string]string{{}}},
	}
}

func build() dashboards.Catalogue {
	return dashboards.Build(slices.Values(shop()), func(metric, label string) bool {
		return metric == "billstream_sold_total" && label == "till"
	})
}

func TestBuildSortsAndListsTheValuesOfClosedLabels(t *testing.T) {
	want := dashboards.Catalogue{
		{Name: "billstream_queue_seconds", Type: "histogram", Help: "Time in the queue."},
		{Name: "billstream_sold_total", Type: "counter", Help: "Things sold.", Labels: []dashboards.Label{
			{Name: "kind", Values: []string{"cake", "tea"}}, {Name: "till"},
		}},
	}
	if got := build(); !reflect.DeepEqual(got, want) {
		t.Errorf("catalogue is %+v, want %+v", got, want)
	}
}

func TestCatalogueSurvivesItsFile(t *testing.T) {
	var b bytes.Buffer
	if err := build().Write(&b); err != nil {
		t.Fatal(err)
	}
	got, err := dashboards.ReadCatalogue(&b)
	if err != nil {
		t.Fatal(err)
	}
	if want := build(); !reflect.DeepEqual(got, want) {
		t.Errorf("catalogue read is %+v, want %+v", got, want)
	}
	if _, err := dashboards.ReadCatalogue(strings.NewReader(`[{"nme":"x"}]`)); err == nil {
		t.Error("an unknown field was read, want an error")
	}
}

func TestCompareNamesEveryDifference(t *testing.T) {
	if err := build().Compare(build()); err != nil {
		t.Errorf("a catalogue compared with itself is %v, want no difference", err)
	}
	changed := build()
	changed[0].Name = "billstream_wait_seconds"
	changed[1].Help = "Sold."
	changed[1].Type = "gauge"
	changed[1].Labels[0].Values = []string{"tea"}
	want := strings.Join([]string{
		`metric billstream_wait_seconds is there, want none of that name`,
		`type of billstream_sold_total is "gauge", want "counter"`,
		`help of billstream_sold_total is "Sold.", want "Things sold."`,
		`labels of billstream_sold_total is "kind=tea till=", want "kind=cake|tea till="`,
		`metric billstream_queue_seconds is missing, want a histogram`,
	}, "\n")
	if err := changed.Compare(build()); err == nil || err.Error() != want {
		t.Errorf("differences are\n%v\nwant\n%s", err, want)
	}
}

func TestFindKnowsTheSeriesOfAHistogram(t *testing.T) {
	for name, want := range map[string]string{
		"billstream_queue_seconds":        "billstream_queue_seconds",
		"billstream_queue_seconds_bucket": "billstream_queue_seconds",
		"billstream_queue_seconds_max":    "",
		"billstream_sold_total":           "billstream_sold_total",
		"billstream_sold_total_count":     "",
	} {
		if m, ok := build().Find(name); m.Name != want || ok != (want != "") {
			t.Errorf("Find(%q) is %q, %t, want %q", name, m.Name, ok, want)
		}
	}
}

func TestCommittedCatalogueIsInTheFormOfWrite(t *testing.T) {
	want, err := fs.ReadFile(dashboards.Files(), dashboards.CatalogueFile)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := catalogue(t).Write(&got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s is in another form, want it written by Write", dashboards.CatalogueFile)
	}
}
