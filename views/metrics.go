package views

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts the requests of all listeners of the process.
type Metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
	lookups  [lookupResults]prometheus.Counter
}

// lookupResult is how the look-up of one account ended.
type lookupResult int

const (
	lookupHit lookupResult = iota
	lookupMiss
	lookupErased
	lookupNotReady
	lookupBehind
	lookupError
	lookupResults // how many there are
)

// String is the value of the label result.
func (r lookupResult) String() string {
	return [...]string{"hit", "miss", "erased", "not_ready", "behind", "error"}[r]
}

// resultOf returns how a look-up ended whose error is err; ok is false when none
// was made.
func resultOf(err error) (result lookupResult, ok bool) {
	if err == nil {
		return lookupHit, true
	}
	p, ok := errors.AsType[*Problem](err)
	if !ok {
		return lookupError, true
	}
	switch p.Code {
	case UnknownAccount:
		return lookupMiss, true
	case Erased:
		return lookupErased, true
	case Recovering:
		return lookupNotReady, true
	case ViewBehind:
		return lookupBehind, true
	case Internal:
		return lookupError, true
	}
	return 0, false
}

// NewMetrics registers on reg, which the caller owns. It is called once per
// process: the listeners share it.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "billstream_http_requests_total",
			Help: "HTTP requests answered, by pattern of the route (none: no route matched) and status code.",
		}, []string{"listener", "handler", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "billstream_http_request_duration_seconds",
			Help: "Time from the request's header read to its answer written, by pattern of the route.",
			Buckets: []float64{
				.001, .0025, .005, .01, .025, .05, .1, .15, .25, .5, 1, 2.5, 5, 15, 60,
			},
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  160,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{"listener", "handler"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "billstream_http_requests_in_flight",
			Help: "HTTP requests in work.",
		}, []string{"listener"}),
	}
	lookups := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "billstream_view_lookups_total",
		Help: "Accounts asked for by their ids, by what came of it; each id of a batch counts.",
	}, []string{"view", "source", "result"})
	for r := range lookupResults {
		m.lookups[r] = lookups.WithLabelValues("accounts", "local", r.String())
	}
	reg.MustRegister(m.requests, m.duration, m.inFlight, lookups)
	return m
}

// noRoute is the label of requests that no pattern matched.
const noRoute = "none"

// listenerMetrics holds the handles of one listener, resolved at its start.
type listenerMetrics struct {
	requests *prometheus.CounterVec // curried with the listener
	inFlight prometheus.Gauge
	routes   map[string]routeMetrics // by pattern, and noRoute; not changed after the start
}

type routeMetrics struct {
	duration prometheus.Observer
	good     prometheus.Counter // of the answer that is hoped for; the others are looked up
	status   int                // its status
}

// listener resolves the handles for the routes of one listener and starts the
// counter of good answers of each at 0.
func (m *Metrics) listener(name string, routes []Route) *listenerMetrics {
	label := prometheus.Labels{"listener": name}
	l := &listenerMetrics{
		requests: m.requests.MustCurryWith(label),
		inFlight: m.inFlight.With(label),
		routes:   make(map[string]routeMetrics, len(routes)+1),
	}
	durations := m.duration.MustCurryWith(label)
	l.routes[noRoute] = routeMetrics{duration: durations.WithLabelValues(noRoute)}
	for _, r := range routes {
		status := cmp.Or(r.Status, http.StatusOK)
		l.routes[r.Pattern] = routeMetrics{
			duration: durations.WithLabelValues(r.Pattern),
			good:     l.requests.WithLabelValues(r.Pattern, strconv.Itoa(status)),
			status:   status,
		}
	}
	return l
}

// observe accounts for one answer; pattern is "" when no route matched.
func (l *listenerMetrics) observe(pattern string, code int, took time.Duration) {
	pattern = cmp.Or(pattern, noRoute)
	r, known := l.routes[pattern]
	if !known { // a redirect names the path that would match
		pattern = noRoute
		r = l.routes[noRoute]
	}
	r.duration.Observe(took.Seconds())
	if r.good != nil && code == r.status {
		r.good.Inc()
		return
	}
	l.requests.WithLabelValues(pattern, strconv.Itoa(code)).Inc()
}
