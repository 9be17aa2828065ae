package kafka_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"billstream/internal/kafka"
	"billstream/internal/topics"
)

func TestOpenAdminSaysWhichBrokerDoesNotAnswer(t *testing.T) {
	t.Parallel()
	began := time.Now()
	_, err := kafka.OpenAdmin(t.Context(), kafka.Config{Brokers: []string{"127.0.0.1:9"}}, 300*time.Millisecond)
	u, ok := errors.AsType[*kafka.UnreachableError](err)
	if !ok || !strings.HasPrefix(err.Error(), "broker 127.0.0.1:9 is not reachable within 300ms, want an answer from at least one: ") {
		t.Fatalf("error is %v, want that 127.0.0.1:9 is not reachable", err)
	}
	if !strings.Contains(u.Hint(), "--brokers") || !strings.Contains(u.Err.Error(), "connection refused") {
		t.Errorf("hint is %q and cause %v, want --brokers and connection refused", u.Hint(), u.Err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v, want about 300ms", took)
	}
}

func TestOpenAdminEndsOnWhatIsNoBroker(t *testing.T) {
	t.Parallel()
	mute, err := net.Listen("tcp", "127.0.0.1:0") // accepts and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	began := time.Now()
	_, err = kafka.OpenAdmin(t.Context(), kafka.Config{Brokers: []string{mute.Addr().String()}}, 300*time.Millisecond)
	if _, ok := errors.AsType[*kafka.UnreachableError](err); !ok {
		t.Errorf("error is %v, want that the broker is not reachable", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v, want about 300ms", took)
	}
}

func TestOpenAdminEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(errors.New("signal")) })
	if _, err := kafka.OpenAdmin(ctx, kafka.Config{Brokers: []string{"127.0.0.1:9"}}, -1); err == nil || err.Error() != "signal" {
		t.Errorf("error is %v, want the cause of the end", err)
	}
}

func TestOpenAdminWaitsForABroker(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	opened := make(chan error, 1)
	go func() {
		a, err := kafka.OpenAdmin(t.Context(), kafka.Config{Brokers: []string{"127.0.0.1:9", addr}}, 10*time.Second)
		if err == nil {
			err = a.Close()
		}
		opened <- err
	}()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(func(string, string) (net.Listener, error) {
		return net.Listen("tcp", addr)
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := <-opened; err != nil {
		t.Errorf("error is %v, want nil once a broker is there", err)
	}
}

func TestApplyMakesWhatRunAccepts(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.ClusterID("its-name"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	a := openAdmin(t, kafka.Config{Brokers: c.ListenAddrs()})
	ctx := within(t, 20*time.Second)
	options := topics.Options{Partitions: 4}
	look := func() map[string]topics.Topic {
		t.Helper()
		found, err := a.Topics(ctx, topics.Names()...)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := look(); len(found) != 0 {
		t.Fatalf("topics found are %v, want none", found)
	}
	// One topic is there already, and not as it should be.
	spoilt := topics.Topic{Name: topics.BillingTable, Partitions: 4, Replication: 3, Config: map[string]string{topics.CleanupPolicy: "delete"}}
	if err := a.Create(ctx, spoilt); err != nil {
		t.Fatal(err)
	}
	for _, s := range topics.Plan(options, look()) {
		if err := a.Apply(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	found := look()
	if refused, warnings := topics.Check(options, found); len(refused)+len(warnings) != 0 {
		t.Errorf("after apply, refused is %v and warnings %v, want none", refused, warnings)
	}
	for _, s := range topics.Plan(options, found) {
		if s.Action != topics.Keep {
			t.Errorf("the next plan has %s %s %s, want only keep", s.Action, s.Topic.Name, s.Setting)
		}
	}
	ids := map[string]bool{}
	for name, f := range found {
		if f.Partitions != 4 || f.Replication != 3 {
			t.Errorf("%s has %d partitions and %d replicas, want 4 and 3", name, f.Partitions, f.Replication)
		}
		ids[f.ID] = true
	}
	if len(ids) != 4 || ids[""] {
		t.Errorf("ids are %v, want 4 different ones", ids)
	}
	if f := found[topics.CustomerEvents]; f.Config[topics.MaxMessage] != "1048588" {
		t.Errorf("default of max.message.bytes is %q, want 1048588", f.Config[topics.MaxMessage])
	}
	if err := a.Create(ctx, topics.Topic{Name: topics.DeadLetters, Partitions: 4, Replication: 3}); err != nil {
		t.Errorf("error of creating a topic again is %v, want nil", err)
	}
	if id, err := a.ClusterID(ctx); err != nil || id != "its-name" {
		t.Errorf("cluster id is %q (%v), want its-name", id, err)
	}
}

func TestTopicIDChangesWhenATopicIsMadeAnew(t *testing.T) {
	t.Parallel()
	cluster, c := fake(t, "t")
	a := openAdmin(t, c)
	before, err := a.Topics(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	if err := cluster.DeleteTopic("t"); err != nil {
		t.Fatal(err)
	}
	if err := a.Create(within(t, 5*time.Second), topics.Topic{Name: "t", Partitions: 3, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	after, err := a.Topics(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	if before["t"].ID == after["t"].ID || after["t"].ID == "" {
		t.Errorf("ids are %q and %q, want two", before["t"].ID, after["t"].ID)
	}
}

func TestOffsetsAndCommitted(t *testing.T) {
	t.Parallel()
	cluster, c := fake(t, "t")
	a := openAdmin(t, c)
	cl := client(t, c)
	produce(t, cl, "t", 1, "a", "b", "c", "d")
	if err := cluster.DeleteRecords("t", 1, 1); err != nil {
		t.Fatal(err)
	}
	open := client(t, c, kgo.TransactionalID("x"))
	if err := open.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, open, "t", 1, "e")
	produce(t, cl, "t", 1, "f")

	got, err := a.Offsets(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	want := []kafka.PartitionOffsets{{Partition: 0}, {Partition: 1, Oldest: 1, Stable: 4, Newest: 6}, {Partition: 2}}
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("offsets are %+v, want %+v", got, want)
		}
	}

	committed, err := a.Committed(t.Context(), "nobody", "t")
	if err != nil || len(committed) != 0 {
		t.Errorf("offsets of an unknown group are %v (%v), want none", committed, err)
	}
	commit(t, c, "billing", "t", map[int32]int64{1: 3})
	committed, err = a.Committed(t.Context(), "billing", "t")
	if n, ok := committed[1]; err != nil || len(committed) != 1 || !ok || n != 3 {
		t.Errorf("committed offsets are %v (%v), want 3 in partition 1", committed, err)
	}
}

// commit sets a group's offsets, as a member would.
func commit(t *testing.T, c kafka.Config, group, topic string, at map[int32]int64) {
	t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	of := kmsg.NewOffsetCommitRequestTopic()
	of.Topic = topic
	for p, n := range at {
		part := kmsg.NewOffsetCommitRequestTopicPartition()
		part.Partition, part.Offset = p, n
		of.Partitions = append(of.Partitions, part)
	}
	req.Topics = append(req.Topics, of)
	// A newer version of the request wants topic ids.
	resp, err := req.RequestWith(t.Context(), client(t, c, kgo.MaxVersions(kversion.V3_6_0())))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range resp.Topics[0].Partitions {
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			t.Fatal(err)
		}
	}
}

// questions are all that an admin client can be asked.
func questions(a *kafka.AdminClient) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"cluster id": func(ctx context.Context) error { _, err := a.ClusterID(ctx); return err },
		"topics":     func(ctx context.Context) error { _, err := a.Topics(ctx, "t"); return err },
		"offsets":    func(ctx context.Context) error { _, err := a.Offsets(ctx, "t"); return err },
		"committed":  func(ctx context.Context) error { _, err := a.Committed(ctx, "billing", "t"); return err },
		"visible": func(ctx context.Context) error {
			_, err := a.RecoveryEnd(ctx, "t", 0, true, func(int64) {})
			return err
		},
		"creation": func(ctx context.Context) error {
			return a.Create(ctx, topics.Topic{Name: "new", Partitions: 1, Replication: 1})
		},
	}
}

// A process that stops while the brokers are away must not wait for them.
func TestAdminQuestionsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	cluster, c := fake(t, "t")
	a := openAdmin(t, c)
	if _, err := a.Offsets(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	cluster.Close()
	for name, question := range questions(a) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(20*time.Millisecond, func() { cancel(errors.New("signal")) })
		began := time.Now()
		if err := question(ctx); err == nil {
			t.Errorf("%s without a broker gives no error, want one", name)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s ended after %v, want about 20ms", name, took)
		}
	}
}

// Connections that died with a broker must not outlive it.
func TestAdminGoesOnAfterABrokerRestart(t *testing.T) {
	t.Parallel()
	var addr string
	start := func() *kfake.Cluster {
		t.Helper()
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "t"), kfake.ListenFn(func(_, any string) (net.Listener, error) {
			if addr != "" {
				any = addr
			}
			return net.Listen("tcp", any)
		}))
		if err != nil {
			t.Fatal(err)
		}
		addr = c.ListenAddrs()[0]
		return c
	}
	first := start()
	c := kafka.Config{Brokers: []string{addr}}
	a := openAdmin(t, c)
	for name, question := range questions(a) {
		ask := func() error { return question(t.Context()) }
		cl := client(t, c)
		produce(t, cl, "t", 0, "v")
		cl.Close()
		if err := ask(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		first.Close()
		first = start()
		// The first attempt may meet the dead connection, the next ones may not.
		err := ask()
		for attempt := 0; err != nil && attempt < 2; attempt++ {
			err = ask()
		}
		if err != nil {
			t.Errorf("%s after a restart: %v", name, err)
		}
	}
	first.Close()
}
