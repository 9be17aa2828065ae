package eos_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/eos"
	"billstream/internal/eos/writer"
	"billstream/internal/topics"
)

const (
	input      = "events"
	groupName  = "sum"
	tableTopic = "sum-table"
	output     = "sums"
)

// bytesCodec passes bytes through.
type bytesCodec struct{}

func (bytesCodec) Encode(v any) ([]byte, error) { return v.([]byte), nil }
func (bytesCodec) Decode(b []byte) (any, error) { return b, nil }
func masked(key string, n int32) int32          { return topics.Partition([]byte(key), n) }
func quiet(*testing.T) *slog.Logger             { return slog.New(slog.DiscardHandler) }
func brokersOf(c *kfake.Cluster) []string       { return c.ListenAddrs() }
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func newCluster(t *testing.T, partitions int32) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(500*time.Millisecond),
		kfake.SeedTopics(partitions, input, tableTopic, output))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func config(client string) *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	c.ClientID = "test-" + client
	c.Metadata.AllowAutoTopicCreation = false
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	c.Consumer.Return.Errors = true
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Group.ResetInvalidOffsets = false
	c.Consumer.MaxWaitTime = 50 * time.Millisecond
	c.Consumer.Group.Session.Timeout = 6 * time.Second // a loaded machine must not expire members: repeats would follow
	c.Consumer.Group.Heartbeat.Interval = 100 * time.Millisecond
	c.Consumer.Group.Rebalance.Timeout = 5 * time.Second
	c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{goka.CopartitioningStrategy}
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Return.Successes, c.Producer.Return.Errors = true, true
	c.Producer.Partitioner = sarama.NewManualPartitioner
	return c
}

// world is a cluster with one client to look at it and write to it.
type world struct {
	t          *testing.T
	cluster    *kfake.Cluster
	partitions int32
	client     sarama.Client
	sync       sarama.SyncProducer
}

func newWorld(t *testing.T, partitions int32) *world {
	t.Helper()
	w := &world{t: t, cluster: newCluster(t, partitions), partitions: partitions}
	var err error
	if w.client, err = sarama.NewClient(brokersOf(w.cluster), config("world")); err != nil {
		t.Fatal(err)
	}
	if w.sync, err = sarama.NewSyncProducerFromClient(w.client); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.sync.Close(); w.client.Close() })
	return w
}

// produce writes one event per key to the partition of the key.
func (w *world) produce(keys ...string) {
	w.t.Helper()
	for _, k := range keys {
		w.write(&sarama.ProducerMessage{Topic: input, Partition: masked(k, w.partitions), Key: sarama.StringEncoder(k), Value: sarama.StringEncoder("+1")})
	}
}

func (w *world) write(m *sarama.ProducerMessage) {
	w.t.Helper()
	if _, _, err := w.sync.SendMessage(m); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) newest(topic string, p int32) int64 {
	n, err := w.client.GetOffset(topic, p, sarama.OffsetNewest)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// committed returns the group's offsets, -1 for none.
func (w *world) committed() map[int32]int64 {
	w.t.Helper()
	admin, err := sarama.NewClusterAdmin(brokersOf(w.cluster), config("admin"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer admin.Close()
	all := make([]int32, w.partitions)
	for i := range all {
		all[i] = int32(i)
	}
	found := map[int32]int64{}
	resp, err := admin.ListConsumerGroupOffsets(groupName, map[string][]int32{input: all})
	if err != nil {
		return found
	}
	for p, b := range resp.Blocks[input] {
		found[p] = b.Offset
	}
	return found
}

// caughtUp reports whether everything in the input is committed.
func (w *world) caughtUp() bool {
	got := w.committed()
	for p := range w.partitions {
		if n := w.newest(input, p); n > 0 && got[p] != n {
			return false
		}
	}
	return true
}

// table reads the whole changelog: the last value of each key.
func (w *world) table() map[string]string {
	w.t.Helper()
	rows := map[string]string{}
	for _, m := range w.read(tableTopic) {
		if m.Value == nil {
			delete(rows, string(m.Key))
			continue
		}
		rows[string(m.Key)] = string(m.Value)
	}
	return rows
}

// read returns the committed records of a topic, by partition and offset.
func (w *world) read(topic string) []*kgo.Record {
	w.t.Helper()
	var all []*kgo.Record
	for p := range w.partitions {
		w.walk(topic, p, func(r *kgo.Record) { all = append(all, r) })
	}
	return all
}

// lastRow is the offset of the last committed record, -1 for none.
func (w *world) lastRow(topic string, p int32) int64 {
	last := int64(-1)
	w.walk(topic, p, func(r *kgo.Record) { last = r.Offset })
	return last
}

// walk calls see for each committed record of a partition.
func (w *world) walk(topic string, p int32, see func(*kgo.Record)) {
	w.t.Helper()
	end := w.newest(topic, p)
	if end == 0 {
		return
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(brokersOf(w.cluster)...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {p: kgo.NewOffset().At(0)}}))
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	for at := int64(0); at < end; {
		f := c.PollFetches(ctx)
		if ctx.Err() != nil {
			w.t.Fatalf("reading %s/%d stopped at offset %d, want %d", topic, p, at, end)
		}
		f.EachRecord(func(r *kgo.Record) {
			at = r.Offset + 1
			if !r.Attrs.IsControl() && r.Offset < end {
				see(r)
			}
		})
	}
}

// member is one process of the group.
type member struct {
	w        *world
	engine   *eos.Engine
	recovery *eos.Recovery
	registry *prometheus.Registry
	callback func(goka.Context, any)
	consumer goka.SaramaConsumerBuilder
	writer   *hooked
	plain    bool // at least once

	recoveryChange func(*eos.RecoveryConfig)
	interval       time.Duration
	instance       string
	staged         int64
	watchdog       time.Duration
	stuck          func(int32)

	bases    *eos.Bases
	followed bool // a view follows the bases
	standby  bool // some are followed as standbys

	mu      sync.Mutex
	commits map[int32]int64
	revoked int
}

// sum counts the events of a key in the table and emits every count.
func sum(ctx goka.Context, _ any) {
	n := 0
	if v, ok := ctx.Value().([]byte); ok {
		n, _ = strconv.Atoi(string(v))
	}
	next := []byte(strconv.Itoa(n + 1))
	ctx.Emit(output, ctx.Key(), next)
	ctx.SetValue(next)
}

func (w *world) member(change func(*member)) *member {
	w.t.Helper()
	m := &member{w: w, callback: sum, commits: map[int32]int64{}, registry: prometheus.NewRegistry(), writer: &hooked{}}
	m.consumer = func(brokers []string, _ string) (sarama.Consumer, error) {
		return sarama.NewConsumer(brokers, config("recovery"))
	}
	if change != nil {
		change(m)
	}
	rc := eos.RecoveryConfig{Table: tableTopic, Role: eos.Active, Start: w.start, End: w.end, Registerer: m.registry, Log: quiet(w.t)}
	if m.recoveryChange != nil {
		m.recoveryChange(&rc)
	}
	m.recovery = eos.NewRecovery(rc)
	m.bases = w.bases(func(c *eos.BasesConfig) {
		c.Followed, c.Standby, c.Brokers, c.NewConsumer = m.followed, m.standby, brokersOf(w.cluster), m.consumer
	}, nil)
	group := config("group")
	group.Consumer.Group.InstanceId = m.instance
	m.writer.Writer = w.writer(m)
	m.engine = eos.New(eos.Config{
		Group: groupName, Inputs: []string{input}, CommitInterval: cmp.Or(m.interval, 20*time.Millisecond),
		MaxStaged: m.staged, Watchdog: m.watchdog, OnStuck: m.stuck,
		Brokers: brokersOf(w.cluster), GroupConfig: group, Writer: m.writer,
		NewConsumer: m.consumer, NewTopicManager: topicManager,
		Bases:  m.bases,
		Hasher: topics.NewHasher, Rows: bytesCodec{},
		Output: func(topic, key string, value any) (eos.Record, error) {
			return eos.Record{Topic: topic, Partition: masked(key, w.partitions), Key: []byte(key), Value: value.([]byte)}, nil
		},
		PositionRow: func(m eos.PositionMark) eos.Row {
			return eos.Row{Key: positionKey(m.Partition), Value: strconv.AppendInt(nil, m.Next, 10)}
		},
		OnCommit: m.onCommit, OnRevoke: m.onRevoke,
		Recovery: m.recovery, Registerer: m.registry, Log: quiet(w.t),
	})
	w.t.Cleanup(func() {
		m.bases.Close()
		m.writer.Close()
	})
	return m
}

// hooked is a writer that a test can listen to and break.
type hooked struct {
	eos.Writer
	before func(*eos.Epoch) error // its error is that of Write, which then does nothing
	after  func(*eos.Epoch, error) error
	opened atomic.Int64
}

func (h *hooked) Open(ctx context.Context) error {
	h.opened.Add(1)
	return h.Writer.Open(ctx)
}

func (h *hooked) Write(ctx context.Context, e *eos.Epoch) error {
	if h.before != nil {
		if err := h.before(e); err != nil {
			return err
		}
	}
	err := h.Writer.Write(ctx, e)
	if h.after != nil {
		return h.after(e, err)
	}
	return err
}

func (w *world) writer(m *member) eos.Writer {
	w.t.Helper()
	c := writer.Config{
		Brokers: brokersOf(w.cluster), ClientID: "test-writer", TransactionalID: groupName + "-" + cmp.Or(m.instance, rand.Text()),
		TransactionTimeout: 3 * time.Second, Table: tableTopic, Group: groupName, Topics: []string{tableTopic, output},
		Registerer: m.registry, Log: quiet(w.t),
	}
	var made eos.Writer
	var err error
	if m.plain {
		made, err = writer.NewPlain(c)
	} else {
		made, err = writer.NewTransactional(c)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

func (w *world) start(_ context.Context, topic string, p int32) (int64, error) {
	return w.client.GetOffset(topic, p, sarama.OffsetOldest)
}

// end is one past the last row that a reader of committed records gets. The
// in-process broker's transactions end with a marker, which is no row.
func (w *world) end(_ context.Context, topic string, p int32, _ func(int64)) (int64, error) {
	return w.lastRow(topic, p) + 1, nil
}

func (m *member) onCommit(_ string, p int32, next int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.commits[p] = next
}

func (m *member) onRevoke(int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.revoked++
}

func (m *member) seen() map[int32]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.commits)
}

func positionKey(p int32) string { return fmt.Sprintf("~position.%d", p) }

func topicManager(brokers []string) (goka.TopicManager, error) {
	c := goka.NewTopicManagerConfig()
	c.NoCreate = true
	c.Table.Replication = 1
	return goka.NewTopicManager(brokers, config("topics"), c)
}

// processor returns a new processor of the member.
func (m *member) processor() *goka.Processor {
	m.w.t.Helper()
	graph := goka.DefineGroup(groupName,
		goka.Input(input, bytesCodec{}, m.callback),
		goka.Persist(bytesCodec{}),
		goka.Output(output, bytesCodec{}))
	opts := append([]goka.ProcessorOption{goka.WithLogger(slog.NewLogLogger(slog.DiscardHandler, 0))}, m.engine.ProcessorOptions()...)
	p, err := goka.NewProcessor(brokersOf(m.w.cluster), graph, opts...)
	if err != nil {
		m.w.t.Fatal(err)
	}
	return p
}

// start runs the member's processor until stop is called, which returns what
// the processor returned.
func (m *member) start() (stop func() error) {
	p := m.processor()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	m.w.t.Cleanup(func() { stop() })
	return stop
}

// runUntilItFails runs one processor and returns what it failed with.
func (m *member) runUntilItFails() error {
	m.w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	err := m.processor().Run(ctx)
	if err == nil {
		m.w.t.Fatal("Run returned nil, want a failure")
	}
	return err
}
