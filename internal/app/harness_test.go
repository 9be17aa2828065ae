package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/codecs"
	"billstream/internal/app"
	"billstream/internal/topics"
)

// process is an App that runs in the test.
type process struct {
	t      *testing.T
	app    *app.App
	broker string
	cancel func()
	ready  chan struct{} // closed when it first got ready
	ended  chan struct{} // closed when Run has returned
	err    error         // of Run, once ended
	known  bool          // somebody has looked at err
}

// stop drains the process and returns the error of Run.
func (p *process) stop() error {
	p.cancel()
	<-p.ended
	return p.result()
}

// result returns the error of Run, once it has ended.
func (p *process) result() error {
	p.known = true
	return p.err
}

// config returns the configuration of a process with its state in dir, on free
// ports.
func config(dir string) app.Config {
	return app.Config{
		DataDir: dir, Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", EmbeddedListen: "127.0.0.1:0",
		UpdatesAccount: true, CommitInterval: 50 * time.Millisecond,
	}
}

// start runs a process until the test ends and waits until it is ready.
func start(t *testing.T, c app.Config) *process {
	t.Helper()
	p := begin(t, c, t.Output())
	select {
	case <-p.ready:
	case <-p.ended:
		t.Fatalf("process ended with %v, want it ready", p.result())
	case <-time.After(30 * time.Second):
		t.Fatal("process is not ready after 30 s")
	}
	p.broker = p.app.Addresses().Broker
	return p
}

// begin runs a process until the test ends. What it has to say goes to out.
func begin(t *testing.T, c app.Config, out io.Writer) *process {
	t.Helper()
	ready := make(chan struct{})
	a, err := app.New(c, app.Options{
		Log:     slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelInfo}),
		Notice:  out,
		Version: "test",
		OnReady: func(context.Context, *app.App) error { close(ready); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	p := &process{t: t, app: a, cancel: cancel, ready: ready, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		p.err = a.Run(ctx)
	}()
	t.Cleanup(func() {
		if known := p.known; p.stop() != nil && !known {
			t.Errorf("process ended with %v, want a clean stop", p.err)
		}
	})
	return p
}

// client returns a Kafka client for the process's broker that shares no code
// with the product.
func (p *process) client(opts ...kgo.Opt) *kgo.Client {
	p.t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(p.broker)}, opts...)...)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(c.Close)
	return c
}

// produce writes records to customer.events, each to its own partition number
// when manual, else where Kafka's default partitioner puts the key.
func (p *process) produce(manual bool, records ...*kgo.Record) {
	p.t.Helper()
	partitioner := kgo.StickyKeyPartitioner(nil)
	if manual {
		partitioner = kgo.ManualPartitioner()
	}
	p.send(topics.CustomerEvents, partitioner, records)
}

// write writes records to any topic, each to its own partition number.
func (p *process) write(topic string, records ...*kgo.Record) {
	p.t.Helper()
	p.send(topic, kgo.ManualPartitioner(), records)
}

func (p *process) send(topic string, partitioner kgo.Partitioner, records []*kgo.Record) {
	p.t.Helper()
	c := p.client(kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(partitioner))
	if err := c.ProduceSync(p.t.Context(), records...).FirstErr(); err != nil {
		p.t.Fatal(err)
	}
}

// caughtUp waits until everything produced so far is processed and committed.
func (p *process) caughtUp() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 4*time.Minute)
	defer cancel()
	if err := p.app.CaughtUp(ctx, nil); err != nil {
		p.t.Fatal(err)
	}
	// The brokers know of a commit before the process has counted it.
	for p.families()["billstream_staged_records"].GetMetric()[0].GetGauge().GetValue() > 0 {
		<-time.After(time.Millisecond)
	}
}

// read returns all records of a topic that a read-committed consumer sees.
func (p *process) read(topic string) []*kgo.Record {
	p.t.Helper()
	end := p.ends(topic)
	c := p.client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(p.t.Context(), 4*time.Minute)
	defer cancel()
	var records []*kgo.Record
	for missing(end) {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			p.t.Fatalf("read %s: %v", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
			if r.Offset+1 >= end[r.Partition] { // a marker ends the partition
				delete(end, r.Partition)
			}
		})
	}
	return records
}

func missing(end map[int32]int64) bool { return len(end) > 0 }

// ends returns the end offset of each partition of topic that is not empty.
func (p *process) ends(topic string) map[int32]int64 {
	p.t.Helper()
	end, err := endOffsets(p.t.Context(), p.client(), topic)
	if err != nil {
		p.t.Fatal(err)
	}
	return end
}

// get asks the data listener and returns status and body.
func (p *process) get(path string) (int, []byte) {
	p.t.Helper()
	code, body, err := get(p.app.Addresses().Data, path)
	if err != nil {
		p.t.Fatal(err)
	}
	return code, body
}

// account returns one account as JSON, waiting until the view shows at least
// seq: lookups trail commits by some milliseconds.
func (p *process) account(id string, seq float64) map[string]any {
	p.t.Helper()
	var last string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		code, body := p.get("/v1/accounts/" + url.PathEscape(id))
		last = fmt.Sprintf("%d %s", code, body)
		account := map[string]any{}
		if code == http.StatusOK && json.Unmarshal(body, &account) == nil && account["seq"].(float64) >= seq {
			return account
		}
		<-time.After(5 * time.Millisecond)
	}
	p.t.Fatalf("account is %s after 10 s, want seq %v", last, seq)
	return nil
}

func get(addr, path string) (int, []byte, error) {
	r, err := http.Get("http://" + addr + path)
	if err != nil {
		return 0, nil, err
	}
	body, err := io.ReadAll(r.Body)
	return r.StatusCode, body, errors.Join(err, r.Body.Close())
}

// record returns an event as a plain structured record, as any producer could
// write it.
func record(key, value string, headers ...codecs.Header) *kgo.Record {
	r := &kgo.Record{Value: []byte(value), Timestamp: time.Now()}
	if key != "" {
		r.Key = []byte(key)
	}
	for _, h := range headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return r
}

// event returns a structured CloudEvent.
func event(id, kind, subject, at, data string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/test","type":"customer.%s.v1","subject":%q,"time":%q,"datacontenttype":"application/json","data":%s}`,
		id, kind, subject, at, data)
}
