//go:build apache

package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
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
	r := l.judge("--views", data)
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
	l.env = []string{"BILLSTREAM_DELAY=eos.sealed:300"} // most of the time has an epoch to write
	done := l.load(scaled(10_000), 600)
	l.pausing(scaled(6))
	done()
	l.fenced()
	l.finish(t.Name(), 45*time.Second)
}

// fenced wants at least one epoch that was refused: else nothing was tried.
func (l *lab) fenced() {
	l.t.Helper()
	n := 0
	for _, w := range l.workers {
		n += w.said("epoch dropped")
	}
	if n == 0 {
		l.t.Error("no epoch was refused, want some: the freezes met nothing")
	}
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

// TestRealSleepBeyondTheTransaction freezes the only worker in the middle of its
// transactions until the brokers have aborted them.
func TestRealSleepBeyondTheTransaction(t *testing.T) {
	l := newRealLab(t)
	l.session = "30s" // the group waits: what ends is the transaction alone
	l.env = []string{"BILLSTREAM_DELAY=eos.after-produce:2000"}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		l.produce(1<<30, 400, stop)
	}()
	end := sync.OnceFunc(func() { close(stop); <-done })
	t.Cleanup(end)
	w := l.run("w0")
	w.ready()
	for range scaled(3) {
		dropped := w.said("epoch dropped")
		l.freezeWithin(w, 500*time.Millisecond, 1500*time.Millisecond)
		l.fault()
		l.eventually(30*time.Second, "brokers have aborted the transaction", func(context.Context) error {
			if state := l.transaction(w).State; state != "CompleteAbort" && state != "Empty" {
				return fmt.Errorf("transaction is %s", state)
			}
			return nil
		})
		w.signal(syscall.SIGCONT)
		l.eventually(30*time.Second, "worker has dropped the epoch, or left", func(context.Context) error {
			if w.said("epoch dropped") == dropped && !w.dead() {
				return errors.New("epoch was not refused")
			}
			return nil
		})
		if w.dead() {
			if code := w.exitCode(); code != 4 {
				t.Errorf("worker ended with code %d after its sleep, want it to go on or 4", code)
			}
			w = l.run("w0")
		}
		l.caughtUp(heals)
	}
	end()
	l.finish(t.Name(), 45*time.Second)
}

// TestRealUnstableOffsets freezes a worker inside of a transaction for 20 s while
// another one takes over: that one must not start from the offsets before the
// transaction, which is committed in the end.
func TestRealUnstableOffsets(t *testing.T) {
	l := newRealLab(t)
	l.unstable()
	l.finish(t.Name(), heals)
}

func (l *lab) unstable() {
	l.t.Helper()
	l.patience = "60s" // brokers leave the transaction open
	done := l.load(scaled(10_000), 250)
	first := l.run("w0", "BILLSTREAM_DELAY=eos.after-produce:8000")
	first.ready()
	<-time.After(9 * time.Second) // the second transaction has many records, bad ones too
	l.freezeWithin(first, 5*time.Second, 7*time.Second)
	l.fault()
	second := l.run("w1")
	<-time.After(20 * time.Second)
	open := l.transaction(first)
	if open.State != "Ongoing" {
		l.t.Errorf("transaction of the frozen worker is %s after 20 s, want it open", open.State)
	}
	if second.said("ready: ") > 0 && len(l.env) == 0 { // a control may be
		l.t.Error("second worker is ready beside an open transaction, want it to wait for the offsets")
	}
	// The worker's last word gets through, and it dies. Were it to live, it would
	// join again, and all would look at the offsets anew.
	end := kmsg.NewPtrEndTxnRequest()
	end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = open.TxnID, open.ProducerID, open.ProducerEpoch, true
	if resp, err := end.RequestWith(l.t.Context(), l.client()); err != nil || resp.ErrorCode != 0 {
		l.t.Fatalf("end the transaction: %v, %+v", err, resp)
	}
	first.kill()
	second.ready()
	done()
}

// freezeWithin freezes a worker that waits for long in the middle of each
// transaction, when all its records have been written: one that is so old.
func (l *lab) freezeWithin(w *worker, from, to time.Duration) {
	l.t.Helper()
	l.eventually(60*time.Second, "worker waits inside of a transaction", func(context.Context) error {
		before := l.transaction(w)
		age := time.Since(time.UnixMilli(before.StartTimestamp))
		if before.State != "Ongoing" || age < from || age > to {
			return fmt.Errorf("transaction is %s for %v, want it open for %v to %v", before.State, age, from, to)
		}
		w.signal(syscall.SIGSTOP)
		if now := l.transaction(w); now.State != "Ongoing" || now.ProducerEpoch != before.ProducerEpoch {
			w.signal(syscall.SIGCONT)
			return fmt.Errorf("transaction is %s of epoch %d, want that of epoch %d open", now.State, now.ProducerEpoch, before.ProducerEpoch)
		}
		return nil
	})
}

// transaction is how the transaction of a worker stands.
func (l *lab) transaction(w *worker) kadm.DescribedTransaction {
	l.t.Helper()
	id := topics.Group + "-" + w.name
	all, err := l.admin().DescribeTransactions(l.t.Context(), id)
	if err != nil {
		return kadm.DescribedTransaction{State: err.Error()} // asked again by who needs another answer
	}
	return all[id]
}

// TestRealControlUnstableOffsets shows that real brokers give out the offsets
// before an open transaction to who does not ask for stable ones.
func TestRealControlUnstableOffsets(t *testing.T) {
	control(t, "unstable-offsets", func(t *testing.T, env string) *lab {
		l := newRealLab(t)
		l.env = []string{env}
		l.unstable()
		return l
	})
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
