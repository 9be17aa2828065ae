package writer

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"billstream/internal/auth"
)

// Config is what a writer needs to know.
type Config struct {
	Brokers         []string
	ClientID        string // in the brokers' logs and quotas
	TransactionalID string // the identity of a Transactional; one live process each

	// TransactionTimeout is when the brokers abort the transaction of a writer
	// that is gone; CommitTimeout bounds one Write up to its commit. 20 s each
	// where they are 0.
	TransactionTimeout, CommitTimeout time.Duration

	Table  string         // topic of the rows
	Limits map[string]int // max.message.bytes by topic; 1 MiB where it is not said

	// Auth secures connections and logs in; nil does neither.
	Auth *auth.Auth
	// Dial opens connections, under TLS; nil is net.Dialer's.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	Registerer prometheus.Registerer // nil: no metrics
	Group      string                // label value
	Topics     []string              // label values: the topics that are written to
	Log        *slog.Logger
}

const (
	defaultTimeout = 20 * time.Second

	// defaultLimit is the brokers' own default of max.message.bytes.
	defaultLimit = 1<<20 + 12
	// minLimit is the least that the client library takes.
	minLimit = 512
	// overhead is what a batch and a record take beside key, value and headers,
	// at most and generously.
	overhead = 256
)

func (c Config) withDefaults() Config {
	c.TransactionTimeout = cmp.Or(c.TransactionTimeout, defaultTimeout)
	c.CommitTimeout = cmp.Or(c.CommitTimeout, defaultTimeout)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// limit is how large a batch of the topic may be, in bytes before compression.
func (c Config) limit(topic string) int {
	return max(cmp.Or(c.Limits[topic], defaultLimit)-12, minLimit)
}
