package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/IBM/sarama"
)

// UnreachableError says that no broker answered in time.
type UnreachableError struct {
	Brokers string
	Wait    time.Duration
	Err     error // of the last attempt
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("broker %s is not reachable within %v, want an answer from at least one: %v", e.Brokers, e.Wait, e.Err)
}

// Unwrap returns the error of the last attempt.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Hint says what to do about it, in one line.
func (e *UnreachableError) Hint() string {
	return "check --brokers and that Kafka runs there, or raise --broker-wait"
}

// AdminClient asks brokers about topics and offsets, and changes topics. Its
// methods are safe for several goroutines. They look at their context between
// requests; a single request is bounded by the timeouts of Config.Sarama.
type AdminClient struct {
	config Config
	client sarama.Client
	admin  sarama.ClusterAdmin
}

// probePause lies between two rounds of asking every broker.
const probePause = 250 * time.Millisecond

// OpenAdmin waits until a broker answers, at most wait (negative: for ever), and
// connects. An *UnreachableError says that none did. The caller closes it.
func OpenAdmin(ctx context.Context, c Config, wait time.Duration) (*AdminClient, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := c.await(ctx, wait); err != nil {
		return nil, err
	}
	client, err := sarama.NewClient(c.Brokers, c.Sarama(Admin))
	if err != nil {
		return nil, fmt.Errorf("open the admin client: %w", err)
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the admin client: %w", err), client.Close())
	}
	return &AdminClient{config: c, client: client, admin: admin}, nil
}

// Close disconnects. A second call does nothing.
func (a *AdminClient) Close() error { return unlessClosed(a.admin.Close()) }

// await asks the brokers in turn until one answers. A client that is opened
// instead would go on asking for half a minute whatever the context says.
func (c Config) await(ctx context.Context, wait time.Duration) error {
	bounded, cancel := ctx, context.CancelFunc(func() {})
	if wait >= 0 {
		bounded, cancel = context.WithTimeout(ctx, wait)
	}
	defer cancel()
	tick := time.NewTicker(probePause)
	defer tick.Stop()
	var last error
	for {
		for _, addr := range c.Brokers {
			err := c.probe(bounded, addr)
			if err == nil {
				return nil
			}
			if last == nil || bounded.Err() == nil {
				last = err // not the one that the end of the wait caused
			}
		}
		select {
		case <-bounded.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return &UnreachableError{Brokers: c.brokers(), Wait: wait, Err: last}
		case <-tick.C:
		}
	}
}

// probe asks one broker for its versions.
func (c Config) probe(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	dial := c.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	c.Dial = func(_ context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err == nil {
			// The end of the wait ends a read from what is no broker. A deadline
			// would not: sarama sets its own before each read.
			context.AfterFunc(ctx, func() { conn.Close() })
		}
		return conn, err
	}
	broker := sarama.NewBroker(addr)
	if err := broker.Open(c.Sarama(Admin)); err != nil {
		return err
	}
	if _, err := broker.Connected(); err != nil {
		return err
	}
	_, err := broker.ApiVersions(&sarama.ApiVersionsRequest{})
	return errors.Join(err, broker.Close())
}

// ClusterID returns the cluster's own name for itself.
func (a *AdminClient) ClusterID(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	broker, err := a.admin.Controller()
	if err != nil {
		return "", fmt.Errorf("ask for the cluster id: %w", err)
	}
	resp, err := broker.GetMetadata(sarama.NewMetadataRequest(a.client.Config().Version, nil))
	if err != nil {
		return "", fmt.Errorf("ask for the cluster id: %w", err)
	}
	if resp.ClusterID == nil {
		return "", nil
	}
	return *resp.ClusterID, nil
}

// Leave takes a static member out of the group at once, where its partitions
// would otherwise wait for the end of its session.
func (a *AdminClient) Leave(ctx context.Context, group, instanceID string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := a.admin.RemoveMemberFromConsumerGroup(group, []string{instanceID}); err != nil {
		return fmt.Errorf("leave the group %s: %w", group, err)
	}
	return nil
}
