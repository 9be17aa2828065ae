package writer

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The reasons why a record was not written; a closed list of label values.
const (
	tooLarge     = "too_large"
	timedOut     = "timeout"
	refusedRight = "unauthorized"
	unavailable  = "unavailable"
	fenced       = "fenced"
	other        = "other"
)

// metrics counts the records that could not be written.
type metrics struct {
	failed map[string]map[string]prometheus.Counter // by topic and reason
}

// newMetrics starts the series of every topic at 0.
func newMetrics(c Config) (*metrics, error) {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "billstream_emit_errors_total",
		Help: "Records that could not be written, by reason.",
	}, []string{"group", "topic", "reason"})
	if c.Registerer != nil {
		if err := c.Registerer.Register(vec); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	m := &metrics{failed: map[string]map[string]prometheus.Counter{}}
	for _, topic := range c.Topics {
		m.failed[topic] = map[string]prometheus.Counter{}
		for _, reason := range []string{tooLarge, timedOut, refusedRight, unavailable, fenced, other} {
			m.failed[topic][reason] = vec.WithLabelValues(c.Group, topic, reason)
		}
	}
	return m, nil
}

// count adds an error; topics that were not named are not counted.
func (m *metrics) count(topic string, err error) {
	if c := m.failed[topic][reasonOf(err)]; c != nil {
		c.Inc()
	}
}

// reasonOf sorts an error into the closed list.
func reasonOf(err error) string {
	switch {
	case is(err, kerr.MessageTooLarge, kerr.RecordListTooLarge):
		return tooLarge
	case is(err, kerr.RequestTimedOut, context.DeadlineExceeded, kgo.ErrRecordTimeout):
		return timedOut
	case unauthorized(err):
		return refusedRight
	case is(err, kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.InvalidProducerIDMapping):
		return fenced
	case transient(err), is(err, kgo.ErrRecordRetries, kgo.ErrClientClosed, kerr.UnknownTopicOrPartition):
		return unavailable
	}
	return other
}
