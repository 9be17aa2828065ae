package verify_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/topics"
	"billstream/internal/verify"
)

// broker is a Kafka that holds a history.
type broker struct {
	t      *testing.T
	addrs  []string
	client *kgo.Client
}

func startBroker(t *testing.T, l *logs) *broker {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, names...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	b := &broker{t: t, addrs: c.ListenAddrs()}
	b.client = b.dial()
	b.load(l)
	b.commit(l.committed)
	return b
}

func (b *broker) dial(opts ...kgo.Opt) *kgo.Client {
	b.t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.addrs...), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(c.Close)
	return c
}

func kafkaRecord(topic string, p int32, r *verify.Record) *kgo.Record {
	k := &kgo.Record{Topic: topic, Partition: p, Key: r.Key, Value: r.Value, Timestamp: time.UnixMilli(r.Timestamp)}
	for _, h := range r.Headers {
		k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return k
}

// load writes the history, aborted transactions where it has them. The position
// rows hold the id of the topic, and so are made anew.
func (b *broker) load(l *logs) {
	b.t.Helper()
	tx := b.dial(kgo.TransactionalID("loader"))
	for _, topic := range names {
		c := tx
		if topic == topics.CustomerEvents {
			c = b.client
		}
		for p, part := range l.parts[topic] {
			for len(part) > 0 {
				n := 1
				for n < len(part) && part[n].aborted == part[0].aborted {
					n++
				}
				b.write(c, topic, int32(p), part[:n], c == tx)
				part = part[n:]
			}
		}
	}
}

func (b *broker) write(c *kgo.Client, topic string, p int32, part []logged, transaction bool) {
	b.t.Helper()
	if transaction {
		if err := c.BeginTransaction(); err != nil {
			b.t.Fatal(err)
		}
	}
	var records []*kgo.Record
	for i := range part {
		records = append(records, kafkaRecord(topic, p, &part[i].Record))
	}
	if err := c.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
	if transaction {
		if err := c.EndTransaction(b.t.Context(), kgo.TransactionEndTry(!part[0].aborted)); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *broker) inputID() [16]byte {
	b.t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(topics.CustomerEvents)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(b.t.Context(), b.client)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.Topics[0].TopicID
}

func (b *broker) commit(offsets map[int32]int64) {
	b.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = topics.Group, -1
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID = topics.CustomerEvents, b.inputID()
	for p, at := range offsets {
		r := kmsg.NewOffsetCommitRequestTopicPartition()
		r.Partition, r.Offset = p, at
		topic.Partitions = append(topic.Partitions, r)
	}
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(b.t.Context(), b.client)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				b.t.Fatal(err)
			}
		}
	}
}

func (b *broker) judge(cfg verify.Config) *verify.Report {
	b.t.Helper()
	cfg.Brokers = b.addrs
	r, err := verify.Run(b.t.Context(), cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// wantExit judges the broker; the position rows of the history name another
// topic than the broker's, which is an anomaly in each partition and no more.
func (b *broker) wantExit(cfg verify.Config, want int) *verify.Report {
	b.t.Helper()
	r := b.judge(cfg)
	if r.Exit() != want {
		b.t.Errorf("exit code is %d, want %d: %v %v", r.Exit(), want, r.Anomalies, r.Problems)
	}
	return r
}

func TestAbortedTransactionsAreLeftOut(t *testing.T) {
	l := history(t, 200)
	b := startBroker(t, l)
	r := b.judge(verify.Config{})
	for _, a := range r.Anomalies {
		if a.Field != "position.topic_id" {
			t.Errorf("anomaly is %v, want none but the topic id of position rows", a)
		}
	}
	if len(r.Problems) > 0 || r.Classes[verify.WrongValue] != partitions {
		t.Errorf("problems are %v, topic ids that differ %d; want none, %d", r.Problems, r.Classes[verify.WrongValue], partitions)
	}
	memory := l.judge(t, verify.Config{})
	for name, want := range memory.Counts {
		if r.Counts[name] != want {
			t.Errorf("count of %s is %d, want %d as without a broker", name, r.Counts[name], want)
		}
	}
}

func TestOnlineJudgesWhatIsBelowTheCut(t *testing.T) {
	l := history(t, 200)
	b := startBroker(t, l)
	b.wantExit(verify.Config{Online: true}, verify.ExitGood)
	for p := range l.committed {
		l.committed[p] -= 5
	}
	b.commit(l.committed)
	b.wantExit(verify.Config{Online: true}, verify.ExitGood)
	b.wantExit(verify.Config{}, verify.ExitUnprocessed)
}

func TestAHangingTransactionIsNamed(t *testing.T) {
	b := startBroker(t, history(t, 100))
	tx := b.dial(kgo.TransactionalID("hanging"))
	if err := tx.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	r := &verify.Record{Key: []byte("k"), Value: []byte("v")}
	if err := tx.ProduceSync(t.Context(), kafkaRecord(topics.BillingUpdates, 1, r)).FirstErr(); err != nil {
		t.Fatal(err)
	}
	b.wantExit(verify.Config{StableWait: 200 * time.Millisecond}, verify.ExitHanging)
}

func TestALogThatCannotBeReadIsNoPass(t *testing.T) {
	b := startBroker(t, history(t, 100))
	req := kmsg.NewPtrDeleteRecordsRequest()
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic = topics.CustomerEvents
	part := kmsg.NewDeleteRecordsRequestTopicPartition()
	part.Offset = 3
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	if _, err := req.RequestWith(t.Context(), b.client); err != nil {
		t.Fatal(err)
	}
	b.wantExit(verify.Config{}, verify.ExitIncomplete)
}

func TestBrokersThatDoNotAnswerAreNoPass(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := verify.Run(ctx, verify.Config{Brokers: []string{"127.0.0.1:1"}, ReadTimeout: 300 * time.Millisecond})
	if err != nil || r.Exit() != verify.ExitIncomplete {
		t.Errorf("report is %+v with %v, want exit code 5", r, err)
	}
}

func TestTopicsOfAnotherManifestAreRefused(t *testing.T) {
	b := startBroker(t, history(t, 100))
	file := filepath.Join(t.TempDir(), "manifest.json")
	write := func(ids map[string]string) {
		t.Helper()
		text, err := json.Marshal(ids)
		if err == nil {
			err = os.WriteFile(file, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(b.judge(verify.Config{}).Topics)
	b.wantExit(verify.Config{Online: true, Manifest: file}, verify.ExitGood)
	write(map[string]string{topics.BillingUpdates: "another"})
	b.wantExit(verify.Config{Online: true, Manifest: file}, verify.ExitOtherTopics)
}

func TestAckedEventsMustBeThere(t *testing.T) {
	l := history(t, 100)
	file := filepath.Join(t.TempDir(), "history.jsonl")
	text := `{"event":"produced","source":"/t","id":"x"}
{"event":"acked","partition":1,"offset":2}
{"event":"killed"}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := l.judge(t, verify.Config{History: file}); r.Exit() != verify.ExitGood || r.Counts["history acked"] != 1 {
		t.Errorf("exit code is %d with %d acked, want 0 with 1: %v", r.Exit(), r.Counts["history acked"], r.Anomalies)
	}
	if err := os.WriteFile(file, []byte(text+`{"event":"acked","partition":1,"offset":99999}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := l.judge(t, verify.Config{History: file}); r.Classes[verify.Lost] != 1 {
		t.Errorf("classes are %v, want one lost", r.Classes)
	}
}
