package doctor_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/doctor"
	"billstream/internal/topics"
)

func TestRecordsInAnotherPartitionThanThatOfTheirKeyAreFound(t *testing.T) {
	t.Parallel()
	l, _ := embedded(t, 1)
	l.healthy(t)
	l.produce(t, topics.CustomerEvents, 2, keyOf(3), time.Time{})
	l.produce(t, topics.CustomerEvents, 3, keyOf(1), time.Time{})
	l.produce(t, topics.CustomerEvents, 0, nil, time.Time{})
	l.produce(t, topics.BillingTable, 0, topics.PositionKey(0, partitions), time.Time{})
	want(t, l.look(t, nil), "partitioner",
		"problem: records of customer.events in another partition than that of their key are 2 of the newest 7, first customer.events/2@1, whose key belongs to 3, want none",
		"warning: records of customer.events without a key are 1 of the newest 7, first customer.events/0@1, want none")
	l.produce(t, topics.BillingTable, 0, topics.PositionKey(1, partitions), time.Time{})
	want(t, l.look(t, func(c *doctor.Config) { c.Sample = 1 }), "partitioner",
		"problem: records of customer.events in another partition than that of their key are 2 of the newest 4, first customer.events/2@1, whose key belongs to 3, want none",
		"problem: records of billing-table in another partition than that of their key are 1 of the newest 1, first billing-table/0@1, whose key belongs to 1, want none",
		"warning: records of customer.events without a key are 1 of the newest 4, first customer.events/0@1, want none")
}

func TestWithoutRecordsPartitionerAndClockAreUnknown(t *testing.T) {
	t.Parallel()
	l, _ := embedded(t, 1)
	r := l.look(t, nil)
	want(t, r, "partitioner", "unknown: partitioner cannot be told: there are no records yet")
	want(t, r, "clock", "unknown: clock cannot be told: there are no records to compare it with")
}

func TestRecordsFromTheFutureShowAWrongClock(t *testing.T) {
	t.Parallel()
	l, _ := embedded(t, 1)
	l.alter(t, topics.CustomerEvents, topics.TimestampAfter, "90000000")
	l.produce(t, topics.CustomerEvents, 2, keyOf(2), time.Now().Add(4*time.Second))
	want(t, l.look(t, nil), "clock", "ok: newest record is 0s old; a clock that is fast here, or slow elsewhere, cannot be seen")
	l.produce(t, topics.CustomerEvents, 2, keyOf(2), time.Now().Add(time.Minute+500*time.Millisecond))
	want(t, l.look(t, nil), "clock", "warning: record customer.events/2@1 is 1m0s ahead of our clock, want at most 5s")
	l.produce(t, topics.CustomerEvents, 2, keyOf(2), time.Now().Add(2*time.Hour+500*time.Millisecond))
	want(t, l.look(t, nil), "clock", "problem: record customer.events/2@2 is 2h0m0s ahead of our clock, want at most 5s")
}

func TestAMarkerFromTheFutureShowsThatOurClockIsSlow(t *testing.T) {
	t.Parallel()
	for ahead, sentence := range map[time.Duration]string{
		10*time.Second + 200*time.Millisecond: "problem: our clock is 10s behind a broker's, want at most 5s",
		-10 * time.Second:                     "ok: newest record is 10s old; a clock that is fast here, or slow elsewhere, cannot be seen",
	} {
		want(t, &doctor.Report{Findings: doctor.Clock(t.Context(), ahead)}, "clock", sentence)
	}
}

func TestLittleRoomIsAProblem(t *testing.T) {
	t.Parallel()
	const mib, gib = 1 << 20, 1 << 30
	for _, c := range []struct {
		free, total uint64
		sentence    string
	}{
		{63 * mib, 100 * mib, "problem: room in DIR is 63 MiB, want 64 MiB or more"},
		{64 * mib, 100 * mib, "ok: room in DIR is 64 MiB"},
		{4 * gib, 100 * gib, "problem: room in DIR is 4.0 % (4096 MiB), want 5 % or more"},
		{6 * gib, 100 * gib, "ok: room in DIR is 6144 MiB"},
		{0, 0, "unknown: room in DIR cannot be told: its file system has no size"},
	} {
		want(t, &doctor.Report{Findings: doctor.Room(c.free, c.total)}, "disk", c.sentence)
	}
}

func TestADataDirectoryInUseIsFound(t *testing.T) {
	t.Parallel()
	l, _ := embedded(t, 1)
	dir := t.TempDir()
	in := func(c *doctor.Config) { c.DataDir = dir }
	want(t, l.look(t, in), "data-dir", "ok: data directory "+dir+" is new")
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o750); err != nil {
		t.Fatal(err)
	}
	held := flock.New(filepath.Join(dir, "state", "lock"))
	if got, err := held.TryLock(); err != nil || !got {
		t.Fatal(got, err)
	}
	want(t, l.look(t, in), "data-dir", "warning: data directory "+dir+" is used by another process, want a free one")
	if err := held.Unlock(); err != nil {
		t.Fatal(err)
	}
	want(t, l.look(t, in), "data-dir", "ok: data directory "+dir+" is free")
	if got, err := held.TryLock(); err != nil || !got {
		t.Errorf("lock after the doctor is %t (%v), want a free one", got, err)
	}
}

func TestTimeoutsAreComparedWithTheBrokers(t *testing.T) {
	t.Parallel()
	l, _ := embedded(t, 1)
	r := l.look(t, func(c *doctor.Config) {
		c.TransactionTimeout, c.SessionTimeout = 20*time.Minute, 500*time.Millisecond
	})
	want(t, r, "transaction-timeout", "problem: transaction timeout is 20m0s, want at most 15m0s, transaction.max.timeout.ms of broker 0")
	want(t, r, "session-timeout", "problem: session timeout is 500ms, want at least 6s, group.min.session.timeout.ms of broker 0")
	r = l.look(t, func(c *doctor.Config) {
		c.Guarantee, c.TransactionTimeout, c.SessionTimeout = doctor.AtLeastOnce, 20*time.Minute, 10*time.Minute
	})
	want(t, r, "transaction-timeout", "ok: transaction timeout is of no matter with at-least-once")
	want(t, r, "session-timeout", "problem: session timeout is 10m0s, want at most 5m0s, group.max.session.timeout.ms of broker 0")
}

func TestAnInstanceIDInUseIsFoundWithItsHost(t *testing.T) {
	t.Parallel()
	l, _ := embedded(t, 1)
	l.join(t, "billing-0")
	r := l.look(t, func(c *doctor.Config) { c.InstanceID = "billing-0" })
	want(t, r, "instance-id", "problem: instance id billing-0 is that of a member on host 127.0.0.1, want a free one")
	r = l.look(t, func(c *doctor.Config) { c.InstanceID = "billing-1" })
	want(t, r, "instance-id", "ok: instance id billing-1 is free")
}

func TestATransactionThatStaysOpenIsFound(t *testing.T) {
	t.Parallel()
	l, _ := embedded(t, 1)
	open := l.begin(t, "billing-gone", time.Minute)
	want(t, l.look(t, nil), "transactions", "ok: open transactions on our topics are 1, none for longer than 20s")
	l.hangs(t)
	if err := open.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	want(t, l.look(t, nil), "transactions", "ok: open transactions on our topics are none")
}

func TestATransactionThatNobodyEndsIsToldApart(t *testing.T) {
	t.Parallel()
	l, c := embedded(t, 1)
	l.begin(t, "billing-gone", time.Minute)
	var r *doctor.Report
	tooOld := func(context.Context) bool {
		r = l.look(t, func(c *doctor.Config) { c.TransactionTimeout = time.Millisecond })
		return r.Count(doctor.Problem) > 0
	}
	c.ControlKey(int16(kmsg.ListTransactions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return req.ResponseKind(), nil, true
	})
	eventually(t, "it is too old", tooOld)
	want(t, r, "transactions", "problem: transaction of producer … is open for …s from billing-table/1@0 on, want at most 1ms")
	if got := hint(r, "transactions"); !strings.HasSuffix(got, "abort --topic billing-table --partition 1 --start-offset 0") {
		t.Errorf("hint is %q, want the command", got)
	}
}

func TestATransactionThatItsCoordinatorHasEndedIsToldApart(t *testing.T) {
	t.Parallel()
	l, c := embedded(t, 1)
	l.begin(t, "billing-gone", time.Minute)
	listed, err := l.admin.ListTransactions(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.ControlKey(int16(kmsg.DescribeTransactions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeTransactionsResponse)
		state := kmsg.NewDescribeTransactionsResponseTransactionState()
		state.TransactionalID, state.State, state.StartTimestamp = "billing-gone", "CompleteAbort", time.Now().UnixMilli()
		state.ProducerID = listed["billing-gone"].ProducerID
		resp.TransactionStates = append(resp.TransactionStates, state)
		return resp, nil, true
	})
	var r *doctor.Report
	eventually(t, "it is too old", func(context.Context) bool {
		r = l.look(t, func(c *doctor.Config) { c.TransactionTimeout = time.Millisecond })
		return r.Count(doctor.Problem) > 0
	})
	want(t, r, "transactions", "problem: transaction of billing-gone (CompleteAbort) is open for …s from billing-table/1@0 on, want at most 1ms")
	if got := hint(r, "transactions"); !strings.HasPrefix(got, "its coordinator has forgotten it") {
		t.Errorf("hint is %q, want that nothing ends it by itself", got)
	}
}

// hangs waits until the open transaction is older than is allowed.
func (l *lab) hangs(t *testing.T) {
	t.Helper()
	var r *doctor.Report
	eventually(t, "the transaction is too old", func(context.Context) bool {
		r = l.look(t, func(c *doctor.Config) { c.TransactionTimeout = 300 * time.Millisecond })
		return r.Count(doctor.Problem) > 0
	})
	want(t, r, "transactions", "problem: transaction of billing-gone (Ongoing) is open for …s from billing-table/1@0 on, want at most 300ms")
}

func TestCommittedOffsetsOutsideTheTopicAreFound(t *testing.T) {
	t.Parallel()
	l, _ := embedded(t, 1)
	l.healthy(t)
	l.produce(t, topics.CustomerEvents, 0, keyOf(0), time.Time{})
	l.produce(t, topics.CustomerEvents, 0, keyOf(0), time.Time{})
	var gone kadm.Offsets
	gone.Add(kadm.Offset{Topic: topics.CustomerEvents, Partition: 0, At: 2})
	if _, err := l.admin.DeleteRecords(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	l.commit(t, 1, 17)
	done, err := l.admin.DeleteOffsets(t.Context(), topics.Group, kadm.TopicsSet{topics.CustomerEvents: {2: {}}})
	if err != nil {
		t.Fatal(done, err)
	}
	want(t, l.look(t, nil), "offsets",
		"problem: committed offsets of customer.events before the oldest record are those of partitions 0, want none: records expired before they were processed",
		"problem: committed offsets of customer.events behind the end are those of partitions 1, want none: the topic was made anew or lost records",
		"warning: partitions of customer.events with records and without a committed offset are 2, want none while others have one")
}

func TestAGroupThatHasCommittedNothingBeginsAtTheOldestRecord(t *testing.T) {
	t.Parallel()
	l, _ := embedded(t, 1)
	l.produce(t, topics.CustomerEvents, 0, keyOf(0), time.Time{})
	want(t, l.look(t, nil), "offsets", "ok: group billing has committed nothing yet: it begins at the oldest record")
}

func TestLagIsTold(t *testing.T) {
	t.Parallel()
	l, _ := embedded(t, 1)
	l.healthy(t)
	l.produce(t, topics.CustomerEvents, 1, keyOf(1), time.Time{})
	want(t, l.look(t, nil), "lag", "warning: lag of group billing is 1 records and no member is at work, want one")
	l.join(t, "billing-0")
	want(t, l.look(t, nil), "lag", "ok: lag of group billing is 1 records")
	l.produce(t, topics.CustomerEvents, 0, keyOf(0), time.Now().Add(-5*time.Minute))
	want(t, l.look(t, nil), "lag", "warning: lag of group billing is 2 records, the oldest written 5m…s ago (customer.events/0@1), want at most 1m0s")
}

func TestAConfigurationThatNothingCanBeAskedWithIsAnError(t *testing.T) {
	t.Parallel()
	_, err := doctor.Run(t.Context(), doctor.Config{Brokers: []string{"kafka-1"}, Guarantee: "maybe", SessionTimeout: -1, Sample: 1 << 20})
	const text = `configuration: broker is "kafka-1", want HOST:PORT
guarantee is "maybe", want exactly-once or at-least-once
session timeout is -1ns, want more than 0s
sample is 1048576, want 1 to 10000`
	if fmt.Sprint(err) != text {
		t.Errorf("error is %v, want %s", err, text)
	}
}
