package writer

import "github.com/prometheus/client_golang/prometheus"

// metrics counts what could not be written.
type metrics struct {
	failed map[string]map[string]prometheus.Counter // by topic and reason
}

// newMetrics starts the series of every topic at 0.
func newMetrics(c Config) *metrics {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "billstream_emit_errors_total",
		Help: "Records that could not be written, by reason.",
	}, []string{"group", "topic", "reason"})
	if c.Registerer != nil {
		c.Registerer.MustRegister(vec)
	}
	m := &metrics{failed: map[string]map[string]prometheus.Counter{}}
	for _, topic := range c.Topics {
		m.failed[topic] = map[string]prometheus.Counter{}
		for _, reason := range []string{tooLarge, timedOut, unauthorized, unavailable, fenced, other} {
			m.failed[topic][reason] = vec.WithLabelValues(c.Group, topic, reason)
		}
	}
	return m
}

// count adds an error; topics that were not named are not counted.
func (m *metrics) count(topic string, err error) {
	if c := m.failed[topic][reasonOf(err)]; c != nil {
		c.Inc()
	}
}
