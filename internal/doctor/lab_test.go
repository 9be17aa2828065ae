package doctor_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/doctor"
	"billstream/internal/topics"
)

// partitions of every topic of a lab.
const partitions = 4

// lab is a cluster to look at, whatever it runs on.
type lab struct {
	cfg    doctor.Config
	client *kgo.Client
	admin  *kadm.Client
}

// newLab connects to brokers.
func newLab(t *testing.T, brokers ...string) *lab {
	t.Helper()
	l := &lab{cfg: doctor.Config{Brokers: brokers, Wait: 30 * time.Second}}
	l.client = l.open(t)
	l.admin = kadm.NewClient(l.client)
	return l
}

// open makes a client that is closed with the test.
func (l *lab) open(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	opts = append([]kgo.Opt{kgo.SeedBrokers(l.cfg.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner())}, opts...)
	c, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// embedded is a lab of kfake with the topics as they should be.
func embedded(t *testing.T, nodes int, opts ...kfake.Opt) (*lab, *kfake.Cluster) {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(nodes)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	l := newLab(t, c.ListenAddrs()...)
	l.create(t, int16(nodes), nil)
	return l, c
}

// create makes the topics as they should be, after a change to one or none.
func (l *lab) create(t *testing.T, replication int16, change func(*topics.Topic) (make bool)) {
	t.Helper()
	for _, w := range topics.Wanted(topics.Options{Partitions: partitions, Replication: replication}) {
		w.Config = maps.Clone(w.Config)
		if change != nil && !change(&w) {
			continue
		}
		config := map[string]*string{}
		for k, v := range w.Config {
			config[k] = &v
		}
		if _, err := l.admin.CreateTopic(t.Context(), w.Partitions, w.Replication, config, w.Name); err != nil {
			t.Fatal(err)
		}
		eventually(t, "every partition has a leader", func(ctx context.Context) bool {
			m, err := l.admin.Metadata(ctx, w.Name)
			leaders := 0
			for _, p := range m.Topics[w.Name].Partitions {
				if p.Leader >= 0 {
					leaders++
				}
			}
			return err == nil && leaders == int(w.Partitions)
		})
	}
}

// alter sets a setting of a topic.
func (l *lab) alter(t *testing.T, topic, setting, value string) {
	t.Helper()
	done, err := l.admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: setting, Value: &value}}, topic)
	if err == nil {
		_, err = done.On(topic, func(r *kadm.AlterConfigsResponse) error { return r.Err })
	}
	if err != nil {
		t.Fatal(err)
	}
}

// customer is a key that nobody may be told.
const customer = "secret-customer"

// keyOf returns a customer whose partition is p.
func keyOf(p int32) []byte {
	for i := 0; ; i++ {
		if key := fmt.Appendf(nil, "%s-%d", customer, i); topics.Partition(key, partitions) == p {
			return key
		}
	}
}

// produce writes a record, at its own time unless that is zero.
func (l *lab) produce(t *testing.T, topic string, partition int32, key []byte, at time.Time) int64 {
	t.Helper()
	r, err := l.client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: partition, Key: key, Value: []byte("v"), Timestamp: at}).First()
	if err != nil {
		t.Fatal(err)
	}
	return r.Offset
}

// begin opens a transaction with a row in it, and leaves it open.
func (l *lab) begin(t *testing.T, id string, timeout time.Duration) *kgo.Client {
	t.Helper()
	c := l.open(t, kgo.TransactionalID(id), kgo.TransactionTimeout(timeout))
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	row := &kgo.Record{Topic: topics.BillingTable, Partition: 1, Key: keyOf(1), Value: []byte("v")}
	if err := c.ProduceSync(t.Context(), row).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return c
}

// commit sets the group's offset of one partition of the events topic.
func (l *lab) commit(t *testing.T, partition int32, at int64) {
	t.Helper()
	var o kadm.Offsets
	o.Add(kadm.Offset{Topic: topics.CustomerEvents, Partition: partition, At: at, LeaderEpoch: -1})
	eventually(t, "offsets are taken", func(ctx context.Context) bool {
		return l.admin.CommitAllOffsets(ctx, topics.Group, o) == nil
	})
}

// join makes a member of the group that stays until the end of the test.
func (l *lab) join(t *testing.T, instance string) {
	t.Helper()
	member := l.open(t, kgo.ConsumerGroup(topics.Group), kgo.ConsumeTopics(topics.BillingUpdates), kgo.InstanceID(instance),
		kgo.DisableAutoCommit(), kgo.ClientID("billstream-group"))
	stop, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() {
		for stop.Err() == nil {
			member.PollFetches(stop)
		}
	}()
	eventually(t, "the member is there", func(ctx context.Context) bool {
		g, err := l.admin.DescribeGroups(ctx, topics.Group)
		return err == nil && len(g[topics.Group].Members) == 1
	})
}

// healthy gives every check something to look at, and nothing to complain of.
func (l *lab) healthy(t *testing.T) {
	t.Helper()
	for p := range int32(partitions) {
		at := l.produce(t, topics.CustomerEvents, p, keyOf(p), time.Time{})
		l.commit(t, p, at+1)
	}
	c := l.begin(t, "billing-healthy", 20*time.Second)
	if err := c.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what another process is about to do.
func eventually(t *testing.T, what string, so func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !so(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("waited 60s, want that %s", what)
		case <-tick.C:
		}
	}
}

// look runs the doctor with a changed configuration. Nothing that it says may
// tell who a customer is.
func (l *lab) look(t *testing.T, change func(*doctor.Config)) *doctor.Report {
	t.Helper()
	c := l.cfg
	if change != nil {
		change(&c)
	}
	r, err := doctor.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		if strings.Contains(f.Sentence+f.Hint, customer) {
			t.Errorf("finding is %+v, want one without a customer", f)
		}
	}
	return r
}

// want checks that the findings of one check are those, as status and sentence.
func want(t *testing.T, r *doctor.Report, check string, sentences ...string) {
	t.Helper()
	var got []string
	for _, f := range r.Findings {
		if f.Check == check {
			got = append(got, fmt.Sprintf("%s: %s", f.Status, f.Sentence))
		}
	}
	same := len(got) == len(sentences)
	for i := range got {
		same = same && matches(sentences[i], got[i])
	}
	if !same {
		t.Errorf("%s finds\n%s\nwant\n%s", check, strings.Join(got, "\n"), strings.Join(sentences, "\n"))
	}
}

// matches compares a text with one in which … stands for what varies.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "…")
	rest, ok := strings.CutPrefix(text, parts[0])
	for i, p := range parts[1:] {
		if !ok {
			return false
		}
		if i == len(parts)-2 {
			return strings.HasSuffix(rest, p)
		}
		_, rest, ok = strings.Cut(rest, p)
	}
	return ok && rest == ""
}

// hint returns that of the first finding of a check.
func hint(r *doctor.Report, check string) string {
	for _, f := range r.Findings {
		if f.Check == check {
			return f.Hint
		}
	}
	return ""
}

// troubles returns what is not ok.
func troubles(r *doctor.Report) (list []string) {
	for _, f := range r.Findings {
		if f.Status != doctor.OK {
			list = append(list, fmt.Sprintf("%s: %s: %s", f.Status, f.Check, f.Sentence))
		}
	}
	return list
}
