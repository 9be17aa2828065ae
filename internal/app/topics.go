package app

import (
	"context"
	"fmt"
	"time"

	"billstream/internal/auth"
	"billstream/internal/kafka"
	"billstream/internal/topics"
)

// TopicsConfig says which topics are wanted, and where.
type TopicsConfig struct {
	Brokers     []string
	Auth        *auth.Auth    // secures connections and logs in; nil does neither
	Wait        time.Duration // for a broker; negative: for ever
	Partitions  int32
	Replication int16
}

func (c TopicsConfig) options() topics.Options {
	return topics.Options{Partitions: c.Partitions, Replication: c.Replication}
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
func TopicsPlan(ctx context.Context, c TopicsConfig) (steps []TopicStep, err error) {
	err = c.with(ctx, func(admin *kafka.AdminClient) error {
		plan, err := planTopics(ctx, admin, c.options())
		steps = describeSteps(plan)
		return err
	})
	return steps, err
}

// TopicsApply creates missing topics and mends settings, never a partition
// count, and returns what it did. Applying again changes nothing.
func TopicsApply(ctx context.Context, c TopicsConfig) (steps []TopicStep, err error) {
	err = c.with(ctx, func(admin *kafka.AdminClient) error {
		done, err := applyTopics(ctx, admin, c.options())
		steps = describeSteps(done)
		return err
	})
	return steps, err
}

// TopicsCheck asks what run asks at its start. The error says what run would
// refuse (errors.Is ErrRefused); the warnings are sentences.
func TopicsCheck(ctx context.Context, c TopicsConfig) (warnings []string, err error) {
	err = c.with(ctx, func(admin *kafka.AdminClient) error {
		found, err := admin.Topics(ctx, topics.Names()...)
		if err != nil {
			return err
		}
		warnings, err = checkTopics(c.options(), found)
		return err
	})
	return warnings, err
}

// with opens an admin client for f.
func (c TopicsConfig) with(ctx context.Context, f func(*kafka.AdminClient) error) error {
	admin, err := kafka.OpenAdmin(ctx, kafka.Config{Brokers: c.Brokers, Auth: c.Auth}, c.Wait)
	if err != nil {
		return err
	}
	defer admin.Close()
	return f(admin)
}

func planTopics(ctx context.Context, admin *kafka.AdminClient, o topics.Options) ([]topics.Step, error) {
	found, err := admin.Topics(ctx, topics.Names()...)
	if err != nil {
		return nil, err
	}
	for name, t := range found {
		if t.Config == nil {
			return nil, fmt.Errorf("settings of topic %s are hidden, want the right DESCRIBE_CONFIGS", name)
		}
	}
	return topics.Plan(o, found), nil
}

func applyTopics(ctx context.Context, admin *kafka.AdminClient, o topics.Options) ([]topics.Step, error) {
	plan, err := planTopics(ctx, admin, o)
	if err != nil {
		return nil, err
	}
	for _, s := range plan {
		if err := admin.Apply(ctx, s); err != nil {
			return plan, fmt.Errorf("apply the plan: %w", err)
		}
	}
	return plan, nil
}

func describeSteps(plan []topics.Step) []TopicStep {
	steps := make([]TopicStep, 0, len(plan))
	for _, s := range plan {
		step := TopicStep{Topic: s.Topic.Name, Action: string(s.Action), Setting: s.Setting, Found: s.Found, Wanted: s.Wanted}
		if s.Action == topics.Create {
			step.Wanted = fmt.Sprintf("%d partitions, replication %d", s.Topic.Partitions, s.Topic.Replication)
		}
		steps = append(steps, step)
	}
	return steps
}
