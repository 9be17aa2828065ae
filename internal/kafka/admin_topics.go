package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"billstream/internal/topics"
)

// Topics returns those of the named topics that exist, with their ids and with
// the settings that topics.Known knows, defaults included. Settings that this
// user may not see are nil.
func (a *AdminClient) Topics(ctx context.Context, names ...string) (map[string]topics.Topic, error) {
	const attempts = 8
	for attempt := 1; ; attempt++ {
		found, err := a.describe(ctx, names)
		if err == nil {
			err = a.configs(ctx, found)
		}
		if err == nil {
			return found, nil
		}
		if attempt == attempts || !Passing(err) {
			return nil, err
		}
		// Brokers name one that is down for some seconds more, also as the
		// controller, and sarama believes what it has heard once.
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(time.Duration(attempt) * 50 * time.Millisecond):
		}
		if err := tell(ctx, func() error { return a.client.RefreshMetadata() }); err != nil {
			return nil, err
		}
	}
}

// describe is Topics without the settings. It asks a broker each time: the
// client's own memory of partition counts is a minute old.
func (a *AdminClient) describe(ctx context.Context, names []string) (map[string]topics.Topic, error) {
	described, err := ask(ctx, func() ([]*sarama.TopicMetadata, error) { return a.admin.DescribeTopics(names) })
	if err != nil {
		return nil, fmt.Errorf("look at topics: %w", err)
	}
	found := map[string]topics.Topic{}
	for _, d := range described {
		if errors.Is(d.Err, sarama.ErrUnknownTopicOrPartition) {
			continue
		}
		if !errors.Is(d.Err, sarama.ErrNoError) {
			return nil, fmt.Errorf("look at topic %s: %w", d.Name, d.Err)
		}
		found[d.Name] = topics.Topic{
			Name: d.Name, ID: d.Uuid.String(), Partitions: int32(len(d.Partitions)),
			Replication: replication(d), Config: map[string]string{},
		}
	}
	return found, nil
}

// replication is the smallest one of all partitions.
func replication(d *sarama.TopicMetadata) int16 {
	least := -1
	for _, p := range d.Partitions {
		if n := len(p.Replicas); least < 0 || n < least {
			least = n
		}
	}
	return int16(max(least, 0))
}

// configs fills in the settings of found.
func (a *AdminClient) configs(ctx context.Context, found map[string]topics.Topic) error {
	if len(found) == 0 {
		return nil
	}
	var of []*sarama.ConfigResource
	for name := range found {
		of = append(of, &sarama.ConfigResource{Type: sarama.TopicResource, Name: name})
	}
	results, err := ask(ctx, func() ([]*sarama.ConfigResourceResult, error) {
		return a.admin.DescribeConfigs(of, sarama.DescribeConfigsOptions{})
	})
	if err != nil {
		return fmt.Errorf("look at the settings of topics: %w", err)
	}
	for _, r := range results {
		if errors.Is(r.ErrorCode, sarama.ErrTopicAuthorizationFailed) {
			t := found[r.Name]
			t.Config = nil
			found[r.Name] = t
			continue
		}
		if !errors.Is(r.ErrorCode, sarama.ErrNoError) {
			return fmt.Errorf("look at the settings of topic %s: %w", r.Name, r.ErrorCode)
		}
		for _, c := range r.Configs {
			if topics.Known(c.Name) {
				found[r.Name].Config[c.Name] = c.Value
			}
		}
	}
	return nil
}

// Apply carries out one step of a plan. Steps that change nothing do nothing.
func (a *AdminClient) Apply(ctx context.Context, s topics.Step) error {
	switch s.Action {
	case topics.Create:
		return a.Create(ctx, s.Topic)
	case topics.Alter:
		return a.AlterConfig(ctx, s.Topic.Name, s.Setting, s.Wanted)
	}
	return nil
}

// Create makes a topic and returns when every broker shows all its partitions
// with a leader: goka fails with "already exists" on a topic that one broker
// does not know yet. A topic that is already there is no error.
func (a *AdminClient) Create(ctx context.Context, t topics.Topic) error {
	detail := &sarama.TopicDetail{
		NumPartitions: t.Partitions, ReplicationFactor: t.Replication,
		ConfigEntries: map[string]*string{},
	}
	for k, v := range t.Config {
		detail.ConfigEntries[k] = &v
	}
	err := tell(ctx, func() error { return a.admin.CreateTopic(t.Name, detail, false) })
	if err != nil && !errors.Is(err, sarama.ErrTopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", t.Name, err)
	}
	return a.awaitTopic(ctx, t.Name)
}

// AlterConfig sets one setting of a topic and leaves the others alone.
func (a *AdminClient) AlterConfig(ctx context.Context, topic, setting, value string) error {
	change := map[string]sarama.IncrementalAlterConfigsEntry{
		setting: {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value},
	}
	err := tell(ctx, func() error {
		return a.admin.IncrementalAlterConfig(sarama.TopicResource, topic, change, false)
	})
	if err != nil {
		return fmt.Errorf("set %s of topic %s: %w", setting, topic, err)
	}
	return nil
}

// awaitTopic asks every broker until all of them show the topic.
func (a *AdminClient) awaitTopic(ctx context.Context, name string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := tell(ctx, func() error { return a.shown(name) })
		if err == nil {
			return tell(ctx, func() error { return a.client.RefreshMetadata(name) })
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for topic %s: %w", name, errors.Join(context.Cause(ctx), err))
		case <-tick.C:
		}
	}
}

// shown reports what keeps some broker from showing the topic.
func (a *AdminClient) shown(name string) error {
	brokers, _, err := a.admin.DescribeCluster()
	if err != nil {
		return err
	}
	for _, b := range brokers {
		// The client's own connection, which it keeps open.
		broker, err := a.client.Broker(b.ID())
		if err != nil {
			return err
		}
		if err := broker.Open(a.client.Config()); err != nil && !errors.Is(err, sarama.ErrAlreadyConnected) {
			return err
		}
		resp, err := broker.GetMetadata(sarama.NewMetadataRequest(a.client.Config().Version, []string{name}))
		if err != nil {
			return err
		}
		if err := led(resp); err != nil {
			return fmt.Errorf("broker %d: %w", b.ID(), err)
		}
	}
	return nil
}

// led reports a topic or partition that has no leader yet.
func led(resp *sarama.MetadataResponse) error {
	for _, t := range resp.Topics {
		if !errors.Is(t.Err, sarama.ErrNoError) {
			return t.Err
		}
		for _, p := range t.Partitions {
			if !errors.Is(p.Err, sarama.ErrNoError) {
				return p.Err
			}
		}
		if len(t.Partitions) > 0 {
			return nil
		}
	}
	return sarama.ErrUnknownTopicOrPartition
}
