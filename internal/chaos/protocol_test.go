//go:build chaos

package chaos_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestConnectionDeaths(t *testing.T) {
	l, _, w := newFakeLab(t, t.Name())
	for _, id := range names(2) {
		l.run(id).ready()
	}
	stop, deaths := make(chan struct{}), make(chan int)
	go func() { deaths <- w.kill(stop) }()
	l.load(scaled(20_000), 1000)()
	close(stop)
	if l.faults = <-deaths; l.faults == 0 {
		t.Error("no connection has died")
	}
	l.finish(t.Name(), 60*time.Second)
}

func TestLateCopies(t *testing.T) {
	l, _, w := newFakeLab(t, t.Name())
	w.copies[kmsg.EndTxn], w.copies[kmsg.TxnOffsetCommit] = true, true
	for _, id := range names(2) {
		l.run(id).ready()
	}
	l.load(scaled(20_000), 1000)()
	l.faults = w.late(t, kmsg.EndTxn, kmsg.TxnOffsetCommit)
	l.finish(t.Name(), 45*time.Second)
}

// cell is one fault of the protocol matrix.
type cell struct {
	key      kmsg.Key
	fault    string
	position string
}

// The dimensions of the matrix.
var (
	apis = []kmsg.Key{
		kmsg.Produce, kmsg.OffsetFetch, kmsg.JoinGroup, kmsg.Heartbeat, kmsg.SyncGroup,
		kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.EndTxn, kmsg.TxnOffsetCommit,
	}
	codes = map[string]func(kmsg.Key) *kerr.Error{
		"a retriable code": func(k kmsg.Key) *kerr.Error {
			if k == kmsg.Produce {
				return kerr.NotLeaderForPartition
			}
			return kerr.CoordinatorLoadInProgress
		},
		"a fencing code": func(k kmsg.Key) *kerr.Error {
			switch k {
			case kmsg.Produce, kmsg.InitProducerID, kmsg.EndTxn, kmsg.AddPartitionsToTxn:
				return kerr.InvalidProducerEpoch
			}
			return kerr.IllegalGeneration
		},
		"a fatal code":           func(kmsg.Key) *kerr.Error { return kerr.UnknownServerError },
		"timed out, but applied": func(kmsg.Key) *kerr.Error { return kerr.RequestTimedOut },
	}
	kinds     = []string{cutBefore, cutAfter, answerLate, appliedLate, "a retriable code", "a fencing code", "a fatal code", "timed out, but applied"}
	positions = []string{"first use", "steady state", "shutdown"}
)

// TestProtocolFaults goes through a seeded sample of the matrix. A cell whose
// fault never happened says nothing, and is listed so.
func TestProtocolFaults(t *testing.T) {
	l, c, w := newFakeLab(t, t.Name())
	var all []cell
	for _, api := range apis {
		for _, k := range kinds {
			for _, p := range positions {
				all = append(all, cell{api, k, p})
			}
		}
	}
	l.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	all = all[:min(len(all), scaled(60))]
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		l.produce(1<<30, 300, stop)
	}()
	client, err := kgo.NewClient(kgo.SeedBrokers(l.seeds()...), kgo.ClientID(harness))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	steady, guest := l.run("steady"), l.run("guest")
	steady.ready()
	guest.ready()
	missed := 0
	for _, x := range all {
		happened := l.inject(c, w, x, &guest)
		for _, one := range []**worker{&steady, &guest} {
			if (*one).dead() { // told that somebody else has its name
				*one = l.run((*one).name)
			}
		}
		if !happened {
			missed++
			t.Logf("not applicable: %v: %s: %s: no such request within 1.5 s", x.key.Name(), x.fault, x.position)
			continue
		}
		l.fault()
		if took, err := l.progress(client, 45*time.Second); err != nil {
			t.Errorf("%v: %s: %s: no progress %v later: %v", x.key.Name(), x.fault, x.position, took, err)
		}
	}
	close(stop)
	<-done
	t.Logf("%d cells, %d of them not applicable", len(all), missed)
	l.finish(fmt.Sprintf("%s (%d n/a)", t.Name(), missed), 60*time.Second)
}

// inject arms a fault, brings about its position and reports whether it
// happened.
func (l *lab) inject(c *kfake.Cluster, w *wire, x cell, guest **worker) bool {
	hits := func() bool { return w.hits() > 0 }
	w.arm(&fault{key: x.key, kind: x.fault})
	if code, ok := codes[x.fault]; ok {
		h := c.Fault(kfake.Fault{Keys: []kmsg.Key{x.key}, Err: code(x.key), Count: 1, When: ofWorker})
		defer h.Remove()
		hits = func() bool { return h.Hits() > 0 }
	}
	switch x.position {
	case "first use":
		(*guest).kill()
		*guest = l.run("guest")
	case "shutdown":
		(*guest).signal(syscall.SIGTERM)
		defer func() {
			<-(*guest).ended
			*guest = l.run("guest")
		}()
	}
	for until := time.Now().Add(1500 * time.Millisecond); time.Now().Before(until); <-time.After(10 * time.Millisecond) {
		if hits() {
			return true
		}
	}
	w.arm(&fault{})
	return hits()
}

// ofWorker reports whether a request is not the generator's.
func ofWorker(r kmsg.Request) bool {
	p, ok := r.(*kmsg.ProduceRequest)
	return !ok || p.TransactionID != nil
}

// progress waits until the group has committed more than it has now.
func (l *lab) progress(c *kgo.Client, most time.Duration) (time.Duration, error) {
	began := time.Now()
	before := int64(-1)
	var last error
	for time.Since(began) < most {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		sum, err := committed(ctx, c)
		cancel()
		switch last = err; {
		case err != nil:
		case before < 0:
			before = sum
		case sum > before:
			return time.Since(began), nil
		}
		<-time.After(20 * time.Millisecond)
	}
	return time.Since(began), fmt.Errorf("group stands at %d: %w", before, last)
}
