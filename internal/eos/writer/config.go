package writer

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Config says how a writer reaches Kafka, and what it must know of the topics.
type Config struct {
	Brokers  []string // HOST:PORT of any of them
	ClientID string

	// TransactionalID is the identity of a transactional writer: stable over
	// restarts, and of no other live process.
	TransactionalID string
	// TransactionTimeout is after how long brokers abort the transaction of a
	// writer that fell silent. 0 means 20 s.
	TransactionTimeout time.Duration
	// CommitTimeout bounds one Write up to the end of its transaction, and then
	// that end. 0 means 20 s.
	CommitTimeout time.Duration

	Table  string         // topic of the rows
	Limits map[string]int // max.message.bytes by topic; a topic not named has Kafka's default

	Group      string   // label of the metrics
	Topics     []string // whose errors are counted
	Registerer prometheus.Registerer
	Log        *slog.Logger

	// Dial opens connections in place of net.Dialer; for tests.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

const (
	// batchOverhead is what a batch adds to its records.
	batchOverhead = 61
	// defaultMaxMessage is max.message.bytes of a topic that sets nothing.
	defaultMaxMessage = 1048588
	// maxBuffered is more records than an epoch can have: Produce must never
	// wait for room while its own transaction holds it.
	maxBuffered = 1 << 24
)

func (c Config) withDefaults() Config {
	c.TransactionTimeout = cmp.Or(c.TransactionTimeout, 20*time.Second)
	c.CommitTimeout = cmp.Or(c.CommitTimeout, 20*time.Second)
	return c
}

// options are those that both writers have.
func (c Config) options() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.ClientID),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.SnappyCompression()),
		kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(maxBuffered),
		kgo.ProducerBatchMaxBytesFn(func(topic string) int32 {
			return int32(cmp.Or(c.Limits[topic], defaultMaxMessage) - batchOverhead)
		}),
		// A partition whose leader moved is asked for at once, not in five seconds.
		kgo.MetadataMinAge(50 * time.Millisecond),
		kgo.RequestTimeoutOverhead(5 * time.Second),
		kgo.MaxVersions(versions()),
		kgo.WithHooks(hooks{}),
	}
	if c.Dial != nil {
		opts = append(opts, kgo.Dialer(c.Dial))
	}
	return opts
}

// versions are what the client may speak. Offset commits of later versions name
// topics by their id, which we do not fill in.
func versions() *kversion.Versions {
	v := kversion.Tip()
	v.SetMaxKeyVersion(kmsg.TxnOffsetCommit.Int16(), 5)
	v.SetMaxKeyVersion(kmsg.OffsetCommit.Int16(), 9)
	return v
}
