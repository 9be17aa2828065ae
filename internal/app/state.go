package app

import (
	"context"
	"errors"
	"time"

	"billstream/internal/eos"
	"billstream/internal/kafka"
	"billstream/internal/store"
	"billstream/internal/topics"
	"billstream/views"
)

// tableState is the group table in this process: what the processor owns and
// what the view follows, each partition once.
type tableState struct {
	bases *eos.Bases
	moved *store.Changes
	lost  chan struct{} // tells the view that a base must be recovered anew
}

// openState makes the bases. They are filled by the first role that needs them.
func (a *App) openState(context.Context) error {
	clients := kafka.NewClients(a.kafka)
	a.started("state clients", func(context.Context) error { return clients.Close() })
	s := &tableState{moved: store.NewChanges(a.input.Partitions), lost: make(chan struct{}, 1)}
	s.bases = eos.NewBases(eos.BasesConfig{
		Table: topics.BillingTable, Partitions: a.input.Partitions,
		Open: s.open, Reset: s.reset,
		Followed:    a.cfg.has(RoleView),
		Grown:       func(n int32) error { return grown(n, a.input.Partitions) },
		OnRows:      s.moved.Announce,
		OnLost:      s.startOver,
		Brokers:     a.kafka.Brokers,
		NewConsumer: clients.Consumer(kafka.Table),
	})
	a.state = s
	a.started("state reader", func(context.Context) error { return s.bases.Close() })
	return nil
}

// open returns the store of a partition as an earlier process has left it.
func (s *tableState) open(_ context.Context, _ int32) (eos.Store, int64, time.Time, error) {
	return store.NewArena(), 0, time.Time{}, nil
}

// reset returns an empty store.
func (s *tableState) reset(int32) (eos.Store, error) { return store.NewArena(), nil }

// startOver lets the view begin again.
func (s *tableState) startOver() {
	select {
	case s.lost <- struct{}{}:
	default: // it is told already
	}
}

// rows returns a partition as lookups want it.
func (s *tableState) rows(partition int32) views.Partition {
	r, _ := s.bases.At(partition).Rows().(ordered) // nil before the first recovery began: nobody reads it then
	return rows{r}
}

// ordered is a store that lookups can read.
type ordered interface {
	Get(key string) ([]byte, error)
	Ascend(from string, yield func(key string, value []byte) bool) error
}

// rows is a partition's store as lookups want it.
type rows struct{ ordered }

var errNotOpen = errors.New("store is not open, want a recovered partition")

// Get returns the row of key.
func (r rows) Get(key string) ([]byte, bool, error) {
	if r.ordered == nil {
		return nil, false, errNotOpen
	}
	v, err := r.ordered.Get(key)
	return v, v != nil, err
}

// Ascend walks the rows in the order of their keys.
func (r rows) Ascend(from string, yield func(key string, value []byte) bool) error {
	if r.ordered == nil {
		return errNotOpen
	}
	return r.ordered.Ascend(from, yield)
}
