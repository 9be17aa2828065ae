package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/kafka"
)

// logs fills a partition; the last visible record is known for each end.
func TestLastVisible(t *testing.T) {
	t.Parallel()
	cluster, c := fake(t, "t")
	a := openAdmin(t, c)
	plain := client(t, c)
	tx := client(t, c, kgo.TransactionalID("x"))

	// 0 1 plain, 2 3 committed, 4 marker, 5 6 aborted, 7 marker, 8 plain,
	// 9 committed by who has aborted before, 10 marker
	produce(t, plain, "t", 0, "a", "b")
	transaction(t, tx, "t", 0, kgo.TryCommit, "c", "d")
	transaction(t, tx, "t", 0, kgo.TryAbort, "e", "f")
	produce(t, plain, "t", 0, "g")
	transaction(t, tx, "t", 0, kgo.TryCommit, "h")
	if got := cluster.PartitionInfo("t", 0).HighWatermark; got != 11 {
		t.Fatalf("end of the partition is %d, want 11", got)
	}
	for below, want := range map[int64]int64{11: 9, 10: 9, 9: 8, 8: 3, 7: 3, 6: 3, 5: 3, 4: 3, 3: 2, 1: 0} {
		if got, ok, err := a.LastVisible(t.Context(), "t", 0, below); err != nil || !ok || got != want {
			t.Errorf("last visible below %d is %d, %v (%v), want %d", below, got, ok, err, want)
		}
	}
	if got, ok, err := a.LastVisible(t.Context(), "t", 0, 0); err != nil || ok {
		t.Errorf("last visible below 0 is %d, %v (%v), want none", got, ok, err)
	}
	// Nothing but an aborted transaction.
	transaction(t, tx, "t", 1, kgo.TryAbort, "x", "y")
	if got, ok, err := a.LastVisible(t.Context(), "t", 1, 3); err != nil || ok {
		t.Errorf("last visible of what was aborted is %d, %v (%v), want none", got, ok, err)
	}
	if end, err := a.RecoveryEnd(t.Context(), "t", 1, true, func(int64) {}); err != nil || end != 0 {
		t.Errorf("recovery end of what was aborted is %d (%v), want 0", end, err)
	}
}

// The search goes on beyond its first window, and past aborted transactions that
// begin before a window and end in it.
func TestLastVisibleLooksFurtherBack(t *testing.T) {
	t.Parallel()
	_, c := fake(t, "t")
	a := openAdmin(t, c)
	produce(t, client(t, c), "t", 0, "first", "second")
	tx := client(t, c, kgo.TransactionalID("x"))
	values := make([]string, 700)
	for i := range values {
		values[i] = fmt.Sprint(i)
	}
	for range 2 {
		transaction(t, tx, "t", 0, kgo.TryAbort, values...)
	}
	end := int64(2 + 2*701)
	if got, ok, err := a.LastVisible(t.Context(), "t", 0, end); err != nil || !ok || got != 1 {
		t.Errorf("last visible is %d, %v (%v), want 1", got, ok, err)
	}
	if got, err := a.RecoveryEnd(t.Context(), "t", 0, true, func(int64) {}); err != nil || got != 2 {
		t.Errorf("recovery end is %d (%v), want 2", got, err)
	}
}

func TestRecoveryEndOfAnEmptyPartitionIsItsStart(t *testing.T) {
	t.Parallel()
	cluster, c := fake(t, "t")
	a := openAdmin(t, c)
	produce(t, client(t, c), "t", 0, "a", "b", "c")
	if err := cluster.DeleteRecords("t", 0, 3); err != nil {
		t.Fatal(err)
	}
	for partition, want := range map[int32]int64{0: 3, 1: 0} {
		for _, stable := range []bool{true, false} {
			if got, err := a.RecoveryEnd(t.Context(), "t", partition, stable, func(int64) {}); err != nil || got != want {
				t.Errorf("recovery end of partition %d is %d (%v), want %d", partition, got, err, want)
			}
		}
	}
}

// The owner of a table waits for open transactions; a view does not.
func TestRecoveryEndWaitsForOpenTransactions(t *testing.T) {
	t.Parallel()
	_, c := fake(t, "t")
	a := openAdmin(t, c)
	produce(t, client(t, c), "t", 0, "a")
	tx := client(t, c, kgo.TransactionalID("x"))
	if err := tx.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, tx, "t", 0, "b", "c")

	if got, err := a.RecoveryEnd(t.Context(), "t", 0, false, func(int64) {}); err != nil || got != 1 {
		t.Errorf("end for a view is %d (%v), want 1", got, err)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if got, err := a.RecoveryEnd(short, "t", 0, true, func(int64) {}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("end while the transaction is open is %d (%v), want none yet", got, err)
	}
	type answer struct {
		end int64
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		end, err := a.RecoveryEnd(t.Context(), "t", 0, true, func(int64) {})
		answers <- answer{end, err}
	}()
	if err := tx.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if got := <-answers; got.err != nil || got.end != 3 {
		t.Errorf("end after the commit is %d (%v), want 3", got.end, got.err)
	}
}

func TestRecoveryEndGivesUpOnATransactionThatStays(t *testing.T) {
	t.Parallel()
	_, c := fake(t, "t")
	a := openAdmin(t, c)
	tx := client(t, c, kgo.TransactionalID("x"))
	if err := tx.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, tx, "t", 0, "b")
	if err := kafka.AwaitStable(a, t.Context(), "t", 0, 1, 100*time.Millisecond); !errors.Is(err, kafka.ErrUnstable) {
		t.Errorf("error is %v, want %v", err, kafka.ErrUnstable)
	}
}
