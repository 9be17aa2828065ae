package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/lovoo/goka"
	"github.com/prometheus/client_golang/prometheus"

	"billstream/codecs"
	"billstream/internal/customer"
	"billstream/internal/eos"
	"billstream/internal/eos/writer"
	"billstream/internal/failpoint"
	"billstream/internal/kafka"
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
	becauseStuck  = "watchdog"
	becauseOther  = "other"
)

// startGroup joins the processor group.
func (a *App) startGroup(ctx context.Context) error {
	if !a.cfg.has(RoleProcessor) {
		return nil
	}
	clients := kafka.NewClients(a.kafka)
	a.started("group clients", func(context.Context) error { return clients.Close() })
	w, err := a.openWriter(ctx)
	if err != nil {
		return err
	}
	w = &witness{Writer: w, denials: a.broker.denials}
	a.started("writer", func(context.Context) error { w.Close(); return nil })
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
	a.group.engine = eos.New(a.engineConfig(clients, w))
	a.background("group", a.group.run)
	if a.cfg.LeaveOnStop && a.cfg.InstanceID != "" {
		a.leaveOnStop()
	}
	return nil
}

// openWriter makes the writer of the wanted guarantee. Its identity is as
// stable as the instance's, so that a restart frees at once what its
// predecessor left open.
func (a *App) openWriter(ctx context.Context) (eos.Writer, error) {
	c := writer.Config{
		Brokers:            a.kafka.Brokers,
		Auth:               a.kafka.Auth,
		ClientID:           "billstream-writer",
		TransactionalID:    topics.Group + "-" + cmp.Or(a.cfg.InstanceID, rand.Text()),
		TransactionTimeout: a.cfg.TransactionTimeout,
		Table:              topics.BillingTable,
		Limits:             a.limits,
		Group:              topics.Group,
		Topics:             []string{topics.BillingTable, topics.BillingUpdates, topics.DeadLetters},
		Registerer:         a.registry,
		Log:                a.log,
	}
	if a.cfg.Guarantee == AtLeastOnce {
		return writer.NewPlain(c)
	}
	if err := writer.CheckFeatures(ctx, c); err != nil {
		return nil, err
	}
	return writer.NewTransactional(c)
}

// engineConfig ties the engine to the clients and to the callback's counters.
func (a *App) engineConfig(clients *kafka.Clients, w eos.Writer) eos.Config {
	return eos.Config{
		Group: topics.Group, Inputs: []string{topics.CustomerEvents},
		CommitInterval:  a.cfg.CommitInterval,
		MaxStaged:       a.cfg.MaxStaged,
		Watchdog:        a.cfg.Watchdog,
		Brokers:         a.kafka.Brokers,
		GroupConfig:     a.kafka.Sarama(kafka.Group),
		Writer:          w,
		NewConsumer:     clients.Consumer(kafka.Table),
		NewTopicManager: clients.TopicManager(kafka.Table, a.table.Replication),
		Bases:           a.state.bases,
		Hasher:          topics.NewHasher,
		Rows:            codecs.AccountRow{},
		Output:          output,
		PositionRow:     a.positionRow,
		OnCommit:        func(_ string, partition int32, next int64) { a.group.billing.Committed(partition, next) },
		OnRevoke:        func(partition int32) { a.group.billing.Revoked(partition) },
		OnStuck:         a.saveStacks,
		Recovery:        a.group.recovery,
		Registerer:      a.registry,
		Log:             a.log,
	}
}

// output makes a record of what the callback emits.
func output(topic, _ string, value any) (eos.Record, error) {
	r, ok := value.(*codecs.Record)
	if !ok {
		return eos.Record{}, fmt.Errorf("output to %s is a %T, want a *codecs.Record", topic, value)
	}
	if topic == topics.DeadLetters {
		failpoint.Hit("eos.dead-letter-staged")
	}
	headers := make([]eos.Header, len(r.Headers))
	for i, h := range r.Headers {
		headers[i] = eos.Header{Key: h.Key, Value: h.Value}
	}
	return eos.Record{Topic: topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: headers}, nil
}

// positionRow says in the changelog how far an input partition has been
// processed, and of which topic.
func (a *App) positionRow(m eos.PositionMark) eos.Row {
	return eos.Row{
		Key: string(topics.PositionKey(m.Partition, a.input.Partitions)),
		Value: codecs.AppendPosition(nil, &codecs.PositionRow{
			NextOffset: m.Next, RecordedAt: customer.InstantOf(m.RecordedAt), TopicID: []byte(a.input.ID),
		}),
	}
}

// keptStacks is how many files of stacks stay in the data directory.
const keptStacks = 5

// saveStacks writes what all goroutines do into the data directory, before the
// watchdog frees a partition and the trace is lost.
func (a *App) saveStacks(partition int32) {
	name := filepath.Join(a.cfg.DataDir, fmt.Sprintf("stacks-%s-partition-%d.txt", time.Now().UTC().Format("20060102T150405.000"), partition))
	buf := make([]byte, 8<<20)
	if err := os.WriteFile(name, buf[:runtime.Stack(buf, true)], 0o640); err != nil {
		a.log.Warn("stacks not saved", "err", err)
	}
	old, _ := filepath.Glob(filepath.Join(a.cfg.DataDir, "stacks-*.txt")) // the pattern is good
	for _, name := range old[:max(0, len(old)-keptStacks)] {
		if err := os.Remove(name); err != nil {
			a.log.Warn("old stacks not removed", "err", err)
		}
	}
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
	switch {
	case errors.Is(err, eos.ErrPanic):
		return becausePanic
	case errors.Is(err, eos.ErrStuck):
		return becauseStuck
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
	for _, r := range []string{"fenced", "aborted", becauseBroker, becausePanic, becauseStuck, "changelog", becauseOther} {
		restarts[r] = vec.WithLabelValues(topics.Group, r)
	}
	return restarts
}
