package app

import (
	"regexp"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	build "github.com/prometheus/common/version"
)

// brokerKind says what the process runs on: kafka or embedded.
func (c *Config) brokerKind() string {
	if c.Embedded() {
		return "embedded"
	}
	return "kafka"
}

// describe registers what the process is: version, configuration and the Go
// runtime.
func describe(reg prometheus.Registerer, c Config, o Options) {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "billstream_config_info",
		Help: "1; what the process is configured for, as labels.",
	}, []string{"hash", "guarantee", "store", "broker"})
	info.WithLabelValues(o.ConfigHash, c.Guarantee, c.Store, c.brokerKind()).Set(1)
	reg.MustRegister(
		info,
		buildInfo(o.Version),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(
			collectors.MetricsScheduler, collectors.MetricsGC,
			collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/cpu/classes/(gc/total|total|idle)`)},
		)),
	)
}

// buildInfo is the metric of collectors/version, which takes the version from a
// global variable: two processes in one program would write to it at once.
func buildInfo(version string) prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "billstream_build_info",
		Help: "A metric with a constant '1' value labeled by version, revision, branch, goversion from which billstream was built, and the goos and goarch for the build.",
		ConstLabels: prometheus.Labels{
			"version": version, "revision": build.GetRevision(), "branch": build.Branch, "tags": build.GetTags(),
			"goversion": runtime.Version(), "goos": runtime.GOOS, "goarch": runtime.GOARCH,
		},
	})
	info.Set(1)
	return info
}
