//go:build apache

package chaos_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/kafkatest"
	"billstream/internal/topics"
	"billstream/internal/verify"
)

// corpus is seven years of a real registry's customers.
const corpus = "../../cmd/billstream/corpus/dotgov-customer-events.jsonl.gz"

// TestRealCorpus sends the corpus through three brokers; the checker recomputes
// every update, row and lookup.
func TestRealCorpus(t *testing.T) {
	l := newRealLab(t)
	data, _ := l.run("w0").ready()
	sent := l.child("emit", nil, "emit", "--brokers", l.addr, "--output", "json", corpus)
	<-sent.ended
	if sent.err != nil {
		t.Fatalf("emit: %v, see %s", sent.err, filepath.Join(l.dir, "emit.log"))
	}
	const events = 93_217
	drain := l.drained(60 * time.Second)
	r := l.judgeWith(verify.Config{Views: []string{data}})
	l.report(t.Name(), r, drain)
	if r.Exit() != verify.ExitGood || r.Counts["customer.events"] != events {
		t.Errorf("checker says %d of %d events, want %d of %d: %v %v", r.Exit(), r.Counts["customer.events"], verify.ExitGood, events, r.Problems, r.Anomalies)
	}
	l.stopWorkers()
}

func TestRealKills(t *testing.T) {
	l := newRealLab(t)
	kills, events := scaled(30), scaled(50_000)
	done := l.load(events, events/(kills*13/10))
	l.killing(kills, 1200*time.Millisecond, names(3))
	done()
	l.finish(t.Name(), 45*time.Second)
}

func TestRealZombies(t *testing.T) {
	l := newRealLab(t)
	done := l.load(scaled(10_000), 600)
	l.pausing(scaled(6))
	done()
	l.finish(t.Name(), 45*time.Second)
}

func TestRealChurn(t *testing.T) {
	l := newRealLab(t)
	done := l.load(scaled(10_000), 600)
	l.run("steady").ready()
	for i := range scaled(8) {
		w := l.run(fmt.Sprintf("guest%d", i%3), "BILLSTREAM_LEAVE_ON_STOP=true")
		w.ready()
		<-time.After(l.around(500 * time.Millisecond))
		if i%4 == 3 {
			w.kill()
		} else {
			w.stop()
		}
		l.fault()
	}
	done()
	l.finish(t.Name(), 45*time.Second)
}

// TestRealStartBesideNewTopics starts workers the moment that the topics are
// made: not every broker knows them yet.
func TestRealStartBesideNewTopics(t *testing.T) {
	l := newRealLab(t)
	for i := range 3 {
		l.run(fmt.Sprintf("w%d", i)).ready()
		l.stopWorkers()
		l.clean()
		l.makeTopics()
		l.fault()
	}
	l.run("w3").ready()
	l.load(2000, 1000)()
	l.finish(t.Name(), 30*time.Second)
}

// TestRealTwins starts a second process under a name that is taken. One of the
// two leaves with code 4, and neither spoils anything.
func TestRealTwins(t *testing.T) {
	l := newRealLab(t)
	done := l.load(6000, 600)
	first := l.run("twin")
	first.ready()
	second := l.child("twin-again", nil, "run", "--brokers", l.addr, "--replication", l.copies, "--instance-id", "twin",
		"--session-timeout", l.session, "--transaction-timeout", l.patience, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
		"--data-dir", filepath.Join(l.dir, "twin-again"), "--log-format", "json")
	l.fault()
	left, stayed := first, second
	select {
	case <-first.ended:
	case <-second.ended:
		left, stayed = second, first
	case <-time.After(30 * time.Second):
		t.Fatal("both processes go on under one name, want one of them to leave")
	}
	if code := left.exitCode(); code != 4 {
		t.Errorf("%s ended with code %d, want 4", left.name, code)
	}
	done()
	l.caughtUp(30 * time.Second)
	l.alive("its twin has left", stayed)
	l.finish(t.Name(), 45*time.Second)
}

// TestRealSleepBeyondTheTransaction freezes the only worker in the middle of
// its transactions until the brokers have aborted them.
func TestRealSleepBeyondTheTransaction(t *testing.T) {
	l := newRealLab(t)
	l.env = []string{"BILLSTREAM_DELAY=eos.after-produce:400"} // most of the time is inside of one
	done := l.load(scaled(6_000), 400)
	w := l.run("w0")
	w.ready()
	for range scaled(3) {
		<-time.After(l.around(1500 * time.Millisecond))
		w.signal(syscall.SIGSTOP)
		l.fault()
		<-time.After(6 * time.Second) // twice the transaction's timeout
		w.signal(syscall.SIGCONT)
		<-time.After(500 * time.Millisecond)
		if w.dead() {
			if code := w.exitCode(); code != 4 {
				t.Errorf("worker ended with code %d after its sleep, want it to go on or 4", code)
			}
			w = l.run("w0")
		}
	}
	done()
	l.finish(t.Name(), 45*time.Second)
}

// TestRealUnstableOffsets holds the group's offsets in a foreign transaction for
// 20 s while a member joins: nobody may start from those before it.
func TestRealUnstableOffsets(t *testing.T) {
	l := newRealLab(t).patient()
	done := l.load(scaled(8_000), 250)
	first := l.run("w0")
	first.ready()
	c, err := kgo.NewClient(kgo.SeedBrokers(l.seeds()...), kgo.ClientID(harness), kgo.TransactionalID("holder"), kgo.TransactionTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	id, epoch, err := c.ProducerID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := kmsg.NewPtrTxnOffsetCommitRequest()
	r.TransactionalID, r.Group, r.ProducerID, r.ProducerEpoch = "holder", topics.Group, id, epoch
	r.Generation = -1
	tp := kmsg.NewTxnOffsetCommitRequestTopic()
	tp.Topic = topics.CustomerEvents
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = 3, 0 // it is never committed
	tp.Partitions = append(tp.Partitions, p)
	r.Topics = append(r.Topics, tp)
	if resp, err := r.RequestWith(t.Context(), c); err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatalf("hold the offsets: %v, %+v", err, resp)
	}
	l.fault()
	second := l.run("w1")
	<-time.After(20 * time.Second)
	l.alive("20 s of unstable offsets", first, second)
	end := kmsg.NewPtrEndTxnRequest()
	end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = "holder", id, epoch, false
	if resp, err := end.RequestWith(t.Context(), c); err != nil || resp.ErrorCode != 0 {
		t.Fatalf("let the offsets go: %v, %+v", err, resp)
	}
	second.ready()
	done()
	l.finish(t.Name(), heals)
}

// TestRealOldTransactionsAreRefused starts on a cluster whose finalised feature
// transaction.version is 1: there a late EndTxn tears.
func TestRealOldTransactionsAreRefused(t *testing.T) {
	c := kafkatest.Apache(t, kafkatest.Options{Features: map[string]string{"transaction.version": "1"}})
	l := onCluster(t, c)
	w := l.run("w0")
	select {
	case <-w.ended:
	case <-time.After(30 * time.Second):
		t.Fatal("worker goes on, want it to refuse")
	}
	if code := w.exitCode(); code != 3 {
		t.Errorf("worker ended with code %d, want 3", code)
	}
	said := strings.Join(w.lines, "\n")
	for _, want := range []string{"transaction.version", "kafka-features"} {
		if !strings.Contains(said, want) {
			t.Errorf("worker does not speak of %s, want it to: %s", want, said)
		}
	}
	l.guarantee = verify.AtLeastOnce
	l.run("w0").ready() // which needs no transactions
}

// TestRealControlNoFence shows that real brokers let a zombie in that writes
// without the group's metadata.
func TestRealControlNoFence(t *testing.T) {
	control(t, "no-fence", func(t *testing.T, env string) *lab {
		l := newRealLab(t)
		l.env = []string{env, "BILLSTREAM_DELAY=eos.sealed:300"}
		done := l.load(8_000, 600)
		l.pausing(6)
		done()
		return l
	})
}
