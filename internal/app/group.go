package app

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"time"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
	"github.com/prometheus/client_golang/prometheus"

	"billstream/codecs"
	"billstream/internal/customer"
	"billstream/internal/eos"
	"billstream/internal/kafka"
	"billstream/internal/store"
	"billstream/internal/topics"
	"billstream/processors"
)

// group is this process's member of the processor group: one goka processor
// after the other, on an engine that outlives them.
type group struct {
	brokers  []string
	billing  *processors.Billing
	engine   *eos.Engine
	recovery *eos.Recovery
	restarts map[string]prometheus.Counter
	log      *slog.Logger
}

// Reasons why a processor is started again; a closed list of label values.
const (
	becausePanic  = "panic"
	becauseBroker = "broker"
	becauseOther  = "other"
)

// startGroup joins the processor group.
func (a *App) startGroup(context.Context) error {
	if !a.cfg.has(RoleProcessor) {
		return nil
	}
	clients := kafka.NewClients(a.kafka)
	a.started("group clients", func(context.Context) error { return clients.Close() })
	failures := kafka.NewProducerMetrics(a.registry, topics.Group, topics.BillingTable, topics.BillingUpdates, topics.DeadLetters)
	positions, err := kafka.OpenProducer(a.kafka, kafka.ProducerOptions{Limits: a.limits, Metrics: failures})
	if err != nil {
		return err
	}
	a.started("position writer", func(context.Context) error { return positions.Close() })
	a.group = &group{
		brokers: a.kafka.Brokers, log: a.log,
		billing: processors.NewBilling(processors.Config{
			Partitions:        a.input.Partitions,
			DeadLetterUnknown: a.cfg.UnknownTypes == "dead-letter",
			WithoutAccount:    !a.cfg.UpdatesAccount,
			JSONUpdates:       a.cfg.UpdatesEncoding == "json",
			MaxLetter:         a.limits[topics.DeadLetters],
			Version:           a.opt.Version,
			Registerer:        a.registry,
			Log:               a.log,
		}),
		recovery: eos.NewRecovery(a.recoveryConfig(eos.Active, true)),
		restarts: countRestarts(a.registry),
	}
	a.group.engine = eos.New(a.engineConfig(clients, positions, failures))
	a.started("offsets client", func(context.Context) error { return a.group.engine.Close() })
	a.background("group", a.group.run)
	if a.cfg.LeaveOnStop && a.cfg.InstanceID != "" {
		a.leaveOnStop()
	}
	return nil
}

// engineConfig ties the engine to the clients and to the callback's counters.
func (a *App) engineConfig(clients *kafka.Clients, positions *kafka.Producer, failures *kafka.ProducerMetrics) eos.Config {
	return eos.Config{
		Group: topics.Group, Inputs: []string{topics.CustomerEvents},
		CommitInterval: a.cfg.CommitInterval,
		Brokers:        a.kafka.Brokers,
		GroupConfig:    a.kafka.Sarama(kafka.Group),
		OffsetsConfig:  a.kafka.Sarama(kafka.Admin),
		NewConsumer:    clients.Consumer(kafka.Table),
		NewProducer: func([]string, string, func() hash.Hash32) (goka.Producer, error) {
			return kafka.OpenProducer(a.kafka, kafka.ProducerOptions{
				Limits: a.limits, Metrics: failures,
				Framed: []string{topics.BillingUpdates, topics.DeadLetters}, Unframe: unframe,
			})
		},
		NewTopicManager: clients.TopicManager(kafka.Table, a.replication),
		NewStore:        func(string, int32) (storage.Storage, error) { return store.NewMemory(), nil },
		Hasher:          topics.NewHasher,
		WritePosition: func(ctx context.Context, marks []eos.PositionMark) error {
			return positions.Write(ctx, topics.BillingTable, a.positionRows(marks))
		},
		OnCommit:   func(_ string, partition int32, next int64) { a.group.billing.Committed(partition, next) },
		OnRevoke:   func(partition int32) { a.group.billing.Revoked(partition) },
		Recovery:   a.group.recovery,
		Registerer: a.registry,
		Log:        a.log,
	}
}

// positionRows says in the changelog how far each input partition has been
// processed, and of which topic.
func (a *App) positionRows(marks []eos.PositionMark) []kafka.Record {
	records := make([]kafka.Record, 0, len(marks))
	for _, m := range marks {
		records = append(records, kafka.Record{
			Partition: m.Partition,
			Key:       topics.PositionKey(m.Partition, a.input.Partitions),
			Value: codecs.AppendPosition(nil, &codecs.PositionRow{
				NextOffset: m.Next, RecordedAt: customer.InstantOf(m.RecordedAt), TopicID: []byte(a.input.ID),
			}),
		})
	}
	return records
}

// leaveOnStop gives up the static member's place once the group has stopped.
func (a *App) leaveOnStop() {
	n := len(a.parts) - 1
	stop := a.parts[n].stop
	a.parts[n].stop = func(ctx context.Context) error {
		return errors.Join(stop(ctx), a.admin.Leave(ctx, topics.Group, a.cfg.InstanceID))
	}
}

// run supervises: a processor that ends for a passing reason is followed by a
// new one; what a person must mend, or a twin under our name, ends the process.
func (g *group) run(ctx context.Context) error {
	pause := pauses{first: 100 * time.Millisecond, last: 30 * time.Second}
	for {
		began := time.Now()
		err := g.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if final(err) {
			return err
		}
		if time.Since(began) > time.Minute {
			pause.reset()
		}
		reason := reasonOf(err)
		g.restarts[reason].Inc()
		g.log.Error("processor ended, starting it again", "reason", reason, "err", err)
		if !pause.wait(ctx) {
			return nil
		}
	}
}

// once runs one goka processor until it ends.
func (g *group) once(ctx context.Context) error {
	options := append([]goka.ProcessorOption{goka.WithLogger(quiet(g.log))}, g.engine.ProcessorOptions()...)
	p, err := goka.NewProcessor(g.brokers, g.billing.Graph(), options...)
	if err != nil {
		return fmt.Errorf("build the processor: %w", err)
	}
	return g.judge(p.Run(ctx))
}

// judge finds the cause in what goka's Run returned, whose own text may hold
// customer ids.
func (g *group) judge(err error) error {
	if r := g.recovery.Refused(); r != nil {
		return r
	}
	if f, ok := errors.AsType[*eos.FencedError](err); ok {
		return f
	}
	if r, ok := errors.AsType[*eos.RefusedError](err); ok {
		return r
	}
	if p, ok := errors.AsType[*eos.ProcessingError](err); ok {
		return p
	}
	return errStopped
}

// errStopped stands for an end of a processor that has no cause of ours.
var errStopped = errors.New("goka stopped the processor")

func final(err error) bool {
	_, refused := errors.AsType[*eos.RefusedError](err)
	_, fenced := errors.AsType[*eos.FencedError](err)
	return refused || fenced
}

func reasonOf(err error) string {
	p, ok := errors.AsType[*eos.ProcessingError](err)
	switch {
	case !ok:
		return becauseOther
	case errors.Is(err, eos.ErrPanic):
		return becausePanic
	case p.Stage == "write":
		return becauseBroker
	}
	return becauseOther
}

func countRestarts(reg prometheus.Registerer) map[string]prometheus.Counter {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "billstream_processor_restarts_total",
		Help: "Processors that ended and were started again, by reason.",
	}, []string{"group", "reason"})
	reg.MustRegister(vec)
	restarts := map[string]prometheus.Counter{}
	for _, r := range []string{"fenced", "aborted", becauseBroker, becausePanic, "watchdog", "changelog", becauseOther} {
		restarts[r] = vec.WithLabelValues(topics.Group, r)
	}
	return restarts
}
