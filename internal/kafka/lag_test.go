package kafka_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/kafka"
	"billstream/internal/topics"
)

func TestLagMonitorGoesOnAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fetched, failed := 0, 0
		var published []int64
		m := &kafka.LagMonitor{
			Every: 10 * time.Second,
			Fetch: func(context.Context) (kafka.Lag, error) {
				if fetched++; fetched == 2 {
					return kafka.Lag{}, errors.New("broker is away")
				}
				return kafka.Lag{At: time.Now(), Partitions: []kafka.PartitionLag{{Records: int64(fetched)}}}, nil
			},
			Publish: func(l kafka.Lag) { published = append(published, l.Partitions[0].Records) },
			Failed:  func() { failed++ },
			Log:     testLog(t),
		}
		if !m.Last().At.IsZero() {
			t.Errorf("last before the first refresh is of %v, want zero", m.Last().At)
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
		defer cancel()
		if err := m.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if failed != 1 || len(published) != 2 || published[0] != 1 || published[1] != 3 {
			t.Errorf("published %v with %d failures, want [1 3] with 1", published, failed)
		}
		if last := m.Last(); last.Partitions[0].Records != 3 || last.At.Sub(began) != 20*time.Second {
			t.Errorf("last is %+v after %v, want the third after 20s", last, last.At.Sub(began))
		}
	})
}

func TestLagMonitorMeasures(t *testing.T) {
	t.Parallel()
	cluster, c := fake(t, topics.CustomerEvents, topics.BillingTable)
	a := openAdmin(t, c)
	plain := client(t, c)
	minuteAgo := time.Now().Add(-time.Minute)
	old := func(partition int32, values ...string) {
		t.Helper()
		for _, v := range values {
			r := &kgo.Record{Topic: topics.CustomerEvents, Partition: partition, Value: []byte(v), Timestamp: minuteAgo}
			if err := plain.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Partition 0 has two of five behind it, 1 is caught up but for a marker,
	// 2 was never read.
	old(0, "a", "b", "c", "d", "e")
	transaction(t, client(t, c, kgo.TransactionalID("x")), topics.CustomerEvents, 1, kgo.TryCommit, "a")
	old(2, "a", "b", "c")
	if err := cluster.DeleteRecords(topics.CustomerEvents, 2, 1); err != nil {
		t.Fatal(err)
	}
	commit(t, c, topics.Group, topics.CustomerEvents, map[int32]int64{0: 2, 1: 1})

	var fetches atomic.Int64
	cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		fetches.Add(1)
		return nil, nil, false
	})
	reg := prometheus.NewPedanticRegistry()
	m := kafka.NewLagMonitor(a, kafka.LagOptions{
		Group: topics.Group, Topic: topics.CustomerEvents,
		Counts: []string{topics.CustomerEvents, topics.BillingTable}, Log: testLog(t),
	}, reg)
	lag, err := m.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []kafka.PartitionLag{
		{Partition: 0, Committed: 2, Stable: 5, Records: 3},
		{Partition: 1, Committed: 1, Stable: 2, Records: 1}, // the marker
		{Partition: 2, Committed: -1, Oldest: 1, Stable: 3, Records: 2},
	}
	ages := []bool{true, false, true}
	for i, got := range lag.Partitions {
		if old := got.Age >= time.Minute && got.Age < 2*time.Minute; old != ages[i] || !old && got.Age != 0 {
			t.Errorf("age in partition %d is %v, want a minute: %v", i, got.Age, ages[i])
		}
		got.Age = 0
		if got != want[i] {
			t.Errorf("lag is %+v, want %+v", got, want[i])
		}
	}
	// The first record is fetched once per committed offset; that there is none
	// is asked again.
	before := fetches.Load()
	if _, err := m.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := fetches.Load() - before; got > 2 {
		t.Errorf("fetches of the second refresh are %d, want at most 2, for the marker", got)
	}
	commit(t, c, topics.Group, topics.CustomerEvents, map[int32]int64{0: 5})
	if lag, err = m.Fetch(t.Context()); err != nil || lag.Partitions[0].Records != 0 || lag.Partitions[0].Age != 0 {
		t.Errorf("lag after the commit is %+v (%v), want none", lag.Partitions[0], err)
	}
}

func TestLagMonitorMeasuresOpenTransactions(t *testing.T) {
	t.Parallel()
	_, c := fake(t, topics.CustomerEvents, topics.BillingTable)
	a := openAdmin(t, c)
	produce(t, client(t, c), topics.CustomerEvents, 0, "a")
	w := client(t, c, kgo.TransactionalID("x"))
	transaction(t, w, topics.BillingTable, 1, kgo.TryCommit, "a", "b")
	if err := w.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, w, topics.CustomerEvents, 0, "b", "c")
	produce(t, w, topics.BillingTable, 1, "c", "d", "e")
	reg := prometheus.NewPedanticRegistry()
	m := kafka.NewLagMonitor(a, kafka.LagOptions{
		Group: topics.Group, Topic: topics.CustomerEvents,
		Open: []string{topics.CustomerEvents, topics.BillingTable}, Log: testLog(t),
	}, reg)
	shows := func(when string, events, table int64) {
		t.Helper()
		lag, err := m.Fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]map[int32]int64{
			topics.CustomerEvents: {0: events, 1: 0, 2: 0},
			topics.BillingTable:   {0: 0, 1: table, 2: 0},
		}
		if !reflect.DeepEqual(lag.Open, want) {
			t.Errorf("open %s is %v, want %v", when, lag.Open, want)
		}
		m.Publish(lag)
	}
	shows("within a transaction", 2, 3)
	want := `
# HELP billstream_open_transaction_records Offsets from the last stable one to the high watermark: what waits for a transaction to end.
# TYPE billstream_open_transaction_records gauge
billstream_open_transaction_records{partition="0",topic="billing-table"} 0
billstream_open_transaction_records{partition="1",topic="billing-table"} 3
billstream_open_transaction_records{partition="2",topic="billing-table"} 0
billstream_open_transaction_records{partition="0",topic="customer.events"} 2
billstream_open_transaction_records{partition="1",topic="customer.events"} 0
billstream_open_transaction_records{partition="2",topic="customer.events"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "billstream_open_transaction_records"); err != nil {
		t.Error(err)
	}
	if err := w.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	shows("after its end", 0, 0)
}

func TestLagMonitorPublishes(t *testing.T) {
	t.Parallel()
	cluster, c := fake(t, topics.CustomerEvents)
	a := openAdmin(t, c)
	plain := client(t, c)
	produce(t, plain, topics.CustomerEvents, 0, "a", "b", "c")
	produce(t, plain, topics.CustomerEvents, 1, "a")
	commit(t, c, topics.Group, topics.CustomerEvents, map[int32]int64{0: 2, 1: 1})
	reg := prometheus.NewPedanticRegistry()
	m := kafka.NewLagMonitor(a, kafka.LagOptions{
		Group: topics.Group, Topic: topics.CustomerEvents, Counts: []string{topics.CustomerEvents}, Log: testLog(t),
	}, reg)
	refresh := func() {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		publish, failed := m.Publish, m.Failed
		m.Publish = func(l kafka.Lag) { publish(l); cancel() }
		m.Failed = func() { failed(); cancel() }
		if err := m.Run(ctx); err != nil {
			t.Fatal(err)
		}
		m.Publish, m.Failed = publish, failed
	}
	h := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.GroupAuthorizationFailed, Count: 1})
	refresh()
	h.Remove()
	refresh()
	want := `
# HELP billstream_committed_offset Next offset that the group will read, from its coordinator.
# TYPE billstream_committed_offset gauge
billstream_committed_offset{group="billing",partition="0",topic="customer.events"} 2
billstream_committed_offset{group="billing",partition="1",topic="customer.events"} 1
# HELP billstream_consumer_lag_records Offsets from the committed one to the last stable one; markers of transactions count.
# TYPE billstream_consumer_lag_records gauge
billstream_consumer_lag_records{group="billing",partition="0",topic="customer.events"} 1
billstream_consumer_lag_records{group="billing",partition="1",topic="customer.events"} 0
billstream_consumer_lag_records{group="billing",partition="2",topic="customer.events"} 0
# HELP billstream_lag_refreshes_total Refreshes of the lag, by result.
# TYPE billstream_lag_refreshes_total counter
billstream_lag_refreshes_total{result="error"} 1
billstream_lag_refreshes_total{result="ok"} 1
# HELP billstream_last_stable_offset First offset of the oldest open transaction, else the end of the partition.
# TYPE billstream_last_stable_offset gauge
billstream_last_stable_offset{partition="0",topic="customer.events"} 3
billstream_last_stable_offset{partition="1",topic="customer.events"} 1
billstream_last_stable_offset{partition="2",topic="customer.events"} 0
# HELP billstream_topic_partitions Partitions of the topic.
# TYPE billstream_topic_partitions gauge
billstream_topic_partitions{topic="customer.events"} 3
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "billstream_committed_offset", "billstream_consumer_lag_records",
		"billstream_lag_refreshes_total", "billstream_last_stable_offset", "billstream_topic_partitions"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"billstream_consumer_lag_seconds", "billstream_lag_refresh_timestamp_seconds"} {
		if n, err := testutil.GatherAndCount(reg, name); err != nil || n == 0 {
			t.Errorf("series of %s are %d (%v), want some", name, n, err)
		}
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint says %v %v, want nothing", problems, err)
	}
}
