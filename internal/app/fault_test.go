package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/codecs"
	"billstream/internal/app"
	"billstream/internal/topics"
)

// external starts a broker that can be told to misbehave, with the topics, and
// returns the configuration of a process on it.
func external(t *testing.T, partitions int32) (*kfake.Cluster, app.Config) {
	t.Helper()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	c := config(t.TempDir())
	c.Brokers, c.Partitions, c.Replication = broker.ListenAddrs(), partitions, 1
	_, err = app.TopicsApply(t.Context(), app.TopicsConfig{Brokers: c.Brokers, Wait: 5 * time.Second, Partitions: partitions, Replication: 1})
	if err != nil {
		t.Fatal(err)
	}
	return broker, c
}

// startOn is start for a process on an external broker.
func startOn(t *testing.T, broker *kfake.Cluster, c app.Config) *process {
	t.Helper()
	p := start(t, c)
	p.broker = broker.ListenAddrs()[0]
	return p
}

// A write that the brokers refuse for good costs no update and leaves no gap,
// although the client had the next ones on their way already.
func TestARefusedWriteLeavesNoGap(t *testing.T) {
	t.Parallel()
	broker, c := external(t, 1)
	p := startOn(t, broker, c)
	const rounds, each, customers = 20, 100, 3
	first := time.Now().Add(-time.Hour)
	for round := range rounds {
		if round%5 == 2 {
			broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topics.BillingUpdates, Err: kerr.TopicAuthorizationFailed, Count: 1})
		}
		var batch []*kgo.Record
		for i := range each {
			n := round*each + i
			id := fmt.Sprint("c-", n%customers)
			at := first.Add(time.Duration(n) * time.Millisecond).UTC().Format(time.RFC3339Nano)
			batch = append(batch, record(id, event(fmt.Sprint("e", n), "renamed", id, at, fmt.Sprintf(`{"name":"N%d"}`, n))))
		}
		p.produce(false, batch...)
	}
	p.caughtUp()
	checkSeqs(t, p.broker)
	for i := range customers {
		want := (rounds*each + customers - 1 - i) / customers
		if got := p.account(fmt.Sprint("c-", i), float64(want))["seq"].(float64); got != float64(want) {
			t.Errorf("seq of customer %d is %v, want %d", i, got, want)
		}
	}
}

// Brokers name one that is down for some seconds more, so that a question of the
// start may go there.
func TestAStartAsksAgainWhenABrokerFails(t *testing.T) {
	t.Parallel()
	broker, c := external(t, 1)
	var asked atomic.Int32
	broker.ControlKey(int16(kmsg.DescribeConfigs), func(kmsg.Request) (kmsg.Response, error, bool) {
		broker.KeepControl()
		if asked.Add(1) > 2 {
			return nil, nil, false
		}
		return nil, errors.New("down"), true // the connection is closed
	})
	p := startOn(t, broker, c)
	if n := asked.Load(); n < 3 {
		t.Errorf("settings were asked for %d times, want again after each failure", n)
	}
	p.produce(false, record("c-1", event("e-1", "renamed", "c-1", past, `{"name":"Fine"}`)))
	p.caughtUp()
	p.account("c-1", 1)
}

// A record can be larger than its dead letter may be: brokers count compressed
// bytes. It costs its value, and not the partition.
func TestARecordTooLargeForItsLetterStopsNobody(t *testing.T) {
	t.Parallel()
	broker, c := external(t, 1)
	p := startOn(t, broker, c)
	k := p.client(kgo.ProducerBatchCompression(kgo.ZstdCompression()), kgo.ProducerBatchMaxBytes(64<<20), kgo.BrokerMaxWriteBytes(100<<20), kgo.DefaultProduceTopic(topics.CustomerEvents))
	huge := &kgo.Record{Key: []byte("c-1"), Value: bytes.Repeat([]byte("x"), 5<<20), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}}}
	if err := k.ProduceSync(t.Context(), huge, record("c-1", event("e-1", "renamed", "c-1", past, `{"name":"Fine"}`))).FirstErr(); err != nil {
		t.Fatal(err)
	}
	p.caughtUp()
	if got := p.account("c-1", 1)["name"]; got != "Fine" {
		t.Errorf("name is %v, want Fine", got)
	}
	letters := p.read(topics.DeadLetters)
	if len(letters) != 1 {
		t.Fatalf("dead letters are %d, want 1", len(letters))
	}
	h := headers(letters[0])
	if h["dlq_code"] != "too_large" || h["dlq_payload"] != "withheld" || h["a"] != "1" || letters[0].Value != nil || string(letters[0].Key) != "c-1" {
		t.Errorf("dead letter has headers %v and %d bytes, want too_large with the value left out", h, len(letters[0].Value))
	}
}

// Topics that were grown would split customers: each would begin anew, at seq 1,
// in another partition.
func TestGrownTopicsAreRefused(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"at the start", "while running"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			broker, c := external(t, 2)
			p := startOn(t, broker, c)
			var batch []*kgo.Record
			for i := range 20 {
				id := fmt.Sprint("c-", i)
				batch = append(batch, record(id, event("e-1", "renamed", id, past, `{"name":"x"}`)))
			}
			p.produce(false, batch...)
			p.caughtUp()
			ended := p.ended
			if when == "at the start" {
				if err := p.stop(); err != nil {
					t.Fatal(err)
				}
				ended = nil
			}
			grow(t, p.client(), 4)
			err := p.outcome(ended, c)
			if !errors.Is(err, app.ErrRefused) || !strings.Contains(err.Error(), "partition") {
				t.Errorf("process ended with %v, want it refused because of the partition count", err)
			}
		})
	}
}

// outcome returns how the running process ends, or with ended nil how a new one
// does.
func (p *process) outcome(ended <-chan struct{}, c app.Config) error {
	p.t.Helper()
	if ended == nil {
		a, err := app.New(c, app.Options{Version: "test"})
		if err != nil {
			p.t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
		defer cancel()
		return a.Run(ctx)
	}
	select {
	case <-ended:
		return p.result()
	case <-time.After(30 * time.Second):
		p.t.Fatal("process goes on after 30 s, want it ended")
		return nil
	}
}

// grow adds partitions to all topics.
func grow(t *testing.T, c *kgo.Client, n int32) {
	t.Helper()
	req := kmsg.NewPtrCreatePartitionsRequest()
	for _, name := range topics.Names() {
		rt := kmsg.NewCreatePartitionsRequestTopic()
		rt.Topic, rt.Count = name, n
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, rt := range resp.Topics {
		if rt.ErrorCode != 0 {
			t.Fatalf("grow %s: code %d", rt.Topic, rt.ErrorCode)
		}
	}
}

// Position rows say how far each partition has come, whatever the outcome of
// its last record, and of which life of the input topic.
func TestPositionRowsSayHowFarThePartitionHasCome(t *testing.T) {
	t.Parallel()
	p := start(t, config(t.TempDir()))
	rng := rand.New(rand.NewPCG(3, 4))
	var batch []*kgo.Record
	for i := range 200 {
		id := fmt.Sprint("c-", rng.IntN(40))
		value := event(fmt.Sprint("e-", i), "renamed", id, past, `{"name":"x"}`)
		if i%3 == 0 {
			value = "no event"
		}
		batch = append(batch, record(id, value))
	}
	p.produce(false, batch...)
	p.caughtUp()
	found := map[int32]*codecs.PositionRow{}
	for _, r := range p.read(topics.BillingTable) {
		if strings.HasPrefix(string(r.Key), codecs.PositionKeyPrefix) {
			row, err := codecs.ParsePosition(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			found[r.Partition] = row
		}
	}
	ends := p.ends(topics.CustomerEvents)
	if len(found) != len(ends) || len(ends) == 0 {
		t.Errorf("partitions with a position row are %d, want %d", len(found), len(ends))
	}
	for partition, end := range ends {
		if row := found[partition]; row == nil || row.NextOffset != end || len(row.TopicID) == 0 {
			t.Errorf("position row of partition %d is %+v, want next offset %d", partition, row, end)
		}
	}
}

// The flags of updates reach the group.
func TestUpdatesAreAsConfigured(t *testing.T) {
	t.Parallel()
	c := config(t.TempDir())
	c.UpdatesAccount, c.UpdatesEncoding = false, "json"
	p := start(t, c)
	p.produce(false, record("c-1", event("e-1", "renamed", "c-1", past, `{"name":"x"}`)))
	p.caughtUp()
	updates := p.read(topics.BillingUpdates)
	if len(updates) != 1 || !strings.HasPrefix(string(updates[0].Value), `{"customer_id":"c-1","seq":1,`) || strings.Contains(string(updates[0].Value), `"account"`) {
		t.Errorf("updates are %d, want one in JSON without the account", len(updates))
	}
}

// During the shutdown delay the process is not ready, and works all the same:
// load balancers need that time.
func TestLookupsGoOnDuringTheShutdownDelay(t *testing.T) {
	t.Parallel()
	c := config(t.TempDir())
	c.ShutdownDelay = 4 * time.Second
	p := start(t, c)
	at := p.app.Addresses()
	p.cancel()
	eventually(t, "not ready", 2*time.Second, func() bool {
		code, _, err := get(at.Admin, "/readyz")
		return err == nil && code == http.StatusServiceUnavailable
	})
	p.produce(false, record("c-1", event("e-1", "renamed", "c-1", past, `{"name":"Late"}`)))
	if got := p.account("c-1", 1)["name"]; got != "Late" {
		t.Errorf("name is %v, want Late", got)
	}
	if err := p.stop(); err != nil {
		t.Errorf("stop ended with %v, want nil", err)
	}
}

// A stop ends within its time, also when the broker hangs.
func TestAStopDoesNotWaitForABrokerThatHangs(t *testing.T) {
	t.Parallel()
	broker, c := external(t, 2)
	c.DrainTimeout = 3 * time.Second
	p := startOn(t, broker, c)
	p.produce(false, record("c-1", event("e-1", "renamed", "c-1", past, `{"name":"x"}`)))
	p.caughtUp()
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	broker.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		broker.KeepControl()
		broker.SleepControl(func() { <-hang })
		return nil, nil, false
	})
	began := time.Now()
	if err := p.stop(); err != nil {
		t.Errorf("stop ended with %v, want nil", err)
	}
	if took := time.Since(began); took > 3*c.DrainTimeout {
		t.Errorf("stop took %s, want about %s", took, c.DrainTimeout)
	}
}
