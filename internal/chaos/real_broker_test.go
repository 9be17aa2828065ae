//go:build apache

package chaos_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"billstream/internal/kafkatest"
	"billstream/internal/topics"
)

// heals is how soon after a heal the group must have caught up.
const heals = 30 * time.Second

// TestRealBrokersFail bounces, freezes and kills brokers under load. No worker
// ever ends, and the group catches up after each.
func TestRealBrokersFail(t *testing.T) {
	l := newRealLab(t).patient()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		l.produce(1<<30, 500, stop)
	}()
	end := sync.OnceFunc(func() { close(stop); <-done })
	t.Cleanup(end) // a failure must not go on writing into the topics of the next test
	workers := []*worker{l.run("w0"), l.run("w1")}
	for _, w := range workers {
		w.ready()
	}
	healed := func(what string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if err := shared.cluster.Ready(ctx); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		took := l.caughtUp(heals)
		l.alive(what, workers...)
		table.add("Healed: %s\t\t\t\t\t\t\t\t\t\t%.1fs\tat most %v", what, took.Seconds(), heals)
	}
	victims := []string{"leader", "transactions", "group", "leader"}
	for i := range scaled(4) {
		what := victims[i%len(victims)]
		b := l.victim(what, i)
		end, how := (*kafkatest.Broker).Stop, "clean"
		if i%2 == 1 {
			end, how = (*kafkatest.Broker).Kill, "hard"
		}
		l.do(end, b)
		<-time.After(l.around(3 * time.Second))
		l.do((*kafkatest.Broker).Start, b)
		healed(fmt.Sprintf("%s bounce of the %s's broker", how, what))
	}

	b := l.victim("transactions", 0)
	l.do((*kafkatest.Broker).Pause, b)
	<-time.After(20 * time.Second)
	l.do((*kafkatest.Broker).Resume, b)
	healed("broker frozen for 20 s")

	for _, b := range shared.cluster.Brokers() { // a rolling restart
		l.do((*kafkatest.Broker).Stop, b)
		l.do((*kafkatest.Broker).Start, b)
		healed(fmt.Sprintf("restart of broker %d of 3", b.ID()))
	}

	for _, b := range shared.cluster.Brokers() {
		l.do((*kafkatest.Broker).Kill, b)
	}
	<-time.After(30 * time.Second)
	for _, b := range shared.cluster.Brokers() {
		l.do((*kafkatest.Broker).Start, b)
	}
	healed("all brokers down for 30 s")

	end()
	l.finish(t.Name(), 45*time.Second)
}

// TestRealStartWithABrokerDown starts a worker while one of three brokers is
// down: the first in its list.
func TestRealStartWithABrokerDown(t *testing.T) {
	l := newRealLab(t).patient()
	b := shared.cluster.Broker(1)
	l.do((*kafkatest.Broker).Kill, b)
	t.Cleanup(func() {
		if b.PID() == 0 { // a failure must not leave the next test with two
			_ = b.Start()
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			_ = shared.cluster.Ready(ctx)
		}
	})
	began := time.Now()
	w := l.run("w0")
	w.ready()
	table.add("Start with one broker of three down\t\t\t\t\t\t\t\t\t\t%.1fs\tready", time.Since(began).Seconds())
	l.load(2000, 500)()
	l.caughtUp(heals)
	l.do((*kafkatest.Broker).Start, b)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := shared.cluster.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	l.alive("the broker is back", w)
	l.finish(t.Name(), 45*time.Second)
}

// do does something to a broker, which is a fault, or the end of one.
func (l *lab) do(what func(*kafkatest.Broker) error, b *kafkatest.Broker) {
	l.t.Helper()
	if err := what(b); err != nil {
		l.t.Fatal(err)
	}
	l.fault()
}

// victim is the broker that matters now: the leader of a table's partition, the
// coordinator of a worker's transactions, or that of the group.
func (l *lab) victim(of string, n int) *kafkatest.Broker {
	l.t.Helper()
	a := l.admin()
	node := int32(-1)
	l.eventually(20*time.Second, "the "+of+"'s broker is known", func(ctx context.Context) error {
		switch of {
		case "leader":
			all, err := a.ListTopics(ctx, topics.BillingTable)
			if err != nil {
				return err
			}
			if node = all[topics.BillingTable].Partitions[int32(n%partitions)].Leader; node < 0 {
				return fmt.Errorf("partition %d has no leader", n%partitions)
			}
			return nil
		case "group":
			return coordinator(a.FindGroupCoordinators(ctx, topics.Group), topics.Group, &node)
		default:
			id := topics.Group + "-w0"
			return coordinator(a.FindTxnCoordinators(ctx, id), id, &node)
		}
	})
	return shared.cluster.Broker(int(node))
}

func coordinator(found kadm.FindCoordinatorResponses, name string, node *int32) error {
	f := found[name]
	*node = f.NodeID
	return f.Err
}

// TestRealPebble kills workers that keep their rows in a database, and one while
// a broker is away that was killed as well.
func TestRealPebble(t *testing.T) {
	l := newRealLab(t).patient()
	l.store = "pebble"
	ids := names(2)
	done := l.load(scaled(9_000), 400)
	l.killing(scaled(4), 1500*time.Millisecond, ids)
	b := l.victim("leader", 0)
	l.do((*kafkatest.Broker).Kill, b)
	l.killing(scaled(2), 1500*time.Millisecond, []string{"w2"})
	l.do((*kafkatest.Broker).Start, b)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := shared.cluster.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	l.killing(scaled(2), 1500*time.Millisecond, []string{"w3"})
	done()
	l.caughtUp(heals)
	l.finish(t.Name(), 45*time.Second)
}
