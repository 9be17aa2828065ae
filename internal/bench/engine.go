package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/lovoo/goka"

	"billstream/internal/eos"
	"billstream/internal/eos/writer"
	"billstream/internal/kafka"
	"billstream/internal/store"
	"billstream/internal/topics"
)

// brokerWait is how long an arm waits for the first answer of a broker.
const brokerWait = 10 * time.Second

// runEngine runs the job on our engine until ctx ends, wired as the product is.
func (a *arm) runEngine(ctx context.Context, log *slog.Logger) (err error) {
	config := kafka.Config{Brokers: a.Brokers, ClientID: "bench"}
	admin, err := kafka.OpenAdmin(ctx, config, brokerWait)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	clients := kafka.NewClients(config)
	defer func() { err = errors.Join(err, clients.Close()) }()
	w, err := a.writer(log)
	if err != nil {
		return err
	}
	defer w.Close()
	bases := a.bases(clients)
	defer func() { err = errors.Join(err, bases.Close()) }()
	engine := eos.New(a.engineConfig(config, admin, bases, clients, w, log))
	options := append([]goka.ProcessorOption{goka.WithLogger(silent{})}, engine.ProcessorOptions()...)
	p, err := goka.NewProcessor(a.Brokers, a.graph(formOf(a.Way)), options...)
	if err != nil {
		return fmt.Errorf("build the processor: %w", err)
	}
	return p.Run(ctx)
}

// silent is a logger for goka, whose words our engine repeats where they matter.
type silent struct{}

// Print implements goka's logger.
func (silent) Print(...any) {}

// Println implements goka's logger.
func (silent) Println(...any) {}

// Printf implements goka's logger.
func (silent) Printf(string, ...any) {}

func (a *arm) writer(log *slog.Logger) (eos.Writer, error) {
	c := writer.Config{
		Brokers: a.Brokers, ClientID: "bench-writer", TransactionalID: a.Group + "-bench" + a.Instance,
		Table: a.table(), Group: a.Group, Topics: []string{a.table(), a.Output},
		Registerer: a.registry, Log: log,
	}
	if a.Way == AtLeastOnce {
		return writer.NewPlain(c)
	}
	w, err := writer.NewTransactional(c)
	if err == nil && a.Way == Unpositioned {
		return unpositioned{w}, nil
	}
	return w, err
}

// unpositioned leaves the position rows out, which stand last in their parts.
type unpositioned struct{ eos.Writer }

// Write implements eos.Writer.
func (u unpositioned) Write(ctx context.Context, e *eos.Epoch) error {
	for i := range e.Parts {
		p := &e.Parts[i]
		p.Rows = p.Rows[:len(p.Rows)-1]
	}
	return u.Writer.Write(ctx, e)
}

func (a *arm) engineConfig(config kafka.Config, admin *kafka.AdminClient, bases *eos.Bases, clients *kafka.Clients, w eos.Writer, log *slog.Logger) eos.Config {
	f := formOf(a.Way)
	return eos.Config{
		Group: a.Group, Inputs: []string{a.Input},
		CommitInterval:  a.Interval,
		Brokers:         a.Brokers,
		GroupConfig:     config.Sarama(kafka.Group),
		Writer:          w,
		NewConsumer:     clients.Consumer(kafka.Table),
		NewTopicManager: clients.TopicManager(kafka.Table, 1),
		Bases:           bases,
		Hasher:          topics.NewHasher,
		Rows:            f.account,
		Output: func(topic, key string, v any) (eos.Record, error) {
			value, err := f.update.Encode(v)
			k := []byte(key)
			return eos.Record{Topic: topic, Partition: topics.Partition(k, a.Partitions), Key: k, Value: value}, err
		},
		PositionRow: a.positionRow(),
		Recovery: eos.NewRecovery(eos.RecoveryConfig{
			Table: a.table(), Role: eos.Active,
			Start: admin.Oldest,
			End: func(ctx context.Context, topic string, partition int32, blocked func(int64)) (int64, error) {
				return admin.RecoveryEnd(ctx, topic, partition, a.Way != AtLeastOnce, blocked)
			},
			Registerer: a.registry, Log: log,
		}),
		Registerer: a.registry, Log: log,
	}
}

// bases are the rows of the arm, in memory.
func (a *arm) bases(clients *kafka.Clients) *eos.Bases {
	return eos.NewBases(eos.BasesConfig{
		Table: a.table(), Partitions: a.Partitions,
		Open: func(context.Context, int32) (eos.Store, int64, time.Time, error) {
			return store.NewArena(), 0, time.Time{}, nil
		},
		Reset:       func(int32) (eos.Store, error) { return store.NewArena(), nil },
		Brokers:     a.Brokers,
		NewConsumer: clients.Consumer(kafka.Table),
	})
}

// positionPrefix begins the keys of position rows, and of no customer.
const positionPrefix = "~"

func isPosition(key []byte) bool { return strings.HasPrefix(string(key), positionPrefix) }

// positionRow returns a row about as large as the product's: offset, time and
// the id of the topic.
func (a *arm) positionRow() func(eos.PositionMark) eos.Row {
	keys := make([]string, a.Partitions)
	for p := range keys {
		keys[p] = string(topics.PositionKey(int32(p), a.Partitions))
	}
	return func(m eos.PositionMark) eos.Row {
		value := binary.BigEndian.AppendUint64(make([]byte, 0, 32), uint64(m.Next))
		value = binary.BigEndian.AppendUint64(value, uint64(m.RecordedAt.UnixNano()))
		return eos.Row{Key: keys[m.Partition], Value: append(value, a.Input[:min(len(a.Input), 16)]...)}
	}
}
