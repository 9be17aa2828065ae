package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lovoo/goka"

	"billstream/internal/billing"
	"billstream/internal/eos"
	"billstream/internal/kafka"
	"billstream/internal/topics"
	"billstream/views"

	"billstream/codecs"
)

// view is what answers lookups from all accounts. goka keeps them up to date;
// readers go past goka, to the bases.
type view struct {
	kafka       kafka.Config
	replication int16
	bases       *eos.Bases
	lost        chan struct{} // a base must be recovered anew
	ended       chan struct{} // closed once the view is about to end
	recovery    *eos.Recovery
	log         *slog.Logger
}

// startView builds the view, lets lookups in and follows the changelog.
func (a *App) startView(context.Context) error {
	if !a.cfg.has(RoleView) {
		return nil
	}
	a.view = &view{
		kafka: a.kafka, replication: a.table.Replication, log: a.log,
		bases:    a.state.bases,
		lost:     a.state.lost,
		ended:    make(chan struct{}),
		recovery: eos.NewRecovery(a.recoveryConfig(eos.View, false)),
	}
	if err := a.openLookups(); err != nil {
		return err
	}
	a.background("view", a.view.run)
	return nil
}

// recoveryConfig is what the recoveries of the group table and of the view have
// in common. Only the owner of a table must wait for open transactions: a view
// may trail.
func (a *App) recoveryConfig(role eos.Role, waitStable bool) eos.RecoveryConfig {
	return eos.RecoveryConfig{
		Table: topics.BillingTable, Role: role,
		Start: a.admin.Oldest,
		End: func(ctx context.Context, topic string, partition int32, blocked func(int64)) (int64, error) {
			return a.admin.RecoveryEnd(ctx, topic, partition, waitStable, blocked)
		},
		CheckRow:   a.checkRow,
		CheckEnd:   a.checkTopicID,
		OnRefused:  func(err error) { a.fail("recovery", err) },
		Registerer: a.registry,
		Log:        a.log,
	}
}

// checkRow refuses a row where its key does not belong, which tells that the
// topics were grown: its customer would begin anew in another partition. And it
// refuses rows of a later version of the program: going on would write rows
// that lack what it knows.
func (a *App) checkRow(partition int32, key string, value []byte) error {
	n := a.input.Partitions
	if want := topics.Partition([]byte(key), n); want != partition {
		return &eos.RefusedError{
			Err: fmt.Errorf("a row of partition %d of %s belongs to partition %d of %d, want the partition count that the rows were written with",
				partition, topics.BillingTable, want, n),
			Advice: grownAdvice,
		}
	}
	format, err := codecs.RowFormat(value)
	if err != nil {
		return fmt.Errorf("read the format of a row: %w", err)
	}
	if format > billing.RowFormat {
		return fmt.Errorf("row format is %d, want at most %d, which this version knows", format, billing.RowFormat)
	}
	return nil
}

// checkTopicID refuses state that was built from another life of the input
// topic: its offsets count from 0 again, and every event would look replayed.
func (a *App) checkTopicID(partition int32, get func(string) ([]byte, error)) error {
	if n := a.input.Partitions; partition >= n {
		return grown(partition+1, n)
	}
	value, err := get(string(topics.PositionKey(partition, a.input.Partitions)))
	if err != nil || value == nil {
		return err
	}
	p, err := codecs.ParsePosition(value)
	if err != nil {
		return fmt.Errorf("read the position row of partition %d: %w", partition, err)
	}
	if got := string(p.TopicID); got != a.input.ID && a.input.ID != "" {
		return &eos.RefusedError{
			Err:    fmt.Errorf("topic %s was recreated under our state: its id is %s, want %s", topics.CustomerEvents, a.input.ID, got),
			Advice: "delete and make anew all four topics, or restore the events topic",
		}
	}
	return nil
}

// grownAdvice says what to do about topics that were grown.
const grownAdvice = "partition counts are frozen: make all four topics anew with the wanted count, and send the events again"

// grown refuses to go on with more partitions than the process started with:
// most customers would begin anew in another partition.
func grown(got, want int32) error {
	return &eos.RefusedError{
		Err:    fmt.Errorf("topic %s: partitions is %d, want %d as at the start", topics.CustomerEvents, got, want),
		Advice: grownAdvice,
	}
}

// openLookups exchanges the early handler of the data listener for the real one.
func (a *App) openLookups() error {
	c := views.Config{
		Partitions:  a.input.Partitions,
		Partition:   a.state.rows,
		Ready:       a.view.ready,
		Changed:     a.state.moved.Next,
		Closing:     a.view.ended,
		Draining:    a.closing.Load,
		MaxInflight: a.cfg.MaxInflight,
		Metrics:     a.httpMetrics,
		Log:         a.log,
	}
	if a.httpEvents != nil {
		c.Emit = a.httpEvents.write
	}
	h, err := views.New(c)
	if err != nil {
		return err
	}
	a.handler.set(h)
	return nil
}

// ready reports whether lookups may read a partition: a base that its processor
// keeps up to date needs no view.
func (v *view) ready(partition int32) (remaining int64, ok bool) {
	if v.bases.At(partition).Whole() {
		return 0, true
	}
	remaining, _ = v.recovery.Ready(partition)
	return remaining, false
}

// run follows the changelog until ctx ends. goka's view reconnects by itself;
// what ends it anyway, such as brokers that are away while it is built, is
// tried again. A refused table is reported by the recovery.
//
// With ctx end the waits for positions: after the group's last commit, which may
// be what they wait for, and before the listener, which waits for its requests.
func (v *view) run(ctx context.Context) error {
	context.AfterFunc(ctx, func() { close(v.ended) })
	pause := pauses{first: 100 * time.Millisecond, last: 5 * time.Second}
	for {
		began := time.Now()
		err := v.once(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case v.recovery.Refused() != nil:
			return v.recovery.Refused()
		case time.Since(began) > time.Minute:
			pause.reset()
		}
		v.log.Warn("view ended, starting it again", "err", fmt.Sprintf("%T", errors.Unwrap(err)))
		if !pause.wait(ctx) {
			return nil
		}
	}
}

// once runs one goka view, until a base is lost; the clients that goka leaves
// open are closed here.
func (v *view) once(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-v.lost:
			cancel()
		case <-ctx.Done():
		}
	}()
	clients := kafka.NewClients(v.kafka)
	defer clients.Close()
	account := views.Accounts(topics.NewHasher)
	options := append(account.Options, v.bases.ViewOptions(ctx, v.recovery, clients.TopicManager(kafka.View, v.replication))...)
	options = append(options,
		goka.WithViewConsumerSaramaBuilder(clients.Consumer(kafka.View)),
		goka.WithViewLogger(quiet(v.log)),
	)
	g, err := goka.NewView(v.kafka.Brokers, account.Table, account.Codec, options...)
	if err != nil {
		return fmt.Errorf("build the view: %w", err)
	}
	return g.Run(ctx)
}

// quiet sends goka's log lines to debug: they hold customer ids, so their text
// is left out.
func quiet(log *slog.Logger) goka.Logger { return &gokaLog{log} }

type gokaLog struct{ log *slog.Logger }

// Print notes that goka said something.
func (g *gokaLog) Print(...any) { g.log.Debug("goka") }

// Println notes that goka said something.
func (g *gokaLog) Println(...any) { g.log.Debug("goka") }

// Printf notes goka's constant text.
func (g *gokaLog) Printf(format string, _ ...any) { g.log.Debug("goka", "text", format) }
