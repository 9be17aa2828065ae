package eos_test

import (
	"context"
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"billstream/internal/eos"
)

// TestAStandbyLeavesOnlyTheTailToRecover lets a member die whose partitions
// another one has followed, or, as a control, has not.
func TestAStandbyLeavesOnlyTheTailToRecover(t *testing.T) {
	t.Parallel()
	for name, copies := range map[string]int{"one copy": 1, "no copies": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 4)
			want := map[int32]map[string]string{0: {}, 1: {}, 2: {}, 3: {}}
			add := func(n int) {
				for i := range n {
					k := "key-" + strconv.Itoa(i%40)
					w.produce(k)
					rows := want[masked(k, 4)]
					was, _ := strconv.Atoi(rows[k])
					rows[k] = strconv.Itoa(was + 1)
				}
			}
			first := w.member(func(m *member) { m.instance = "a" })
			second := w.member(func(m *member) { m.instance, m.standby = "b", true })
			w.standbys(second, copies)
			stop, leave := first.start(), second.start()
			eventually(t, "both have partitions", func() bool {
				a, b := first.engine.Status(), second.engine.Status()
				return a.Running && b.Running && len(a.Partitions) == 2 && len(b.Partitions) == 2
			})
			add(200)
			eventually(t, "everything is committed", w.caughtUp)
			theirs := first.engine.Status().Partitions
			for _, n := range theirs {
				eventually(t, "followed partitions have their rows", func() bool {
					return copies == 0 || second.bases.At(n).Whole() && maps.Equal(contents(second.bases.At(n)), want[n])
				})
			}
			const read = `billstream_recovery_records_total{role="active",source="changelog",table="sum-table"}`
			before := samples(t, second.registry)[read]
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			w.leave("a")
			eventually(t, "one has all partitions", func() bool { s := second.engine.Status(); return s.Running && len(s.Partitions) == 4 })
			rows := samples(t, second.registry)[read] - before
			if copies > 0 && rows > 0 || copies == 0 && rows == 0 {
				t.Errorf("%v rows are read when %v are taken over, want some only without copies", rows, theirs)
			}
			add(100)
			eventually(t, "everything is committed", w.caughtUp)
			for n, rows := range want {
				eventually(t, "rows are those of all events", func() bool { return maps.Equal(contents(second.bases.At(n)), rows) })
			}
			if err := leave(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// standbys follows partitions for a member until the test ends.
func (w *world) standbys(m *member, copies int) {
	w.t.Helper()
	s := eos.NewStandbys(eos.StandbysConfig{
		Bases:    m.bases,
		Recovery: eos.NewRecovery(eos.RecoveryConfig{Table: tableTopic, Role: eos.Standby, Registerer: newRegistry(), Log: quiet(w.t), Start: w.start, End: w.end}),
		Copies:   copies, Strategy: goka.CopartitioningStrategy, Input: input,
		Peers: w.peers, Self: func() string { return m.engine.Status().Member },
		Brokers: brokersOf(w.cluster), NewConsumer: m.consumer,
		Every: 50 * time.Millisecond, Log: quiet(w.t),
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("Run returned %v, want nil", err)
		}
	})
}

// peers are the members of the group.
func (w *world) peers(context.Context) ([]eos.Peer, error) {
	admin, err := sarama.NewClusterAdminFromClient(w.client)
	if err != nil {
		return nil, err
	}
	groups, err := admin.DescribeConsumerGroups([]string{groupName})
	if err != nil {
		return nil, err
	}
	var peers []eos.Peer
	for id, m := range groups[0].Members {
		assigned, err := m.GetMemberAssignment()
		if err != nil {
			return nil, err
		}
		if assigned == nil {
			continue
		}
		peers = append(peers, eos.Peer{ID: id, Partitions: assigned.Topics[input]})
	}
	return peers, nil
}

// leave takes a static member out of the group.
func (w *world) leave(instance string) {
	w.t.Helper()
	admin, err := sarama.NewClusterAdminFromClient(w.client)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := admin.RemoveMemberFromConsumerGroup(groupName, []string{instance}); err != nil {
		w.t.Fatal(err)
	}
}
