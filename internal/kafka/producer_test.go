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
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/kafka"
	"billstream/internal/topics"
)

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

// answer is what Send told of a record.
type answer struct {
	at  kafka.Position
	err error
}

// emit sends a record to where its key belongs.
func emit(p *kafka.Producer, topic, key string, value []byte) chan answer {
	answers := make(chan answer, 2)
	r := kafka.Record{Partition: kafka.AnyPartition, Key: []byte(key), Value: value}
	p.Send(context.Background(), topic, r, func(at kafka.Position, err error) { answers <- answer{at, err} })
	return answers
}

// outcome waits for an answer.
func outcome(t *testing.T, answers chan answer) (kafka.Position, error) {
	t.Helper()
	select {
	case a := <-answers:
		return a.at, a.err
	case <-within(t, 20*time.Second).Done():
		t.Fatal("record has no answer, want one")
		return kafka.Position{}, nil
	}
}

func TestProducerKeepsOrderAndPartitionsLikeJava(t *testing.T) {
	t.Parallel()
	_, c := fake(t, topics.BillingTable)
	p := openProducer(t, c, kafka.ProducerOptions{})
	const n = 3000
	var promises []chan answer
	for i := range n {
		promises = append(promises, emit(p, topics.BillingTable, fmt.Sprintf("c%d", i%100), fmt.Append(nil, i)))
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

func TestProducerWritesTombstones(t *testing.T) {
	t.Parallel()
	_, c := fake(t, "t")
	p := openProducer(t, c, kafka.ProducerOptions{})
	if _, err := outcome(t, emit(p, "t", "k", nil)); err != nil {
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
	a := openAdmin(t, c)
	for topic, limit := range map[string]string{"small": "2000", "large": "8000"} {
		if err := a.AlterConfig(t.Context(), topic, topics.MaxMessage, limit); err != nil {
			t.Fatal(err)
		}
	}
	p := openProducer(t, c, kafka.ProducerOptions{
		Limits: map[string]int{"small": 2000, "large": 8000},
	})
	value := make([]byte, 5000)
	var small []chan answer
	for range 200 { // more than one batch of the smaller limit
		small = append(small, emit(p, "small", "k", value[:1500]))
	}
	_, err := outcome(t, emit(p, "small", "k", value))
	if tooLarge, ok := errors.AsType[*kafka.TooLargeError](err); !ok || tooLarge.Topic != "small" || tooLarge.Limit != 2000-61 {
		t.Errorf("error is %v, want that the record is too large for small", err)
	}
	for _, pr := range append(small, emit(p, "large", "k", value), emit(p, "small", "k", value[:10])) {
		if _, err := outcome(t, pr); err != nil {
			t.Errorf("error beside an oversized record is %v, want nil", err)
		}
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
		_, err := outcome(t, emit(p, "t", "k", noise[:size]))
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

func TestProducerReportsWhatTheBrokerRefused(t *testing.T) {
	t.Parallel()
	cluster, c := fake(t, "small", "large")
	p := openProducer(t, c, kafka.ProducerOptions{})
	h := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "small", Err: kerr.TopicAuthorizationFailed, Count: 1})
	defer h.Remove()
	if _, err := outcome(t, emit(p, "small", "k", []byte("v"))); !errors.Is(err, sarama.ErrTopicAuthorizationFailed) {
		t.Errorf("error is %v, want %v", err, sarama.ErrTopicAuthorizationFailed)
	}
	if _, err := outcome(t, emit(p, "small", "k", []byte("v"))); err != nil {
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
