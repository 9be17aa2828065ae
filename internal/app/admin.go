package app

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"billstream/views"
)

// admin is the listener for those who run the process: metrics, probes, status
// and profiles. It trusts whoever reaches it.
type admin struct {
	registry  *prometheus.Registry
	ask       func() (ready bool, results []CheckResult)
	lifecycle *lifecycle
	status    func() Status
	now       func() time.Time
}

// failedGrace is how long a failed process may take to go before /livez asks
// for it to be killed.
const failedGrace = 30 * time.Second

func (a *admin) routes() []views.Route {
	metrics := promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{
		Registry: a.registry, EnableOpenMetrics: true, MaxRequestsInFlight: 4,
		CoalesceGather: true, Timeout: 10 * time.Second, ErrorHandling: promhttp.ContinueOnError,
	})
	route := func(pattern string, f http.HandlerFunc) views.Route { return views.Route{Pattern: pattern, Handler: f} }
	return []views.Route{
		{Pattern: "GET /metrics", Handler: metrics},
		route("GET /livez", a.livez),
		route("GET /readyz", a.readyz),
		route("GET /statusz", a.statusz),
		route("GET /debug/pprof/", pprof.Index),
		route("GET /debug/pprof/cmdline", pprof.Cmdline),
		route("GET /debug/pprof/profile", pprof.Profile),
		route("GET /debug/pprof/symbol", pprof.Symbol),
		route("GET /debug/pprof/trace", pprof.Trace),
	}
}

// livez answers 200 while the process can help itself. It never fails because
// of Kafka, recovery or lag: a restart would only begin again.
func (a *admin) livez(w http.ResponseWriter, _ *http.Request) {
	since, is := a.lifecycle.since(failed)
	if is && a.now().Sub(since) > failedGrace {
		respond(w, http.StatusServiceUnavailable, map[string]any{"live": false, "state": failed})
		return
	}
	respond(w, http.StatusOK, map[string]any{"live": true, "state": a.lifecycle.state()})
}

// readiness is the body of /readyz.
type readiness struct {
	Ready  bool          `json:"ready"`
	State  state         `json:"state"`
	Checks []CheckResult `json:"checks"`
}

// readyz answers 200 when this instance may get lookups. Without ?verbose it
// lists only the checks that fail.
func (a *admin) readyz(w http.ResponseWriter, r *http.Request) {
	ready, results := a.ask()
	body := readiness{Ready: ready, State: a.lifecycle.state(), Checks: []CheckResult{}}
	_, verbose := r.URL.Query()["verbose"]
	for _, c := range results {
		if verbose || !c.OK {
			body.Checks = append(body.Checks, c)
		}
	}
	code := http.StatusOK
	if !ready {
		code = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	}
	respond(w, code, body)
}

func (a *admin) statusz(w http.ResponseWriter, _ *http.Request) {
	respond(w, http.StatusOK, a.status())
}

// respond writes v as JSON. It is for people and probes, not for a hot path.
func respond(w http.ResponseWriter, code int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "status cannot be encoded", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(append(body, '\n'))
}
