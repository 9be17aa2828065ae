package kafka

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
)

// Clients builds the clients that goka asks for, and closes those that goka
// leaves open: a view closes neither its consumer nor its topic managers
// (goka v1.1.16, View.close).
type Clients struct {
	config Config

	mu     sync.Mutex
	closed bool
	open   map[io.Closer]struct{}
}

// NewClients returns a builder of clients. It connects to nothing.
func NewClients(c Config) *Clients {
	return &Clients{config: c, open: map[io.Closer]struct{}{}}
}

// Consumer returns the builder for goka.WithConsumerSaramaBuilder and
// goka.WithViewConsumerSaramaBuilder. What goka passes to it is ignored.
func (c *Clients) Consumer(role Role) goka.SaramaConsumerBuilder {
	return func([]string, string) (sarama.Consumer, error) {
		consumer, err := sarama.NewConsumer(c.config.Brokers, c.config.Sarama(role))
		if err != nil {
			return nil, fmt.Errorf("open the %s consumer: %w", role, err)
		}
		t := &trackedConsumer{Consumer: consumer, of: c}
		return t, c.track(t, consumer)
	}
}

// TopicManager returns the builder for goka.WithTopicManagerBuilder and
// goka.WithViewTopicManagerBuilder. It creates no topic, and what differs from
// expectation is an error; replication is that of the table, which goka
// compares for equality.
func (c *Clients) TopicManager(role Role, replication int16) goka.TopicManagerBuilder {
	return func([]string) (goka.TopicManager, error) {
		want := goka.NewTopicManagerConfig()
		want.NoCreate = true
		want.MismatchBehavior = goka.TMConfigMismatchBehaviorFail
		want.Table.Replication = int(replication)
		want.Stream.Replication = int(replication)
		manager, err := goka.NewTopicManager(c.config.Brokers, c.config.Sarama(role), want)
		if err != nil {
			return nil, fmt.Errorf("open the %s topic manager: %w", role, err)
		}
		t := &trackedManager{TopicManager: manager, of: c}
		return t, c.track(t, manager)
	}
}

// Close closes what is still open. Builders refuse afterwards.
func (c *Clients) Close() error {
	c.mu.Lock()
	c.closed = true
	left := c.open
	c.open = map[io.Closer]struct{}{}
	c.mu.Unlock()
	var errs []error
	for client := range left {
		errs = append(errs, client.Close())
	}
	return errors.Join(errs...)
}

// track remembers a wrapper until it is closed; raw is what it wraps, to be
// closed at once when Close has come before.
func (c *Clients) track(wrapper, raw io.Closer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errors.Join(ErrClosed, raw.Close())
	}
	c.open[wrapper] = struct{}{}
	return nil
}

func (c *Clients) forget(wrapper io.Closer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, wrapper)
}

// ErrClosed means that the client was asked for something after its Close.
var ErrClosed = errors.New("client is closed, want an open one")

// trackedConsumer and trackedManager may be closed by goka and again by Clients.
type trackedConsumer struct {
	sarama.Consumer
	of *Clients
}

// Close closes the consumer; a second call does nothing.
func (t *trackedConsumer) Close() error {
	t.of.forget(t)
	return unlessClosed(t.Consumer.Close())
}

type trackedManager struct {
	goka.TopicManager
	of *Clients
}

// EnsureTableExists checks a table as goka does, but for settings that we may
// not see: those were checked by whoever may, or nobody does. goka compares the
// partition count first (v1.1.16, topicManager.ensureExists).
func (t *trackedManager) EnsureTableExists(topic string, partitions int) error {
	err := t.TopicManager.EnsureTableExists(topic, partitions)
	if errors.Is(err, sarama.ErrTopicAuthorizationFailed) {
		return nil
	}
	return err
}

// Close closes the topic manager; a second call does nothing.
func (t *trackedManager) Close() error {
	t.of.forget(t)
	return unlessClosed(t.TopicManager.Close())
}

func unlessClosed(err error) error {
	if errors.Is(err, sarama.ErrClosedClient) {
		return nil
	}
	return err
}
