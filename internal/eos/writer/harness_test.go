package writer_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/eos"
	"billstream/internal/eos/writer"
)

const (
	input  = "in"
	output = "out"
	table  = "group-table"
	group  = "group"
)

// world is a broker with the topics of a group that has one member.
type world struct {
	t       *testing.T
	cluster *kfake.Cluster
	client  *kgo.Client
	member  eos.Member
}

func newWorld(t *testing.T, opts ...kfake.Opt) *world {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(2, input, output, table)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w := &world{t: t, cluster: c, client: client}
	w.member = w.join("instance-0")
	return w
}

// join makes a static member of the group; who joins again under the same
// instance fences its predecessor.
func (w *world) join(instance string) eos.Member {
	w.t.Helper()
	j := kmsg.NewPtrJoinGroupRequest()
	j.Group, j.SessionTimeoutMillis, j.RebalanceTimeoutMillis = group, 30000, 1000
	j.InstanceID, j.ProtocolType = &instance, "consumer"
	j.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "one"}}
	joined, err := j.RequestWith(w.t.Context(), w.client)
	if err == nil {
		err = kerr.ErrorForCode(joined.ErrorCode)
	}
	if err != nil {
		w.t.Fatalf("join: %v", err)
	}
	s := kmsg.NewPtrSyncGroupRequest()
	s.Group, s.Generation, s.MemberID, s.InstanceID = group, joined.Generation, joined.MemberID, &instance
	s.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: joined.MemberID}}
	synced, err := s.RequestWith(w.t.Context(), w.client)
	if err == nil {
		err = kerr.ErrorForCode(synced.ErrorCode)
	}
	if err != nil {
		w.t.Fatalf("sync: %v", err)
	}
	return eos.Member{Group: group, ID: joined.MemberID, Generation: joined.Generation, InstanceID: instance}
}

func (w *world) config(d *wire) writer.Config {
	c := writer.Config{
		Brokers: w.cluster.ListenAddrs(), ClientID: "writer", TransactionalID: group + "-instance-0",
		CommitTimeout: 5 * time.Second, Table: table, Group: group, Topics: []string{output, table},
		Registerer: prometheus.NewRegistry(),
	}
	if d != nil {
		c.Dial = d.dial
	}
	return c
}

func (w *world) transactional(c writer.Config) *writer.Transactional {
	w.t.Helper()
	tx, err := writer.NewTransactional(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(tx.Close)
	w.open(tx)
	return tx
}

func (w *world) plain(c writer.Config) *writer.Plain {
	w.t.Helper()
	p, err := writer.NewPlain(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(p.Close)
	w.open(p)
	return p
}

func (w *world) open(of eos.Writer) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	if err := of.Open(ctx); err != nil {
		w.t.Fatalf("open: %v", err)
	}
}

func (w *world) write(to eos.Writer, e *eos.Epoch) {
	w.t.Helper()
	if err := to.Write(w.t.Context(), e); err != nil {
		w.t.Fatalf("write: %v", err)
	}
}

// epoch is two updates, a row, a position row and an offset for each of two
// partitions. Every value ends in n.
func (w *world) epoch(n int) *eos.Epoch {
	e := &eos.Epoch{Member: w.member}
	for p := range int32(2) {
		value := func(kind string) []byte { return fmt.Appendf(nil, "%s-%d-%d", kind, p, n) }
		e.Parts = append(e.Parts, eos.EpochPart{
			Partition: p,
			Outputs: []eos.Record{
				{Topic: output, Partition: p, Key: []byte("k"), Value: value("first"), Headers: []eos.Header{{Key: "h", Value: []byte("1")}, {Key: "h", Value: []byte("2")}}},
				{Topic: output, Partition: p, Key: []byte("k"), Value: value("second")},
			},
			Rows:  []eos.Row{{Key: "row", Value: value("row")}, {Key: "position", Value: value("position")}},
			Marks: []eos.PositionMark{{Topic: input, Partition: p, Next: int64(10 * n)}},
		})
	}
	return e
}

// idle is an epoch that changes nothing but the position of one partition.
func (w *world) idle(n int) *eos.Epoch {
	return &eos.Epoch{Member: w.member, Parts: []eos.EpochPart{{
		Rows:  []eos.Row{{Key: "position", Value: fmt.Append(nil, n)}},
		Marks: []eos.PositionMark{{Topic: input, Next: int64(n)}},
	}}}
}

// committed are the values in a topic that a reader of committed records gets,
// partition by partition.
func (w *world) committed(topic string) []string {
	w.t.Helper()
	var values []string
	for p := range int32(2) {
		for _, r := range w.read(topic, p) {
			values = append(values, string(r.Value))
		}
	}
	return values
}

func (w *world) read(topic string, p int32) []*kgo.Record {
	w.t.Helper()
	end := w.cluster.PartitionInfo(topic, p).LastStableOffset
	if end == 0 {
		return nil
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(w.cluster.ListenAddrs()...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {p: kgo.NewOffset().AtStart()}}))
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	var records []*kgo.Record
	for next := int64(0); next < end; {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			w.t.Fatalf("read %s: %v", topic, err)
		}
		for r := range fetches.RecordsAll() {
			next = r.Offset + 1
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
		}
	}
	return records
}

// offsets are the committed offsets of the input, -1 for none; they must be
// stable.
func (w *world) offsets() [2]int64 {
	w.t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	g.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: input, TopicID: w.cluster.TopicInfo(input).TopicID, Partitions: []int32{0, 1}}}
	req.Groups = append(req.Groups, g)
	resp, err := req.RequestWith(w.t.Context(), w.client)
	if err != nil {
		w.t.Fatalf("fetch offsets: %v", err)
	}
	var got [2]int64
	for _, p := range resp.Groups[0].Topics[0].Partitions {
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			w.t.Fatalf("fetch offsets: %v", err)
		}
		got[p.Partition] = p.Offset
	}
	return got
}

// sees checks that exactly the epochs ns are visible: updates, rows and
// offsets.
func (w *world) sees(ns ...int) {
	w.t.Helper()
	var updates, rows []string
	for p := range 2 {
		for _, n := range ns {
			updates = append(updates, fmt.Sprintf("first-%d-%d", p, n), fmt.Sprintf("second-%d-%d", p, n))
			rows = append(rows, fmt.Sprintf("row-%d-%d", p, n), fmt.Sprintf("position-%d-%d", p, n))
		}
	}
	at := int64(-1)
	if len(ns) > 0 {
		at = int64(10 * ns[len(ns)-1])
	}
	if got := w.committed(output); !slices.Equal(got, updates) {
		w.t.Errorf("updates are %q, want %q", got, updates)
	}
	if got := w.committed(table); !slices.Equal(got, rows) {
		w.t.Errorf("rows are %q, want %q", got, rows)
	}
	if got := w.offsets(); got != [2]int64{at, at} {
		w.t.Errorf("offsets are %v, want %d each", got, at)
	}
}

// wire dials connections on which a test can listen, cut and repeat. kgo
// writes each request at once.
type wire struct {
	mu     sync.Mutex
	addr   string
	frames map[int16][]byte // the last request by key
	before func(key int16)  // called before a request is written
	cut    int16            // the reply to this request is lost, and the network with it; -1 for none
	down   bool
}

func newWire() *wire { return &wire{frames: map[int16][]byte{}, cut: -1} }

func (d *wire) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock()
	d.addr = addr
	down := d.down
	d.mu.Unlock()
	if down {
		return nil, &net.OpError{Op: "dial", Net: network, Err: net.ErrClosed}
	}
	c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &wireConn{Conn: c, wire: d}, nil
}

func (d *wire) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

// repeat sends the last request of a kind again, over a connection of its own,
// and waits until it was answered.
func (d *wire) repeat(t *testing.T, key int16) {
	t.Helper()
	d.mu.Lock()
	frame, addr := d.frames[key], d.addr
	d.mu.Unlock()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	if _, err := c.Write(frame); err != nil {
		t.Error(err)
	}
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		t.Error(err)
	}
	if _, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(size[:]))); err != nil {
		t.Error(err)
	}
}

type wireConn struct {
	net.Conn
	wire *wire
	cut  bool
}

func (c *wireConn) Write(b []byte) (int, error) {
	key := int16(binary.BigEndian.Uint16(b[4:]))
	c.wire.mu.Lock()
	before := c.wire.before
	c.wire.mu.Unlock()
	if before != nil {
		before(key)
	}
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	c.wire.frames[key] = slices.Clone(b)
	c.cut = c.cut || key == c.wire.cut
	return c.Conn.Write(b)
}

func (c *wireConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	if c.cut {
		c.wire.down = true
		return 0, io.EOF
	}
	return n, err
}
