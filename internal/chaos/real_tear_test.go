//go:build apache

package chaos_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/kafkatest"
)

// transactor is a client that writes one record in a transaction.
type transactor interface {
	begin() error
	put(topic, value string) error
	end(commit bool) error
}

// tear commits a transaction, begins the next one, lets a late copy of the
// first one's EndTxn arrive in its middle, and aborts it. The result is what
// readers of committed records see.
func tear(t *testing.T, c *kafkatest.Cluster, w *wire, topic string, client transactor) (seen []string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...), kgo.ClientID(harness))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if made, err := kadm.NewClient(cl).CreateTopics(t.Context(), 1, 1, nil, topic); err != nil || made.Error() != nil {
		t.Fatal(err, made.Error())
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(client.begin())
	must(client.put(topic, "committed"))
	must(client.end(true))
	w.mu.Lock()
	frame := w.last[kmsg.EndTxn]
	w.mu.Unlock()
	if frame == nil {
		t.Fatal("the wire has seen no EndTxn")
	}
	must(client.begin())
	must(client.put(topic, "aborted"))
	w.send(frame, 0, func() {})
	w.later.Wait()
	_ = client.end(false) // who was torn is told that there is nothing to abort
	return committedValues(t, c, topic)
}

// committedValues reads a topic up to its end.
func committedValues(t *testing.T, c *kafkatest.Cluster, topic string) (seen []string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...), kgo.ClientID(harness), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(0)}}))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	for {
		// An end that stays open is aborted by its timeout.
		ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic)
		if err = errors.Join(err, ends.Error()); err != nil {
			t.Fatal(err)
		}
		stable, err := kadm.NewClient(cl).ListCommittedOffsets(ctx, topic)
		if err = errors.Join(err, stable.Error()); err != nil {
			t.Fatal(err)
		}
		end, _ := ends.Lookup(topic, 0)
		if s, _ := stable.Lookup(topic, 0); s.Offset < end.Offset {
			<-time.After(50 * time.Millisecond)
			continue
		}
		for next := int64(0); next < end.Offset; {
			f := cl.PollFetches(ctx)
			if err := f.Err(); err != nil {
				t.Fatal(err)
			}
			f.EachRecord(func(r *kgo.Record) {
				next = r.Offset + 1
				if !r.Attrs.IsControl() {
					seen = append(seen, string(r.Value))
				}
			})
		}
		return seen
	}
}

// saramaWriter is sarama's transactional producer as it comes.
type saramaWriter struct{ producer sarama.SyncProducer }

func newSaramaWriter(t *testing.T, c *kafkatest.Cluster) transactor {
	t.Helper()
	s := sarama.NewConfig()
	s.Version = sarama.V3_6_0_0
	s.Producer.Idempotent, s.Producer.Transaction.ID = true, "sarama"
	s.Producer.RequiredAcks = sarama.WaitForAll
	s.Producer.Return.Successes = true
	s.Net.MaxOpenRequests = 1
	p, err := sarama.NewSyncProducer(c.Addrs(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() }) // it was torn
	return saramaWriter{p}
}

func (s saramaWriter) begin() error { return s.producer.BeginTxn() }

func (s saramaWriter) put(topic, value string) error {
	_, _, err := s.producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value)})
	return err
}

func (s saramaWriter) end(commit bool) error {
	if commit {
		return s.producer.CommitTxn()
	}
	return s.producer.AbortTxn()
}

// franzWriter is the client that our writer uses.
type franzWriter struct{ client *kgo.Client }

func newFranzWriter(t *testing.T, c *kafkatest.Cluster) transactor {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...), kgo.TransactionalID("franz"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	if err := cl.Ping(t.Context()); err != nil { // or the first transaction runs under old rules
		t.Fatal(err)
	}
	return franzWriter{cl}
}

func (f franzWriter) begin() error { return f.client.BeginTransaction() }

func (f franzWriter) put(topic, value string) error {
	return f.client.ProduceSync(context.Background(), &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr()
}

func (f franzWriter) end(commit bool) error {
	return f.client.EndTransaction(context.Background(), kgo.TransactionEndTry(commit))
}
