package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/IBM/sarama"

	"billstream/internal/auth"
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

// LoginError says that a broker answered, and would not let us in, for as long
// as it was asked.
type LoginError struct {
	Brokers string
	Wait    time.Duration
	Err     error // of the last attempt
}

func (e *LoginError) Error() string {
	return fmt.Sprintf("login at broker %s is refused for %v, want one that it takes: %v", e.Brokers, e.Wait, e.Err)
}

// Unwrap returns the error of the last attempt.
func (e *LoginError) Unwrap() error { return e.Err }

// Hint says what to do about it, in one line.
func (e *LoginError) Hint() string {
	return "check --sasl-mechanism, --sasl-user and the secret, and that the broker knows this user"
}

// refusedLogin tells whether err is about who we are, and not about the way to
// the broker.
func refusedLogin(err error) bool {
	_, secret := errors.AsType[*auth.SecretError](err)
	return secret || errors.Is(err, sarama.ErrSASLAuthenticationFailed) ||
		errors.Is(err, sarama.ErrUnsupportedSASLMechanism) || errors.Is(err, sarama.ErrIllegalSASLState)
}

// Denied tells whether err says that a right is missing, or a login. Both may
// come back without a change on our side.
func Denied(err error) bool {
	if refusedLogin(err) {
		return true
	}
	for _, target := range []error{
		sarama.ErrTopicAuthorizationFailed, sarama.ErrGroupAuthorizationFailed,
		sarama.ErrClusterAuthorizationFailed, sarama.ErrTransactionalIDAuthorizationFailed,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// Passing tells whether err may pass by itself: a broker is away, although others
// still name it, or is not yet or no longer what it was asked as.
func Passing(err error) bool {
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	for _, target := range []error{
		io.EOF, sarama.ErrNotConnected, sarama.ErrOutOfBrokers, sarama.ErrBrokerNotAvailable, sarama.ErrBrokerNotFound,
		sarama.ErrControllerNotAvailable, sarama.ErrNotController, sarama.ErrLeaderNotAvailable,
		sarama.ErrNotLeaderForPartition, sarama.ErrConsumerCoordinatorNotAvailable,
		sarama.ErrNotCoordinatorForConsumer, sarama.ErrOffsetsLoadInProgress, sarama.ErrRequestTimedOut,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// AdminClient asks brokers about topics and offsets, and changes topics. Its
// methods are safe for several goroutines and return when their context ends,
// with its cause.
type AdminClient struct {
	config Config
	client sarama.Client
	admin  sarama.ClusterAdmin
}

// probePause lies between two rounds of asking every broker.
const probePause = 250 * time.Millisecond

// OpenAdmin waits until a broker answers, at most wait (negative: for ever), and
// connects. An *UnreachableError says that none did, a *LoginError that it let
// nobody in. The caller closes it.
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
			if refusedLogin(last) {
				return &LoginError{Brokers: c.brokers(), Wait: wait, Err: last}
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

// ask runs one question of sarama's, which knows no context: while no broker can
// be reached it may take half a minute, and a process that is asked to stop has
// not got that. A question that is left alone ends with the client's Close.
func ask[T any](ctx context.Context, question func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	var none T
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	answers := make(chan answer, 1)
	go func() {
		value, err := question()
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

// tell is ask for what has no answer but an error.
func tell(ctx context.Context, do func() error) error {
	_, err := ask(ctx, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

// ClusterID returns the cluster's own name for itself. It asks a broker each
// time, so it also tells whether one answers.
func (a *AdminClient) ClusterID(ctx context.Context) (string, error) {
	id, err := ask(ctx, func() (*string, error) {
		broker, err := a.admin.Controller()
		if err != nil {
			return nil, err
		}
		resp, err := broker.GetMetadata(sarama.NewMetadataRequest(a.client.Config().Version, nil))
		if err != nil {
			return nil, err
		}
		return resp.ClusterID, nil
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("ask for the cluster id: %w", err)
	case id == nil:
		return "", nil
	}
	return *id, nil
}

// Leave takes a static member out of the group at once, where its partitions
// would otherwise wait for the end of its session.
func (a *AdminClient) Leave(ctx context.Context, group, instanceID string) error {
	err := tell(ctx, func() error {
		_, err := a.admin.RemoveMemberFromConsumerGroup(group, []string{instanceID})
		return err
	})
	if err != nil {
		return fmt.Errorf("leave the group %s: %w", group, err)
	}
	return nil
}
