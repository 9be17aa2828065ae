package main

import (
	"fmt"
	"strings"
)

// series selects a metric of ours on the jobs and instances chosen at the top
// of the dashboard, with more matchers.
func series(name string, matchers ...string) string {
	all := append([]string{`job=~"$job"`, `instance=~"$instance"`}, matchers...)
	return "billstream_" + name + "{" + strings.Join(all, ",") + "}"
}

// ofGroup selects a metric that has the label group, on the chosen groups too.
func ofGroup(name string, matchers ...string) string {
	return series(name, append([]string{`group=~"$group"`}, matchers...)...)
}

// rate is the rate per second over a window that is never too short for the
// scrape interval.
func rate(selector string) string { return "rate(" + selector + "[$__rate_interval])" }

// total is what a counter grew by over the time range of the dashboard.
func total(selector string) string { return "increase(" + selector + "[$__range])" }

// grown is what a counter grew by over the window of rate: for events that are
// too rare for a rate.
func grown(selector string) string { return "increase(" + selector + "[$__rate_interval])" }

// since is how many seconds ago the time in a gauge was. One that is still 0
// has not happened, and has no age.
func since(expr string) string { return "time() - (" + expr + " > 0)" }

func worst(label, expr string) string { return "max by (" + label + ") (" + expr + ")" }

func top(expr string) string { return "topk(10, " + expr + ")" }

func sum(expr string) string { return "sum(" + expr + ")" }

func sumBy(label, expr string) string { return "sum by (" + label + ") (" + expr + ")" }

// quantile is a quantile of a histogram by a label, or of all its series when by
// is empty. Its two halves are the
// classic and the native form: a scrape may keep either, and the form without
// data is empty.
func quantile(q float64, selector func(name string, matchers ...string) string, name, by string) string {
	classic, native := sumBy("le", rate(selector(name+"_bucket"))), sum(rate(selector(name)))
	if by != "" {
		classic, native = sumBy("le, "+by, rate(selector(name+"_bucket"))), sumBy(by, rate(selector(name)))
	}
	return fmt.Sprintf("histogram_quantile(%g, %s) or histogram_quantile(%g, %s)", q, classic, q, native)
}

// halfAndMost asks for the median and the 99th percentile of a histogram.
func halfAndMost(selector func(name string, matchers ...string) string, name, by string) []target {
	legend := ""
	if by != "" {
		legend = " {{" + by + "}}"
	}
	return []target{
		query("p50"+legend, quantile(0.5, selector, name, by)),
		query("p99"+legend, quantile(0.99, selector, name, by)),
	}
}
