package main

import "testing"

func TestQuantileReadsBothFormsOfAHistogram(t *testing.T) {
	of := func(name string, _ ...string) string { return name }
	for by, want := range map[string]string{
		"": "histogram_quantile(0.99, sum by (le) (rate(x_bucket[$__rate_interval]))) or " +
			"histogram_quantile(0.99, sum(rate(x[$__rate_interval])))",
		"stage": "histogram_quantile(0.99, sum by (le, stage) (rate(x_bucket[$__rate_interval]))) or " +
			"histogram_quantile(0.99, sum by (stage) (rate(x[$__rate_interval])))",
	} {
		if got := quantile(0.99, of, "x", by); got != want {
			t.Errorf("quantile by %q is\n%s\nwant\n%s", by, got, want)
		}
	}
}

func TestWhatHasNotHappenedHasNoAge(t *testing.T) {
	if got, want := since("max(x)"), "time() - (max(x) > 0)"; got != want {
		t.Errorf("since is %s, want %s", got, want)
	}
}

func TestStackedPanelKeepsWhatItHad(t *testing.T) {
	custom := timeSeries("a", "b", unitShort).stacked().FieldConfig.Defaults.Custom
	if got := custom["stacking"].(object)["mode"]; got != "normal" || custom["drawStyle"] != "line" {
		t.Errorf("stacking is %v and style %v, want normal and line", got, custom["drawStyle"])
	}
}
