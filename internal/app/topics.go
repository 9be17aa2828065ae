package app

import (
	"context"
	"time"
)

// TopicsConfig says which topics are wanted, and where.
type TopicsConfig struct {
	Brokers     []string
	Wait        time.Duration // for a broker; negative: for ever
	Partitions  int32
	Replication int16
}

// TopicStep is one thing that topics apply does, in words and as data.
type TopicStep struct {
	Topic   string `json:"topic"`
	Action  string `json:"action"` // create, alter, keep, refuse
	Setting string `json:"setting,omitempty"`
	Found   string `json:"found,omitempty"`
	Wanted  string `json:"wanted,omitempty"`
}

// TopicsPlan says what TopicsApply would do. It changes nothing.
func TopicsPlan(ctx context.Context, c TopicsConfig) ([]TopicStep, error) {
	panic("contract: to be built")
}

// TopicsApply creates missing topics and mends settings, never a partition
// count, and returns what it did. Applying again changes nothing.
func TopicsApply(ctx context.Context, c TopicsConfig) ([]TopicStep, error) {
	panic("contract: to be built")
}

// TopicsCheck asks what run asks at its start. The error says what run would
// refuse (errors.Is ErrRefused); the warnings are sentences.
func TopicsCheck(ctx context.Context, c TopicsConfig) (warnings []string, err error) {
	panic("contract: to be built")
}
