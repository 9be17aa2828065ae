package eos

import "github.com/IBM/sarama"

// BuildGroup implements goka.ConsumerGroupBuilder.
func (e *Engine) BuildGroup(brokers []string, name, id string) (sarama.ConsumerGroup, error) {
	return e.buildGroup(brokers, name, id)
}

// Wrapper returns the group as goka gets it.
func (e *Engine) Wrapper() sarama.ConsumerGroup {
	return &group{engine: e, errs: make(chan error)}
}
