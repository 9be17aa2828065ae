package app

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// state is where the process is in its life.
//
//	starting ──> recovering ──> running ──> draining
//	   └────────────┴──────────────┴──────────┴─────> failed
type state string

const (
	starting   state = "starting"
	recovering state = "recovering"
	running    state = "running"
	draining   state = "draining"
	failed     state = "failed"
)

// lifecycle holds the state and shows it as billstream_lifecycle_state.
type lifecycle struct {
	clock func() time.Time
	mu    sync.Mutex
	now   state
	from  time.Time // when now began
	gauge *prometheus.GaugeVec
}

func newLifecycle(reg prometheus.Registerer, clock func() time.Time) *lifecycle {
	l := &lifecycle{clock: clock, gauge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "billstream_lifecycle_state",
		Help: "The state that the process is in has 1, the others 0.",
	}, []string{"state"})}
	reg.MustRegister(l.gauge)
	l.enter(starting)
	return l
}

// enter moves on to s. Nothing follows failed, and only failed follows
// draining.
func (l *lifecycle) enter(s state) (entered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now == s || l.now == failed || (l.now == draining && s != failed) {
		return false
	}
	l.now, l.from = s, l.clock()
	for _, other := range []state{starting, recovering, running, draining, failed} {
		v := 0.0
		if other == s {
			v = 1
		}
		l.gauge.WithLabelValues(string(other)).Set(v)
	}
	return true
}

func (l *lifecycle) state() state {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// since returns when the state s began, and whether the process is in it.
func (l *lifecycle) since(s state) (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.from, l.now == s
}
