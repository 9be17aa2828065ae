package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"billstream/internal/kafka"
	"billstream/internal/topics"
)

// settings lists every setting that must not be a library's default.
func settings(s *sarama.Config) map[string]any {
	return map[string]any{
		"Version": s.Version, "ClientID": s.ClientID, "ChannelBufferSize": s.ChannelBufferSize,
		"AllowAutoTopicCreation": s.Metadata.AllowAutoTopicCreation,
		"RefreshFrequency":       s.Metadata.RefreshFrequency,
		"Metadata.Retry":         fmt.Sprint(s.Metadata.Retry.Max, s.Metadata.Retry.Backoff),
		"Net timeouts":           fmt.Sprint(s.Net.DialTimeout, s.Net.ReadTimeout, s.Net.WriteTimeout),
		"MaxOpenRequests":        s.Net.MaxOpenRequests,
		"IsolationLevel":         s.Consumer.IsolationLevel,
		"Return.Errors":          s.Consumer.Return.Errors,
		"Offsets.Initial":        s.Consumer.Offsets.Initial,
		"AutoCommit":             s.Consumer.Offsets.AutoCommit.Enable,
		"ResetInvalidOffsets":    s.Consumer.Group.ResetInvalidOffsets,
		"Fetch":                  fmt.Sprint(s.Consumer.Fetch.Default, s.Consumer.Fetch.Max),
		"MaxWaitTime":            s.Consumer.MaxWaitTime, "MaxProcessingTime": s.Consumer.MaxProcessingTime,
		"GroupStrategies": fmt.Sprintf("%d %s", len(s.Consumer.Group.Rebalance.GroupStrategies), s.Consumer.Group.Rebalance.GroupStrategies[0].Name()),
		"Session":         s.Consumer.Group.Session.Timeout, "Heartbeat": s.Consumer.Group.Heartbeat.Interval,
		"Rebalance": s.Consumer.Group.Rebalance.Timeout, "Rejoin": s.Consumer.Group.Rebalance.Retry.Backoff, "InstanceId": s.Consumer.Group.InstanceId,
		"RequiredAcks": s.Producer.RequiredAcks, "Idempotent": s.Producer.Idempotent,
		"Flush":           fmt.Sprint(s.Producer.Flush.Bytes, s.Producer.Flush.Messages, s.Producer.Flush.Frequency),
		"Compression":     s.Producer.Compression,
		"Producer.Retry":  fmt.Sprint(s.Producer.Retry.Max, s.Producer.Retry.Backoff),
		"MaxMessageBytes": s.Producer.MaxMessageBytes,
		"Producer.Return": fmt.Sprint(s.Producer.Return.Successes, s.Producer.Return.Errors),
	}
}

func TestSaramaConfigOfEachRole(t *testing.T) {
	reader := map[string]any{
		"Version": sarama.V3_6_0_0, "ClientID": "billstream-group", "ChannelBufferSize": 256,
		"AllowAutoTopicCreation": false, "RefreshFrequency": time.Minute, "Metadata.Retry": "120 250ms",
		"Net timeouts": "10s 30s 30s", "MaxOpenRequests": 5,
		"IsolationLevel": sarama.ReadCommitted, "Return.Errors": true, "Offsets.Initial": sarama.OffsetOldest,
		"AutoCommit": false, "ResetInvalidOffsets": false, "Fetch": "524288 0",
		"MaxWaitTime": 250 * time.Millisecond, "MaxProcessingTime": time.Second,
		"GroupStrategies": "1 " + goka.CopartitioningStrategy.Name(), "Session": 10 * time.Second,
		"Heartbeat": 100 * time.Millisecond, "Rebalance": 20 * time.Second, "Rejoin": 100 * time.Millisecond, "InstanceId": "",
		"RequiredAcks": sarama.WaitForAll, "Idempotent": false, "Flush": "0 0 0s",
		"Compression": sarama.CompressionSnappy, "Producer.Retry": "60 100ms", "MaxMessageBytes": 1048588 - 61,
		"Producer.Return": "true true",
	}
	changed := func(change map[string]any) map[string]any {
		want := map[string]any{}
		for _, m := range []map[string]any{reader, change} {
			for k, v := range m {
				want[k] = v
			}
		}
		return want
	}
	brokers := []string{"127.0.0.1:9092"}
	for _, tt := range []struct {
		name   string
		config kafka.Config
		role   kafka.Role
		want   map[string]any
	}{
		{"group", kafka.Config{Brokers: brokers}, kafka.Group, reader},
		{"static member", kafka.Config{Brokers: brokers, InstanceID: "pod-1"}, kafka.Group, changed(map[string]any{"InstanceId": "pod-1", "Session": 30 * time.Second})},
		{"short session", kafka.Config{Brokers: brokers, InstanceID: "i", SessionTimeout: time.Second}, kafka.Group, changed(map[string]any{"InstanceId": "i", "Session": time.Second})},
		{"recovery", kafka.Config{Brokers: brokers}, kafka.Table, changed(map[string]any{"ClientID": "billstream-table", "Fetch": "4194304 0"})},
		{"events", kafka.Config{Brokers: brokers, ClientID: "x"}, kafka.Events, changed(map[string]any{"Fetch": "4194304 0", "ClientID": "x-events", "Idempotent": true, "MaxOpenRequests": 1})},
	} {
		got := settings(tt.config.Sarama(tt.role))
		for k, want := range tt.want {
			if got[k] != want {
				t.Errorf("%s: %s is %v, want %v", tt.name, k, got[k], want)
			}
		}
		if len(got) != len(tt.want) {
			t.Errorf("%s: settings compared are %d, want %d", tt.name, len(got), len(tt.want))
		}
		if err := tt.config.Validate(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// goka writes the client id and the partitioner into what it gets.
func TestSaramaConfigIsFreshEachTime(t *testing.T) {
	c := kafka.Config{Brokers: []string{"127.0.0.1:9092"}}
	first := c.Sarama(kafka.Table)
	first.ClientID = "changed"
	first.Consumer.Group.Rebalance.GroupStrategies[0] = nil
	if got := settings(c.Sarama(kafka.Table)); got["ClientID"] != "billstream-table" || got["GroupStrategies"] != "1 "+goka.CopartitioningStrategy.Name() {
		t.Errorf("second config has %v and %v, want what a first one has", got["ClientID"], got["GroupStrategies"])
	}
}

func TestSaramaConfigHashesLikeJava(t *testing.T) {
	p := kafka.Config{}.Sarama(kafka.Events).Producer.Partitioner("t")
	for i := range 1000 {
		key := fmt.Sprintf("c%d", i)
		got, err := p.Partition(&sarama.ProducerMessage{Key: sarama.StringEncoder(key)}, 12)
		if want := topics.Partition([]byte(key), 12); err != nil || got != want {
			t.Fatalf("partition of %s is %d (%v), want %d", key, got, err, want)
		}
	}
}

func TestSaramaConfigDialsThroughTheHook(t *testing.T) {
	_, c := fake(t, "t")
	var dialled []string
	c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialled = append(dialled, addr)
		if _, ok := ctx.Deadline(); !ok {
			return nil, errors.New("context has no deadline, want one")
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	client, err := sarama.NewClient(c.Brokers, c.Sarama(kafka.Admin))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if len(dialled) == 0 || dialled[0] != c.Brokers[0] {
		t.Errorf("dialled %v, want %s", dialled, c.Brokers)
	}
}

func TestConfigValidate(t *testing.T) {
	for want, c := range map[string]kafka.Config{
		"brokers is empty, want HOST:PORT of at least one": {},
		`broker is "localhost", want HOST:PORT`:            {Brokers: []string{"127.0.0.1:1", "localhost"}},
	} {
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
	for _, c := range []kafka.Config{
		{Brokers: []string{"h:1"}, InstanceID: "not a name"},
		{Brokers: []string{"h:1"}, SessionTimeout: time.Millisecond},
	} {
		if err := c.Validate(); err == nil {
			t.Errorf("error of %+v is nil, want one of sarama", c)
		}
	}
}

// saramaLog is what sarama has logged in this process.
var saramaLog lockedBuffer

type lockedBuffer struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.String()
}

// The logger is a global variable of sarama's: it is set before any client.
func TestMain(m *testing.M) {
	kafka.SetLogger(slog.NewTextHandler(&saramaLog, &slog.HandlerOptions{Level: slog.LevelDebug}))
	os.Exit(m.Run())
}

func TestSetLoggerLogsAtDebugLevel(t *testing.T) {
	sarama.Logger.Println("said by a test")
	if !strings.Contains(saramaLog.String(), `level=DEBUG msg="said by a test"`) {
		t.Errorf("log is %q, want a debug line", saramaLog.String())
	}
}
