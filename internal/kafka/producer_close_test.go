package kafka_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/kafka"
)

func TestProducerCloseFlushesAndAnswersEveryRecordOnce(t *testing.T) {
	t.Parallel()
	_, c := fake(t, "t")
	p, err := kafka.OpenProducer(c, kafka.ProducerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	answers := map[int]int{}
	written := 0
	var emitting sync.WaitGroup
	for g := range 4 {
		emitting.Go(func() {
			for i := range 2000 {
				p.Send(t.Context(), "t", kafka.Record{Key: []byte("k"), Value: []byte("v")}, func(_ kafka.Position, err error) {
					mu.Lock()
					defer mu.Unlock()
					answers[g*2000+i]++
					if err == nil {
						written++
					} else if !errors.Is(err, kafka.ErrClosed) {
						t.Errorf("error is %v, want nil or %v", err, kafka.ErrClosed)
					}
				})
			}
		})
	}
	if err := p.Close(); err != nil { // while they emit
		t.Fatal(err)
	}
	emitting.Wait()
	mu.Lock()
	defer mu.Unlock()
	if len(answers) != 8000 {
		t.Errorf("records answered are %d, want 8000", len(answers))
	}
	for i, n := range answers {
		if n != 1 {
			t.Fatalf("record %d was answered %d times, want once", i, n)
		}
	}
	if written > 0 {
		if got := len(read(t, c, "t", written)); got != written {
			t.Errorf("records in the topic are %d, want %d as acknowledged", got, written)
		}
	}
	if err := p.Close(); err != nil {
		t.Errorf("error of the second close is %v, want nil", err)
	}
}

func TestProducerCloseIsBounded(t *testing.T) {
	t.Parallel()
	cluster, c := fake(t, "t")
	p, err := kafka.OpenProducer(c, kafka.ProducerOptions{FlushTimeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.SleepControl(func() { <-release })
		return nil, nil, false
	})
	var answers atomic.Int64
	pr := emit(p, "t", "k", []byte("v"))
	p.Send(t.Context(), "t", kafka.Record{Partition: 0}, func(kafka.Position, error) { answers.Add(1) })
	began := time.Now()
	err = p.Close()
	if err == nil || err.Error() != "close the producer: 2 records have no acknowledgement within 200ms, want 0" {
		t.Errorf("error is %v, want that two records have no acknowledgement", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("close took %v, want about 200ms", took)
	}
	if _, err := outcome(t, pr); !errors.Is(err, kafka.ErrClosed) {
		t.Errorf("record is answered with %v, want %v", err, kafka.ErrClosed)
	}
	// The brokers' answer comes after all, to nobody.
	close(release)
	kafka.Drain(p)
	if got := answers.Load(); got != 1 {
		t.Errorf("record was answered %d times, want once", got)
	}
	if _, err := outcome(t, emit(p, "t", "k", nil)); !errors.Is(err, kafka.ErrClosed) {
		t.Errorf("emit after the close gives %v, want %v", err, kafka.ErrClosed)
	}
}
