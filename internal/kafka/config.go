// Package kafka turns one Config into the clients that the rest of the process
// works with: sarama configurations, the clients that goka builds, a producer,
// an admin client with the read-committed reader, and the lag monitor. It knows
// topics and bytes, not customers.
package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"billstream/internal/auth"
	"billstream/internal/failpoint"
	"billstream/internal/topics"
)

// Role says what a client is for. It shows in the client id, by which brokers
// count and limit.
type Role string

// The roles of clients.
const (
	Group  Role = "group"  // the consumer group
	Table  Role = "table"  // recovery of the group table
	View   Role = "view"   // the view's copy of the table
	Admin  Role = "admin"  // topics, offsets, lag
	Events Role = "events" // what emitters write
)

// Config says how to reach Kafka. Only Brokers is required.
type Config struct {
	Brokers        []string      // HOST:PORT of any of them
	ClientID       string        // prefix of every client id; "" means billstream
	SessionTimeout time.Duration // of the group; 0 means 10 s, with InstanceID 30 s
	InstanceID     string        // static member of the group; "" is a dynamic one

	// Auth secures connections and logs in; nil does neither.
	Auth *auth.Auth
	// Dial opens connections in place of net.Dialer, under TLS; for tests and counters.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// batchOverhead is what a batch adds to its records: sarama's limit counts the
// records alone, the broker's the whole batch.
const batchOverhead = 61

// defaultMaxMessage is max.message.bytes of a topic that sets nothing.
const defaultMaxMessage = 1048588

// Sarama returns the configuration of a client in the given role. It is a fresh
// one each time, since goka writes into what it gets. sarama's and goka's own
// defaults start at the newest record, see what was aborted, and forget acks.
func (c Config) Sarama(role Role) *sarama.Config {
	s := sarama.NewConfig()
	s.Version = sarama.V3_6_0_0 // stable offset fetch and group metadata in transactions; negotiated down
	s.ClientID = cmp.Or(c.ClientID, "billstream") + "-" + string(role)
	s.ChannelBufferSize = 256

	s.Metadata.AllowAutoTopicCreation = false
	s.Metadata.RefreshFrequency = time.Minute
	// These also bound the retries of unstable offsets, heartbeats and claims,
	// which wait inside the session while heartbeats go on.
	s.Metadata.Retry.Max = 120
	s.Metadata.Retry.Backoff = 250 * time.Millisecond

	s.Net.DialTimeout = 10 * time.Second
	s.Net.ReadTimeout = 30 * time.Second
	s.Net.WriteTimeout = 30 * time.Second
	s.Net.MaxOpenRequests = 5
	if dial := c.dial(); dial != nil {
		s.Net.Proxy.Enable = true
		s.Net.Proxy.Dialer = dialer{dial: dial, timeout: s.Net.DialTimeout}
	}
	login(s, c.Auth)
	consumer(s)
	if role == Group {
		// Per partition and answer. What is fetched waits in memory while an
		// epoch is written: with 4 MiB a processor takes twice the memory, stalls
		// more, and is not faster.
		s.Consumer.Fetch.Default = 512 << 10
	}
	if failpoint.Control("unstable-offsets") && role == Group {
		s.Consumer.IsolationLevel = sarama.ReadUncommitted
	}
	c.group(s)
	producer(s, role)
	return s
}

// dial opens connections; nil is sarama's own way.
func (c Config) dial() auth.DialFunc {
	dial := c.Auth.Dialer(c.Dial)
	if dial == nil {
		return nil
	}
	return passwords(dial, c.Auth)
}

// consumer settings hold for every client: the isolation level also decides
// whether an offset fetch waits for open transactions.
func consumer(s *sarama.Config) {
	s.Consumer.IsolationLevel = sarama.ReadCommitted
	s.Consumer.Return.Errors = true // without it a recovery that failed looks finished
	s.Consumer.Offsets.Initial = sarama.OffsetOldest
	s.Consumer.Offsets.AutoCommit.Enable = false
	s.Consumer.Fetch.Default = 4 << 20 // recovery and views read all there is
	s.Consumer.Fetch.Max = 0           // with a limit sarama skips what is larger
	// A heartbeat waits behind a fetch on the same connection.
	s.Consumer.MaxWaitTime = 250 * time.Millisecond
	s.Consumer.MaxProcessingTime = time.Second
}

func (c Config) group(s *sarama.Config) {
	g := &s.Consumer.Group
	session := 10 * time.Second
	if c.InstanceID != "" {
		session = 30 * time.Second // a restart shorter than this moves nothing
	}
	g.InstanceId = c.InstanceID
	g.Session.Timeout = cmp.Or(c.SessionTimeout, session)
	g.Heartbeat.Interval = 100 * time.Millisecond // how soon a rebalance is noticed
	g.Rebalance.GroupStrategies = []sarama.BalanceStrategy{goka.CopartitioningStrategy}
	// Not below the read timeout, JoinGroup would time out and the group hang
	// (IBM/sarama#2820).
	g.Rebalance.Timeout = 20 * time.Second
	// Who meets another rebalance while it joins, joins again after this pause;
	// sarama's 2 s are longer than a short session.
	g.Rebalance.Retry.Backoff = 100 * time.Millisecond
	g.Rebalance.Retry.Max = 100
	g.ResetInvalidOffsets = false // it would jump over records, silently
}

func producer(s *sarama.Config, role Role) {
	p := &s.Producer
	p.RequiredAcks = sarama.WaitForAll
	p.Compression = sarama.CompressionSnappy
	p.Retry.Max = 60
	p.Retry.Backoff = 100 * time.Millisecond
	p.Flush.Bytes, p.Flush.Messages, p.Flush.Frequency = 0, 0, 0 // batches form in flight
	p.Return.Successes = true
	p.Return.Errors = true
	p.Partitioner = sarama.NewCustomHashPartitioner(topics.NewHasher)
	p.MaxMessageBytes = defaultMaxMessage - batchOverhead
	if role == Events {
		p.Idempotent = true
		s.Net.MaxOpenRequests = 1 // sarama insists on it for idempotence
	}
}

// Validate reports what no client could work with.
func (c Config) Validate() error {
	if len(c.Brokers) == 0 {
		return errors.New("brokers is empty, want HOST:PORT of at least one")
	}
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			return fmt.Errorf("broker is %q, want HOST:PORT", b)
		}
	}
	for _, role := range []Role{Group, Events} {
		if err := c.Sarama(role).Validate(); err != nil {
			return fmt.Errorf("check the %s client: %w", role, err)
		}
	}
	return nil
}

// SetLogger sends sarama's log, which the library keeps in a global variable,
// to h at debug level. Call it once, before the first client.
func SetLogger(h slog.Handler) {
	sarama.Logger = slog.NewLogLogger(h, slog.LevelDebug)
}

// dialer is proxy.Dialer over a func with a context.
type dialer struct {
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	timeout time.Duration
}

// Dial opens one connection.
func (d dialer) Dial(network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d.timeout)
	defer cancel()
	return d.dial(ctx, network, addr)
}

// brokers names them for a sentence.
func (c Config) brokers() string { return strings.Join(c.Brokers, ", ") }
