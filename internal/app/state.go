package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"billstream/internal/eos"
	"billstream/internal/kafka"
	"billstream/internal/store"
	"billstream/internal/topics"
	"billstream/views"
)

// maxStateAge is how old state on disk may be that is continued: half of the
// time for which Kafka keeps the tombstones of a compacted topic by default.
const maxStateAge = 12 * time.Hour

// tableState is the group table in this process: what the processor owns and
// what the view follows, each partition once.
type tableState struct {
	bases *eos.Bases
	keep  keeper
	moved *store.Changes
	lost  chan struct{} // tells the view that a base must be recovered anew
	whole chan struct{} // tells the keeper that a recovery has ended
}

// keeper keeps the rows of the partitions, beyond the life of the process if it
// can.
type keeper interface {
	// open returns a partition as it was left, as eos.BasesConfig.Open does.
	open(ctx context.Context, partition int32) (s eos.Store, bound int64, at time.Time, err error)
	// reset returns an empty partition.
	reset(partition int32) (eos.Store, error)
	// save makes durable what is whole.
	save(ctx context.Context, bases *eos.Bases)
	// err says why it cannot save, nil if it can. An *store.UnusableError means
	// that what is there is lost: another process must begin anew, and will.
	err() error
	close() error
}

// openState makes the bases. They are filled by the first role that needs them.
func (a *App) openState(ctx context.Context) error {
	k, err := a.openKeeper(ctx)
	if err != nil {
		return err
	}
	a.started("state", func(context.Context) error { return k.close() })
	clients := kafka.NewClients(a.kafka)
	a.started("state clients", func(context.Context) error { return clients.Close() })
	s := &tableState{keep: k, moved: store.NewChanges(a.input.Partitions), lost: make(chan struct{}, 1), whole: make(chan struct{}, 1)}
	s.bases = eos.NewBases(eos.BasesConfig{
		Table: topics.BillingTable, Partitions: a.input.Partitions,
		Open: k.open, Reset: k.reset, MaxAge: maxStateAge,
		Followed:    a.cfg.has(RoleView),
		Standby:     a.cfg.standby(),
		Grown:       func(n int32) error { return grown(n, a.input.Partitions) },
		OnRows:      s.moved.Announce,
		OnWhole:     s.recovered,
		OnLost:      s.startOver,
		Brokers:     a.kafka.Brokers,
		NewConsumer: clients.Consumer(kafka.Table),
	})
	a.state = s
	a.registry.MustRegister(newStateMetrics(s.bases, k, a.cfg.DataDir))
	a.started("state reader", func(context.Context) error { return s.bases.Close() })
	a.background("saved state", func(ctx context.Context) error { a.keepState(ctx, k); return nil })
	return nil
}

// origin says where the rows of this process are from.
func (a *App) origin(ctx context.Context) (store.Origin, error) {
	cluster, err := a.admin.ClusterID(ctx)
	if err != nil {
		return store.Origin{}, fmt.Errorf("ask for the cluster's id: %w", err)
	}
	return store.Origin{Cluster: cluster, Topic: topics.BillingTable, TopicID: a.table.ID, Partitions: a.input.Partitions}, nil
}

// lastSave is how long saving may take at a stop. A process that has more to
// write starts from what it saved before.
const lastSave = 2 * time.Second

// saveAgain is the pause before state that could not be saved is saved again.
const saveAgain = 5 * time.Second

// keepState saves the state from time to time, and once more when ctx ends. It
// is started before the roles, and so stopped behind them.
func (a *App) keepState(ctx context.Context, k keeper) {
	for {
		pause := a.cfg.SnapshotInterval
		if k.err() != nil {
			pause = min(pause, saveAgain)
		}
		select {
		case <-time.After(pause):
			k.save(ctx, a.state.bases)
		case <-a.state.whole:
			if d, ok := k.(*disk); ok && d.unsaved(a.state.bases) {
				k.save(ctx, a.state.bases)
			}
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.Background(), lastSave)
			defer cancel()
			k.save(last, a.state.bases)
			return
		}
	}
}

// storeWorks is the check of the state's files.
func (a *App) storeWorks() (bool, string) {
	if !a.built.Load() {
		return true, ""
	}
	err := a.state.keep.err()
	if err == nil {
		return true, ""
	}
	if u, ok := errors.AsType[*store.UnusableError](err); ok {
		a.fail("state", fmt.Errorf("%w; the next start builds it from the changelog", u))
	}
	return false, err.Error()
}

// recovered lets the keeper know that there is something new to keep.
func (s *tableState) recovered(int32) {
	select {
	case s.whole <- struct{}{}:
	default: // it is told already
	}
}

// startOver lets the view begin again.
func (s *tableState) startOver() {
	select {
	case s.lost <- struct{}{}:
	default: // it is told already
	}
}

// rows returns a partition as lookups want it.
func (s *tableState) rows(partition int32) views.Partition {
	base := s.bases.At(partition)
	r, _ := base.Rows().(ordered) // nil before the first recovery began: nobody reads it then
	return rows{r, base}
}

// ordered is a store that lookups can read.
type ordered interface {
	Get(key string) ([]byte, error)
	Ascend(from string, yield func(key string, value []byte) bool) error
}

// rows is a partition's store as lookups want it. A database that is emptied is
// emptied under its readers: what they did not find there says nothing.
type rows struct {
	ordered
	base *eos.Base
}

var errNotWhole = errors.New("store is not whole, want a recovered partition")

// Get returns the row of key.
func (r rows) Get(key string) ([]byte, bool, error) {
	if r.ordered == nil {
		return nil, false, errNotWhole
	}
	v, err := r.ordered.Get(key)
	if err == nil && v == nil && !r.base.Whole() {
		err = errNotWhole
	}
	return v, v != nil, err
}

// Ascend walks the rows in the order of their keys.
func (r rows) Ascend(from string, yield func(key string, value []byte) bool) error {
	if r.ordered == nil {
		return errNotWhole
	}
	err := r.ordered.Ascend(from, yield)
	if err == nil && !r.base.Whole() {
		err = errNotWhole
	}
	return err
}
