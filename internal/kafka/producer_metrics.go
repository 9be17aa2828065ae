package kafka

import (
	"context"
	"errors"
	"net"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
)

// The reasons why a record was not written; a closed list of label values.
const (
	tooLarge     = "too_large"
	timedOut     = "timeout"
	unauthorized = "unauthorized"
	unavailable  = "unavailable"
	fenced       = "fenced"
	other        = "other"
)

// ProducerMetrics counts what producers could not write. It outlives them: a
// group that starts again opens another producer.
type ProducerMetrics struct {
	failed map[string]map[string]prometheus.Counter // by topic and reason
}

// NewProducerMetrics registers on reg, which the caller owns, and starts the
// series of every topic at 0.
func NewProducerMetrics(reg prometheus.Registerer, group string, names ...string) *ProducerMetrics {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "billstream_emit_errors_total",
		Help: "Records that could not be written, by reason.",
	}, []string{"group", "topic", "reason"})
	reg.MustRegister(vec)
	m := &ProducerMetrics{failed: map[string]map[string]prometheus.Counter{}}
	for _, topic := range names {
		m.failed[topic] = map[string]prometheus.Counter{}
		for _, reason := range []string{tooLarge, timedOut, unauthorized, unavailable, fenced, other} {
			m.failed[topic][reason] = vec.WithLabelValues(group, topic, reason)
		}
	}
	return m
}

// count adds an error; topics that were not named are not counted.
func (m *ProducerMetrics) count(topic string, err error) {
	if m == nil {
		return
	}
	if c := m.failed[topic][reasonOf(err)]; c != nil {
		c.Inc()
	}
}

// reasonOf sorts an error into the closed list.
func reasonOf(err error) string {
	is := func(of ...error) bool {
		for _, target := range of {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
	if _, ok := errors.AsType[*TooLargeError](err); ok {
		return tooLarge
	}
	if _, ok := errors.AsType[net.Error](err); ok && !is(context.DeadlineExceeded) {
		return unavailable
	}
	switch {
	case is(sarama.ErrMessageSizeTooLarge, sarama.ErrMessageSetSizeTooLarge):
		return tooLarge
	case is(sarama.ErrRequestTimedOut, context.DeadlineExceeded):
		return timedOut
	case is(sarama.ErrTopicAuthorizationFailed, sarama.ErrClusterAuthorizationFailed,
		sarama.ErrTransactionalIDAuthorizationFailed, sarama.ErrSASLAuthenticationFailed):
		return unauthorized
	case is(sarama.ErrProducerFenced, sarama.ErrInvalidProducerEpoch):
		return fenced
	case is(sarama.ErrOutOfBrokers, sarama.ErrBrokerNotAvailable, sarama.ErrLeaderNotAvailable,
		sarama.ErrNotLeaderForPartition, sarama.ErrNotConnected, sarama.ErrNotEnoughReplicas,
		sarama.ErrNotEnoughReplicasAfterAppend, sarama.ErrShuttingDown, sarama.ErrUnknownTopicOrPartition, ErrClosed):
		return unavailable
	}
	return other
}
