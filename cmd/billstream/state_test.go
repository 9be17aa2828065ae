package main

import (
	"context"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/rogpeppe/go-internal/testscript"

	"billstream/codecs"
	"billstream/internal/app"
	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/internal/store"
	"billstream/internal/topics"
)

// scriptRows are the rows of a partition in a script.
type scriptRows map[string][]byte

func (r scriptRows) GetOffset(int64) (int64, error) { return 41, nil }

func (r scriptRows) Ascend(_ string, yield func(key string, value []byte) bool) error {
	for _, key := range slices.Sorted(maps.Keys(r)) {
		if !yield(key, r[key]) {
			break
		}
	}
	return nil
}

// snapshot is a command of scripts: snapshot DIR PARTITION writes a snapshot of
// one of 4 partitions with its position row and one customer, who is named
// after the partition.
func snapshot(ts *testscript.TestScript, neg bool, args []string) {
	const partitions = 4
	if neg || len(args) != 2 {
		ts.Fatalf("usage: snapshot DIR PARTITION")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	id := ""
	for i := 0; ; i++ {
		id = "customer-" + args[1] + strings.Repeat("x", i)
		if topics.Partition([]byte(id), partitions) == int32(n) {
			break
		}
	}
	change := customer.Renamed{Name: new("Name of " + args[1])}
	res, err := billing.Apply(nil, &customer.Event{Source: "/t", ID: "e", Customer: customer.ID(id), Change: change}, billing.Position{Topic: topics.CustomerEvents, Offset: 6}, 0)
	ts.Check(err)
	value, err := codecs.AppendRow(nil, res.Row)
	ts.Check(err)
	position := codecs.AppendPosition(nil, &codecs.PositionRow{NextOffset: 7})
	dir := app.StateDir(ts.MkAbs(args[0]))
	ts.Check(os.MkdirAll(dir, 0o750))
	o := store.Origin{Cluster: "cluster", Topic: topics.BillingTable, TopicID: "topic", Partition: int32(n), Partitions: partitions}
	_, err = store.WriteSnapshot(context.Background(), dir, o, scriptRows{id: value, string(topics.PositionKey(int32(n), partitions)): position}, time.Now())
	ts.Check(err)
}

// hold is a command of scripts: it holds the state of a data directory until
// the script ends, as a process that runs does.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hold DIR")
	}
	lock := flock.New(app.StateDir(ts.MkAbs(args[0])) + "/lock")
	got, err := lock.TryLock()
	ts.Check(err)
	if !got {
		ts.Fatalf("state of %s is held already", args[0])
	}
	ts.Defer(func() { ts.Check(lock.Unlock()) })
}

func TestTheAgeOfAFileIsShownForPeople(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	for age, want := range map[time.Duration]string{
		-time.Hour: "0 s", 0: "0 s", 59 * time.Second: "59 s", 90 * time.Minute: "1 h 30 min",
	} {
		f := app.StateFile{Kind: app.StateSnapshot, At: now.Add(-age)}
		if got := stateRows([]app.StateFile{f}, now)[1][6]; got != want {
			t.Errorf("age of %s is %q, want %q", age, got, want)
		}
	}
}
