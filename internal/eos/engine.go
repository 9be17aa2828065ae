package eos

import (
	"cmp"
	"context"
	"fmt"
	"hash"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/prometheus/client_golang/prometheus"
)

// Config is what an Engine needs. What it does not say, goka and the sarama
// configurations say.
type Config struct {
	Group  string   // of goka's group graph; also the label of the metrics
	Inputs []string // the input topics of the group

	// CommitInterval is the longest time between the starts of two epochs while
	// something is staged. 0 means 100 ms.
	CommitInterval time.Duration
	// MaxStaged is how many bytes may be staged before callbacks wait for a
	// commit. 0 means 16 MiB. A process takes about ten times as much memory at
	// its peak: staged values, the client's records and batches, and what the
	// collector has not freed. 64 MiB are a third faster on two busy cores, at
	// nearly twice the memory and several times the length of an epoch.
	MaxStaged int64
	// Watchdog is how long a partition with pending input may stand still
	// before its session ends with ErrStuck. 0 means 30 s.
	Watchdog time.Duration
	// Buffer is how many records goka may hold for a partition before it
	// processes them. 0 means 256.
	Buffer int

	// Brokers and GroupConfig are for the group's member. The engine copies the
	// configuration.
	Brokers     []string
	GroupConfig *sarama.Config
	// NewGroup, if set, makes the group's member instead of sarama. The
	// interceptor must see every record of the inputs before goka does.
	NewGroup func(sarama.ConsumerInterceptor) (sarama.ConsumerGroup, error)

	Writer          Writer                     // makes epochs durable; the engine opens and resets it, the caller closes it
	NewConsumer     goka.SaramaConsumerBuilder // reads the changelog: read committed, errors returned
	NewTopicManager goka.TopicManagerBuilder
	Bases           *Bases // of the group table
	Hasher          func() hash.Hash32

	// Rows is the codec of the group table. Encode must not keep the value, and
	// neither may panic.
	Rows goka.Codec
	// Output makes a record of what a callback emits. An error ends the
	// session.
	Output func(topic, key string, value any) (Record, error)
	// PositionRow says in the group table how far an input has been processed.
	PositionRow func(PositionMark) Row

	// OnCommit is told the next offset to read of a partition that has moved,
	// once it is committed; OnRevoke that a partition's uncommitted work is
	// dropped, at the end of every session; OnStuck that the watchdog ends the
	// session of a partition. All may be nil.
	OnCommit func(topic string, partition int32, next int64)
	OnRevoke func(partition int32)
	OnStuck  func(partition int32)

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
	Member     string    // our name in the group in that session, as the brokers have given it
	Partitions []int32   // assigned in the current session, ascending
	LastCommit time.Time // zero before the first

	StagedBytes   int64         // processed and not yet committed
	StagedRecords int64         // the same in records
	EpochAge      time.Duration // since the oldest of them was staged; 0 without
	WriterError   string        // why the last commit or Open failed; "" after a success
}

// Engine makes a goka processor safe to bill with. It outlives the processors
// that it is used for: a supervisor may build one after the other, but never
// two at a time.
type Engine struct {
	cfg     Config
	metrics *metrics
	session atomic.Pointer[session] // nil between sessions

	mu      sync.Mutex
	status  Status
	failure error // why the current session must end for good
}

// New returns an engine and registers its metrics. It opens nothing.
func New(cfg Config) *Engine {
	cfg.CommitInterval = cmp.Or(cfg.CommitInterval, 100*time.Millisecond)
	cfg.MaxStaged = cmp.Or(cfg.MaxStaged, 16<<20)
	cfg.Watchdog = cmp.Or(cfg.Watchdog, 30*time.Second)
	cfg.Buffer = cmp.Or(cfg.Buffer, 256)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	e := &Engine{cfg: cfg}
	e.metrics = newMetrics(cfg.Registerer, cfg.Group, e)
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
		goka.WithTopicManagerBuilder(e.buildManager),
		goka.WithStorageBuilder(e.buildTable),
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
	s.StagedRecords, s.StagedBytes, s.EpochAge = e.backlog()
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

// buildProducer implements goka.ProducerBuilder. Nothing is written through it:
// rows and outputs are staged in the context.
func (e *Engine) buildProducer([]string, string, func() hash.Hash32) (goka.Producer, error) {
	return noProducer{}, nil
}

// noProducer answers writes that pass the context by.
type noProducer struct{}

// Emit implements goka.Producer.
func (noProducer) Emit(topic, _ string, _ []byte) *goka.Promise {
	promise, finish := goka.NewPromiseWithFinisher()
	finish(nil, fmt.Errorf("topic %s is written past the context, want every write staged", topic))
	return promise
}

// EmitWithHeaders implements goka.Producer.
func (p noProducer) EmitWithHeaders(topic, key string, value []byte, _ goka.Headers) *goka.Promise {
	return p.Emit(topic, key, value)
}

// Close implements goka.Producer.
func (noProducer) Close() error { return nil }

func (e *Engine) setLastCommit(at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status.LastCommit, e.status.WriterError = at, ""
}

func (e *Engine) setWriterError(err *WriteError) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status.WriterError = err.Error()
}
