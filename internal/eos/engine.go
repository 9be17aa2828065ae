package eos

import (
	"cmp"
	"context"
	"hash"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
	"github.com/prometheus/client_golang/prometheus"
)

// Config is what an Engine needs. What it does not say, goka and the sarama
// configurations say.
type Config struct {
	Group  string   // of goka's group graph; also the label of the metrics
	Inputs []string // the input topics of the group

	// CommitInterval is the time between two commits. 0 means 100 ms.
	CommitInterval time.Duration
	// Buffer is how many records goka may hold for a partition before it
	// processes them. 0 means 256.
	Buffer int

	// Brokers, GroupConfig and OffsetsConfig are for the two clients that the
	// engine opens: the group's member, and the one that commits offsets. The
	// engine copies both configurations.
	Brokers                    []string
	GroupConfig, OffsetsConfig *sarama.Config

	// NewGroup, if set, makes the group's member instead of sarama. The
	// interceptor must see every record of the inputs before goka does.
	NewGroup func(sarama.ConsumerInterceptor) (sarama.ConsumerGroup, error)
	// CommitOffsets, if set, commits offsets instead of a client of the
	// engine's own. It returns nil only if the coordinator has accepted all.
	CommitOffsets func(context.Context, Offsets) error

	NewConsumer     goka.SaramaConsumerBuilder // reads the changelog: read committed, errors returned
	NewProducer     goka.ProducerBuilder       // every promise is resolved once the brokers have answered
	NewTopicManager goka.TopicManagerBuilder
	NewStore        storage.Builder // a fresh and empty store for each call
	Hasher          func() hash.Hash32

	// WritePosition writes a position row for every mark and returns nil once
	// all are acknowledged. It is called before the offsets of the same marks
	// are committed.
	WritePosition func(context.Context, []PositionMark) error
	// OnCommit is told the next offset to read of a partition that has moved,
	// once it is committed; OnRevoke that a partition's uncommitted work is
	// dropped, at the end of every session. Both may be nil.
	OnCommit func(topic string, partition int32, next int64)
	OnRevoke func(partition int32)

	Recovery   *Recovery // of the group table, role Active
	Registerer prometheus.Registerer
	Log        *slog.Logger
	Now        func() time.Time // nil: time.Now
}

// Status is how the group stands on this member.
type Status struct {
	Running    bool      // in a session whose partitions have all recovered
	Reason     string    // why not; "" while running
	Since      time.Time // when Running last changed
	Generation int32     // of the current or last session
	Partitions []int32   // assigned in the current session, ascending
	LastCommit time.Time // zero before the first
}

// Engine makes a goka processor safe to bill with. It outlives the processors
// that it is used for: a supervisor may build one after the other, but never
// two at a time.
type Engine struct {
	cfg     Config
	metrics *metrics
	offsets *coordinator
	session atomic.Pointer[session] // nil between sessions

	mu      sync.Mutex
	status  Status
	failure error // why the current session must end for good
}

// New returns an engine and registers its metrics. It opens nothing.
func New(cfg Config) *Engine {
	cfg.CommitInterval = cmp.Or(cfg.CommitInterval, 100*time.Millisecond)
	cfg.Buffer = cmp.Or(cfg.Buffer, 256)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	e := &Engine{cfg: cfg, offsets: newCoordinator(cfg.Brokers, cfg.OffsetsConfig)}
	e.metrics = newMetrics(cfg.Registerer, cfg.Group, e.buffered)
	e.status = Status{Reason: "not started", Since: cfg.Now()}
	return e
}

// ProcessorOptions returns the options that tie a goka processor to the engine.
// They must stand last, since a later option wins over an earlier one.
func (e *Engine) ProcessorOptions() []goka.ProcessorOption {
	return []goka.ProcessorOption{
		goka.WithConsumerGroupBuilder(e.buildGroup),
		goka.WithContextWrapper(e.wrap),
		goka.WithProducerBuilder(e.buildProducer),
		goka.WithConsumerSaramaBuilder(e.cfg.NewConsumer),
		goka.WithTopicManagerBuilder(e.cfg.Recovery.topicManagers(e.sessionContext, e.cfg.NewTopicManager)),
		goka.WithStorageBuilder(e.cfg.Recovery.stores(e.cfg.NewStore)),
		goka.WithHasher(e.cfg.Hasher),
		goka.WithNilHandling(goka.NilProcess),
		goka.WithPartitionChannelSize(e.cfg.Buffer),
	}
}

// Status returns how the group stands on this member.
func (e *Engine) Status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.status
	s.Partitions = slices.Clone(s.Partitions)
	return s
}

// setStatus notes that the member is running, or why it is not.
func (e *Engine) setStatus(running bool, reason string, change func(*Status)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.status.Running != running {
		e.status.Since = e.cfg.Now()
	}
	e.status.Running, e.status.Reason = running, reason
	if change != nil {
		change(&e.status)
	}
}

// fail remembers the first reason why the session must end for good. goka and
// sarama pass on texts only, and some that hold customer ids: what is wrong is
// taken where it enters.
func (e *Engine) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failure == nil {
		e.failure = err
	}
}

// takeFailure returns what fail remembered and forgets it.
func (e *Engine) takeFailure() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.failure
	e.failure = nil
	return err
}

// sessionContext ends with the session; goka does not hand it to the topic
// manager.
func (e *Engine) sessionContext() context.Context {
	if s := e.session.Load(); s != nil {
		return s.Context()
	}
	return context.Background()
}

// buffered counts the records that were fetched and wait for their partition.
func (e *Engine) buffered() float64 {
	n := 0
	if s := e.session.Load(); s != nil {
		for _, p := range s.parts {
			n += p.ring.len()
		}
	}
	return float64(n)
}

// buildProducer implements goka.ProducerBuilder.
func (e *Engine) buildProducer(brokers []string, clientID string, hasher func() hash.Hash32) (goka.Producer, error) {
	p, err := e.cfg.NewProducer(brokers, clientID, hasher)
	if err != nil {
		return nil, err
	}
	return newOrderedProducer(p, e.cfg.Recovery.cfg.Table, e.emitFailed), nil
}

// emitFailed keeps the cause of a failed write: goka makes a text of it, and
// puts the key in.
func (e *Engine) emitFailed(err error) {
	if err != nil {
		e.fail(&ProcessingError{Stage: "write", Err: err})
	}
}
