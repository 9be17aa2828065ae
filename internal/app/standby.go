package app

import (
	"context"
	"strconv"
	"time"

	"github.com/lovoo/goka"
	"github.com/prometheus/client_golang/prometheus"

	"billstream/internal/eos"
	"billstream/internal/kafka"
	"billstream/internal/topics"
)

// startStandby begins to follow partitions that other processes own. A view
// holds all of them anyway.
func (a *App) startStandby(context.Context) error {
	if a.cfg.standby() {
		clients := kafka.NewClients(a.kafka)
		a.started("standby clients", func(context.Context) error { return clients.Close() })
		standbys := eos.NewStandbys(eos.StandbysConfig{
			Bases:    a.state.bases,
			Recovery: eos.NewRecovery(a.recoveryConfig(eos.Standby, false)),
			Copies:   a.cfg.Standby, Strategy: goka.CopartitioningStrategy, Input: topics.CustomerEvents,
			Peers:   a.peers,
			Self:    func() string { return a.group.engine.Status().Member },
			Brokers: a.kafka.Brokers, NewConsumer: clients.Consumer(kafka.Table),
			Log: a.log,
		})
		a.background("standbys", standbys.Run)
	}
	if a.cfg.standby() || a.cfg.has(RoleView) {
		a.background("standby lag", newStandbyLag(a.registry, a.state.bases, a.admin).run)
	}
	return nil
}

// standby reports whether the process follows partitions without a view.
func (c *Config) standby() bool { return c.Standby > 0 && !c.has(RoleView) }

// peers are the members of the processor group.
func (a *App) peers(ctx context.Context) ([]eos.Peer, error) {
	members, err := a.admin.Members(ctx, topics.Group, topics.CustomerEvents)
	if err != nil {
		return nil, err
	}
	peers := make([]eos.Peer, len(members))
	for i, m := range members {
		peers[i] = eos.Peer{ID: m.ID, Partitions: m.Partitions}
	}
	return peers, nil
}

// standbyLag tells how far copies of others' partitions are behind.
type standbyLag struct {
	behind  *prometheus.GaugeVec
	copies  *eos.Bases
	offsets func(ctx context.Context, topic string) ([]kafka.PartitionOffsets, error)
}

func newStandbyLag(reg prometheus.Registerer, copies *eos.Bases, admin *kafka.AdminClient) *standbyLag {
	l := &standbyLag{copies: copies, offsets: admin.Offsets, behind: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "billstream_standby_lag_records",
		Help: "Offsets that the copy of a partition is behind the last stable one, where the marker of the last transaction counts as one; 0 of an owned one.",
	}, []string{"table", "partition"})}
	reg.MustRegister(l.behind)
	return l
}

// run measures until ctx ends.
func (l *standbyLag) run(ctx context.Context) error {
	tick := time.NewTicker(brokerEvery)
	defer tick.Stop()
	for {
		l.measure(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// measure asks the brokers first, so that what is read meanwhile never counts
// as behind. While they do not answer, the last values stay.
func (l *standbyLag) measure(ctx context.Context) {
	ends, err := l.offsets(ctx, topics.BillingTable)
	if err != nil {
		return // the broker check and the lag monitor say so
	}
	for _, end := range ends {
		if end.Partition >= l.copies.Len() {
			continue
		}
		labels := []string{topics.BillingTable, strconv.Itoa(int(end.Partition))}
		if n, ok := l.copies.At(end.Partition).Behind(end.Stable); ok {
			l.behind.WithLabelValues(labels...).Set(float64(n))
		} else {
			l.behind.DeleteLabelValues(labels...)
		}
	}
}
