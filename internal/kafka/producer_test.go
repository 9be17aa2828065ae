package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/kafka"
	"billstream/internal/topics"
)

var _ goka.Producer = (*kafka.Producer)(nil)

func openProducer(t *testing.T, c kafka.Config, o kafka.ProducerOptions) *kafka.Producer {
	t.Helper()
	p, err := kafka.OpenProducer(c, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// outcome waits for a promise and counts how often it was answered.
func outcome(t *testing.T, p *goka.Promise) (*sarama.ProducerMessage, error) {
	t.Helper()
	type answer struct {
		m   *sarama.ProducerMessage
		err error
	}
	answers := make(chan answer, 2)
	p.ThenWithMessage(func(m *sarama.ProducerMessage, err error) { answers <- answer{m, err} })
	select {
	case a := <-answers:
		return a.m, a.err
	case <-within(t, 20*time.Second).Done():
		t.Fatal("promise is not finished, want it finished")
		return nil, nil
	}
}

func TestProducerKeepsOrderAndPartitionsLikeJava(t *testing.T) {
	t.Parallel()
	_, c := fake(t, topics.BillingTable)
	p := openProducer(t, c, kafka.ProducerOptions{})
	const n = 3000
	var promises []*goka.Promise
	for i := range n {
		promises = append(promises, p.Emit(topics.BillingTable, fmt.Sprintf("c%d", i%100), fmt.Append(nil, i)))
	}
	for i, pr := range promises {
		m, err := outcome(t, pr)
		if err != nil {
			t.Fatal(err)
		}
		if want := topics.Partition(fmt.Appendf(nil, "c%d", i%100), 3); m.Partition != want {
			t.Fatalf("record %d is in partition %d, want %d", i, m.Partition, want)
		}
	}
	last := map[string]int{}
	for _, r := range read(t, c, topics.BillingTable, n) {
		var i int
		if _, err := fmt.Sscan(string(r.Value), &i); err != nil {
			t.Fatal(err)
		}
		if before, ok := last[string(r.Key)]; ok && i != before+100 {
			t.Fatalf("%s comes as %d after %d, want %d", r.Key, i, before, before+100)
		}
		last[string(r.Key)] = i
	}
}

// unframe is a frame of the test's own: fields with bars between them.
func unframe(frame []byte) (kafka.Record, error) {
	f := strings.Split(string(frame), "|")
	if len(f) != 3 {
		return kafka.Record{}, fmt.Errorf("frame is %d fields, want 3", len(f))
	}
	r := kafka.Record{Partition: 2, Timestamp: 1_600_000_000_123, Value: []byte(f[2])}
	if f[0] != "null" {
		r.Key = []byte(f[0])
	}
	for h := range strings.SplitSeq(f[1], ",") {
		r.Headers = append(r.Headers, kafka.Header{Key: h, Value: []byte(h)})
	}
	return r, nil
}

func TestProducerTakesFramesApart(t *testing.T) {
	t.Parallel()
	_, c := fake(t, topics.DeadLetters, topics.BillingTable)
	p := openProducer(t, c, kafka.ProducerOptions{Framed: []string{topics.DeadLetters}, Unframe: unframe})
	for _, frame := range []string{"null|z,a,z|v1", "|b|v2", "k|c,a|"} {
		if _, err := outcome(t, p.EmitWithHeaders(topics.DeadLetters, "ignored", []byte(frame), goka.Headers{"y": []byte("1"), "x": []byte("2")})); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := outcome(t, p.Emit(topics.DeadLetters, "", []byte("broken"))); err == nil ||
		err.Error() != "take the frame for billing.dlq apart: frame is 1 fields, want 3" {
		t.Errorf("error of a broken frame is %v, want that it cannot be taken apart", err)
	}
	// The same bytes to a topic without frames are a value.
	if _, err := outcome(t, p.Emit(topics.BillingTable, "k", []byte("a|b|c"))); err != nil {
		t.Fatal(err)
	}
	want := []string{"2@0 <null>: v1 [z=z a=a z=z x=2 y=1]", "2@1 : v2 [b=b x=2 y=1]", "2@2 k:  [c=c a=a x=2 y=1]"}
	for i, r := range read(t, c, topics.DeadLetters, 3) {
		if got := line(r); got != want[i] {
			t.Errorf("letter is %q, want %q", got, want[i])
		}
		if r.Timestamp.UnixMilli() != 1_600_000_000_123 {
			t.Errorf("timestamp is %d, want 1600000000123", r.Timestamp.UnixMilli())
		}
	}
	if got, want := string(read(t, c, topics.BillingTable, 1)[0].Value), "a|b|c"; got != want {
		t.Errorf("value is %q, want %q", got, want)
	}
}

func TestProducerWritesTombstones(t *testing.T) {
	t.Parallel()
	_, c := fake(t, "t")
	p := openProducer(t, c, kafka.ProducerOptions{})
	if _, err := outcome(t, p.Emit("t", "k", nil)); err != nil {
		t.Fatal(err)
	}
	if got := read(t, c, "t", 1)[0]; got.Value != nil {
		t.Errorf("value is %q, want null", got.Value)
	}
}

// Each topic has its own limit, and a record beyond it harms no other.
func TestProducerRefusesOneOversizedRecordAlone(t *testing.T) {
	t.Parallel()
	_, c := fake(t, "small", "large")
	reg := prometheus.NewRegistry()
	a := openAdmin(t, c)
	for topic, limit := range map[string]string{"small": "2000", "large": "8000"} {
		if err := a.AlterConfig(t.Context(), topic, topics.MaxMessage, limit); err != nil {
			t.Fatal(err)
		}
	}
	p := openProducer(t, c, kafka.ProducerOptions{
		Limits:  map[string]int{"small": 2000, "large": 8000},
		Metrics: kafka.NewProducerMetrics(reg, "billing", "small", "large"),
	})
	value := make([]byte, 5000)
	var small []*goka.Promise
	for range 200 { // more than one batch of the smaller limit
		small = append(small, p.Emit("small", "k", value[:1500]))
	}
	_, err := outcome(t, p.Emit("small", "k", value))
	if tooLarge, ok := errors.AsType[*kafka.TooLargeError](err); !ok || tooLarge.Topic != "small" || tooLarge.Limit != 2000-61 {
		t.Errorf("error is %v, want that the record is too large for small", err)
	}
	for _, pr := range append(small, p.Emit("large", "k", value), p.Emit("small", "k", value[:10])) {
		if _, err := outcome(t, pr); err != nil {
			t.Errorf("error beside an oversized record is %v, want nil", err)
		}
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(emitErrors("too_large", "small")), "billstream_emit_errors_total"); err != nil {
		t.Error(err)
	}
}

// The largest record that passes our check must pass the broker's.
func TestProducerLimitIsTheBrokers(t *testing.T) {
	t.Parallel()
	_, c := fake(t, "t")
	if err := openAdmin(t, c).AlterConfig(t.Context(), "t", topics.MaxMessage, "2000"); err != nil {
		t.Fatal(err)
	}
	p := openProducer(t, c, kafka.ProducerOptions{Limits: map[string]int{"t": 2000}})
	noise := make([]byte, 2000) // that does not compress
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	passed := 0
	for size := 1700; size <= 2000; size += 10 {
		_, err := outcome(t, p.Emit("t", "k", noise[:size]))
		switch _, ours := errors.AsType[*kafka.TooLargeError](err); {
		case err == nil:
			passed = size
		case !ours:
			t.Fatalf("error at %d bytes is %v, want nil or ours", size, err)
		}
	}
	if passed < 1850 {
		t.Errorf("largest record that passed is %d bytes, want at least 1850 of 2000", passed)
	}
}

// emitErrors is the whole family with 1 for one reason of one topic.
func emitErrors(reason, topic string) string {
	var b strings.Builder
	b.WriteString("# HELP billstream_emit_errors_total Records that could not be written, by reason.\n# TYPE billstream_emit_errors_total counter\n")
	for _, to := range []string{"large", "small"} {
		for _, r := range []string{"fenced", "other", "timeout", "too_large", "unauthorized", "unavailable"} {
			n := 0
			if r == reason && to == topic {
				n = 1
			}
			fmt.Fprintf(&b, "billstream_emit_errors_total{group=\"billing\",reason=%q,topic=%q} %d\n", r, to, n)
		}
	}
	return b.String()
}

func TestProducerReportsWhatTheBrokerRefused(t *testing.T) {
	t.Parallel()
	cluster, c := fake(t, "small", "large")
	reg := prometheus.NewRegistry()
	p := openProducer(t, c, kafka.ProducerOptions{Metrics: kafka.NewProducerMetrics(reg, "billing", "small", "large")})
	h := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "small", Err: kerr.TopicAuthorizationFailed, Count: 1})
	defer h.Remove()
	if _, err := outcome(t, p.Emit("small", "k", []byte("v"))); !errors.Is(err, sarama.ErrTopicAuthorizationFailed) {
		t.Errorf("error is %v, want %v", err, sarama.ErrTopicAuthorizationFailed)
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(emitErrors("unauthorized", "small")), "billstream_emit_errors_total"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint says %v %v, want nothing", problems, err)
	}
	if _, err := outcome(t, p.Emit("small", "k", []byte("v"))); err != nil {
		t.Errorf("error of the next record is %v, want nil", err)
	}
}

func TestProducerSendTellsThePosition(t *testing.T) {
	t.Parallel()
	_, c := fake(t, topics.CustomerEvents)
	p := openProducer(t, c, kafka.ProducerOptions{Role: kafka.Events})
	var got []string
	for range 3 {
		done := make(chan string, 1)
		p.Send(t.Context(), topics.CustomerEvents, kafka.Record{Partition: 1, Value: []byte("v")}, func(p kafka.Position, err error) {
			done <- fmt.Sprint(p, err)
		})
		got = append(got, <-done)
	}
	want := []string{"customer.events/1@0 <nil>", "customer.events/1@1 <nil>", "customer.events/1@2 <nil>"}
	if !slices.Equal(got, want) {
		t.Errorf("positions are %q, want %q", got, want)
	}
	// The first partition is a choice, and not that none was made.
	where := make(chan string, 1)
	elsewhere := topics.PositionKey(2, 3)
	p.Send(t.Context(), topics.CustomerEvents, kafka.Record{Partition: 0, Key: elsewhere}, func(p kafka.Position, err error) {
		where <- fmt.Sprint(p, err)
	})
	if got, want := <-where, "customer.events/0@0 <nil>"; got != want {
		t.Errorf("position is %s, want %s", got, want)
	}
	done := make(chan error, 1)
	p.Send(t.Context(), topics.CustomerEvents, kafka.Record{Partition: 3}, func(_ kafka.Position, err error) { done <- err })
	if err := <-done; !errors.Is(err, sarama.ErrInvalidPartition) {
		t.Errorf("error of partition 3 of 3 is %v, want %v", err, sarama.ErrInvalidPartition)
	}
}

func TestProducerWriteWaitsForAllAcks(t *testing.T) {
	t.Parallel()
	cluster, c := fake(t, "t")
	p := openProducer(t, c, kafka.ProducerOptions{})
	var records []kafka.Record
	for i := range int32(3) {
		records = append(records, kafka.Record{Partition: i, Key: topics.PositionKey(i, 3), Value: []byte("p")})
	}
	if err := p.Write(t.Context(), "t", records); err != nil {
		t.Fatal(err)
	}
	for i := range int32(3) {
		if got := cluster.PartitionInfo("t", i).HighWatermark; got != 1 {
			t.Errorf("end of partition %d after the write is %d, want 1", i, got)
		}
	}
	h := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "t", Partitions: []int32{1}, Err: kerr.InvalidRecord, Count: 1})
	defer h.Remove()
	if err := p.Write(t.Context(), "t", records); err == nil || !strings.HasPrefix(err.Error(), "write to t: ") {
		t.Errorf("error is %v, want that of partition 1", err)
	}
	if err := p.Write(t.Context(), "t", nil); err != nil {
		t.Errorf("error of nothing to write is %v, want nil", err)
	}
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("session is over"))
	if err := p.Write(ended, "t", records); err == nil || err.Error() != "write to t: session is over" {
		t.Errorf("error after the end is %v, want its cause", err)
	}
}
