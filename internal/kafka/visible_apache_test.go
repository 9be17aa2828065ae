//go:build apache

package kafka_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/kafka"
	"billstream/internal/kafkatest"
)

// TestRecoveryEndsBehindLateMarkersOfARealKafka asks for the end of a recovery
// the moment that a commit was answered: some partitions have no marker yet. An
// end at the last stable offset misses their rows, which is the control.
func TestRecoveryEndsBehindLateMarkersOfARealKafka(t *testing.T) {
	const (
		partitions = 12
		commits    = 300
	)
	table := fmt.Sprint("late-markers-", time.Now().UnixNano()) // the cluster may be used by others
	cluster := kafkatest.Apache(t, kafkatest.Options{Foreign: true})
	c := kafka.Config{Brokers: cluster.Addrs()}
	a := openAdmin(t, c)
	if made, err := kadm.NewClient(client(t, c)).CreateTopics(t.Context(), partitions, 1, nil, table); err != nil || made.Error() != nil {
		t.Fatal(err, made.Error())
	}
	t.Cleanup(func() {
		if _, err := kadm.NewClient(client(t, c)).DeleteTopics(context.WithoutCancel(t.Context()), table); err != nil {
			t.Errorf("remove %s: %v", table, err)
		}
	})
	tx := client(t, c, kgo.TransactionalID(table), kgo.RetryTimeout(30*time.Second))
	ctx := within(t, 3*time.Minute)
	var missed atomic.Int64 // ends at the last stable offset that come too early
	for n := range commits {
		want := commitEverywhere(ctx, t, tx, table, partitions, n)
		var asked sync.WaitGroup
		for p := range int32(partitions) {
			asked.Go(func() {
				if p%2 == 0 { // the control
					if end, err := a.RecoveryEnd(ctx, table, p, false, nil); err != nil || end < want[p] {
						missed.Add(1)
					}
					return
				}
				if end, err := a.RecoveryEnd(ctx, table, p, true, func(int64) {}); err != nil || end != want[p] {
					t.Errorf("commit %d: recovery of partition %d ends at %d (%v), want %d", n, p, end, err, want[p])
				}
			})
		}
		asked.Wait()
	}
	t.Logf("%d of %d ends at the last stable offset were too early", missed.Load(), commits*partitions/2)
	if missed.Load() == 0 {
		t.Errorf("no end at the last stable offset was too early in %d commits: nothing was proven", commits)
	}
}

// commitEverywhere commits a record in every partition, and returns the offsets
// behind them.
func commitEverywhere(ctx context.Context, t *testing.T, tx *kgo.Client, topic string, partitions int32, n int) []int64 {
	t.Helper()
	if err := tx.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	var records []*kgo.Record
	for p := range partitions {
		records = append(records, &kgo.Record{Topic: topic, Partition: p, Value: fmt.Append(nil, n)})
	}
	if err := tx.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := tx.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	ends := make([]int64, partitions)
	for _, r := range records {
		ends[r.Partition] = r.Offset + 1
	}
	return ends
}

// TestRecoveryOfACompactedTableOnARealKafka ends a table in markers, compacts
// it, and asks for its end: that of the last row, which compaction never takes.
func TestRecoveryOfACompactedTableOnARealKafka(t *testing.T) {
	cluster := kafkatest.Apache(t, kafkatest.Options{Config: map[string]string{"log.cleaner.backoff.ms": "200"}})
	c := kafka.Config{Brokers: cluster.Addrs()}
	a := openAdmin(t, c)
	set := func(s string) *string { return &s }
	made, err := kadm.NewClient(client(t, c)).CreateTopics(t.Context(), 1, 1, map[string]*string{
		"cleanup.policy": set("compact"), "segment.ms": set("200"), "min.cleanable.dirty.ratio": set("0.001"), "delete.retention.ms": set("0"),
	}, "compacted")
	if err != nil || made.Error() != nil {
		t.Fatal(err, made.Error())
	}
	tx := client(t, c, kgo.TransactionalID("owner"), kgo.RetryTimeout(30*time.Second))
	ctx := within(t, 2*time.Minute)
	var last int64
	write := func(end kgo.TransactionEndTry, key, value string) {
		t.Helper()
		if err := tx.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		r := &kgo.Record{Topic: "compacted", Key: []byte(key)}
		if value != "" {
			r.Value = []byte(value)
		}
		if err := tx.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := tx.EndTransaction(ctx, end); err != nil {
			t.Fatal(err)
		}
		if end == kgo.TryCommit {
			last = r.Offset
		}
	}
	for n := 0; ; n++ {
		write(kgo.TryCommit, "kept", fmt.Sprint("value ", n))
		write(kgo.TryCommit, "deleted", fmt.Sprint("value ", n))
		write(kgo.TryCommit, "deleted", "")
		write(kgo.TryCommit, "kept", fmt.Sprint("last ", n))
		write(kgo.TryAbort, "kept", "never") // the log ends in records that nobody may see, and in markers
		end, err := a.RecoveryEnd(ctx, "compacted", 0, true, func(int64) {})
		if err != nil || end != last+1 {
			t.Fatalf("end of recovery is %d (%v), want %d", end, err, last+1)
		}
		if compacted(t, c, "compacted", end) {
			t.Logf("compacted after %d rounds", n+1)
			break
		}
		if n == 400 {
			t.Fatal("log is not compacted after 400 rounds")
		}
	}
	for range 20 { // whatever the cleaner does meanwhile
		if end, err := a.RecoveryEnd(ctx, "compacted", 0, true, func(int64) {}); err != nil || end != last+1 {
			t.Fatalf("end of recovery after compaction is %d (%v), want %d", end, err, last+1)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// compacted reports whether the first row is gone.
func compacted(t *testing.T, c kafka.Config, topic string, end int64) bool {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(0)}}))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	f := cl.PollRecords(within(t, 20*time.Second), 1)
	if err := f.Err(); err != nil {
		t.Fatal(err)
	}
	return f.Records()[0].Offset > 0
}
