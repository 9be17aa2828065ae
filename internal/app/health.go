package app

import (
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// check is one line of /readyz?verbose. Advice is true for a check that does
// not turn readiness off.
type check struct {
	name   string
	advice bool
	ask    func() (ok bool, detail string)
}

// CheckResult is what a check said.
type CheckResult struct {
	Name   string    `json:"name"`
	OK     bool      `json:"ok"`
	Since  time.Time `json:"since"` // when OK last changed
	Detail string    `json:"detail,omitempty"`
}

// health asks the checks and remembers since when each answers as it does.
type health struct {
	now     func() time.Time
	log     *slog.Logger
	checks  []check
	ready   prometheus.Gauge
	healthy *prometheus.GaugeVec

	mu       sync.Mutex
	last     map[string]CheckResult
	wasReady bool
}

func newHealth(reg prometheus.Registerer, now func() time.Time, log *slog.Logger, checks []check) *health {
	h := &health{
		now: now, log: log, checks: checks, last: map[string]CheckResult{},
		ready: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "billstream_ready", Help: "1 when this instance may get lookups.",
		}),
		healthy: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "billstream_component_healthy", Help: "1 when a check of /readyz passes.",
		}, []string{"component"}),
	}
	reg.MustRegister(h.ready, h.healthy)
	return h
}

// refresh asks every check and returns what they said, and whether the instance
// is ready.
func (h *health) refresh() (ready bool, results []CheckResult) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ready = true
	for _, c := range h.checks {
		ok, detail := c.ask()
		r := CheckResult{Name: c.name, OK: ok, Since: h.now(), Detail: detail}
		if was, seen := h.last[c.name]; seen && was.OK == ok {
			r.Since = was.Since
		}
		h.last[c.name] = r
		h.healthy.WithLabelValues(c.name).Set(number(ok))
		ready = ready && (ok || c.advice)
		results = append(results, r)
	}
	h.ready.Set(number(ready))
	if ready != h.wasReady {
		h.announce(ready, results)
	}
	h.wasReady = ready
	return ready, results
}

// announce logs a change of readiness; the texts are stable for operators.
func (h *health) announce(ready bool, results []CheckResult) {
	if ready {
		h.log.Info("ready")
		return
	}
	for _, r := range results {
		if !r.OK {
			h.log.Info("not ready", "component", r.Name, "reason", r.Detail)
		}
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
