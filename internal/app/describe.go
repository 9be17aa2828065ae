package app

import (
	"regexp"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/collectors/version"
	build "github.com/prometheus/common/version"
)

// What this version is built with.
const (
	guarantee = "at-least-once"
	storeKind = "memory"
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
	build.Version, build.GoVersion = o.Version, runtime.Version()
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "billstream_config_info",
		Help: "1; what the process is configured for, as labels.",
	}, []string{"hash", "guarantee", "store", "broker"})
	info.WithLabelValues(o.ConfigHash, guarantee, storeKind, c.brokerKind()).Set(1)
	reg.MustRegister(
		info,
		version.NewCollector("billstream"),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(
			collectors.MetricsScheduler, collectors.MetricsGC,
			collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/cpu/classes/(gc/total|total|idle)`)},
		)),
	)
}
