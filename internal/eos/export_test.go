package eos

import (
	"context"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
)

// TopicManagers wraps a builder as ViewOptions does.
func (r *Recovery) TopicManagers(ctx context.Context, build goka.TopicManagerBuilder) goka.TopicManagerBuilder {
	return r.topicManagers(func() context.Context { return ctx }, build)
}

// BuildGroup implements goka.ConsumerGroupBuilder.
func (e *Engine) BuildGroup(brokers []string, name, id string) (sarama.ConsumerGroup, error) {
	return e.buildGroup(brokers, name, id)
}

// Wrapper returns the group as goka gets it.
func (e *Engine) Wrapper() sarama.ConsumerGroup {
	return &group{engine: e, errs: make(chan error)}
}
