//go:build chaos

package chaos_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/topics"
)

// silence watches committed updates and knows the longest time without one in
// any partition.
type silence struct {
	mu      sync.Mutex
	last    map[int32]time.Time
	longest time.Duration
}

// listen reads billing.updates until the test ends.
func (l *lab) listen() *silence {
	l.t.Helper()
	s := &silence{last: map[int32]time.Time{}}
	c, err := kgo.NewClient(kgo.SeedBrokers(l.seeds()...), kgo.ConsumeTopics(topics.BillingUpdates), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(c.Close)
	go func() {
		for {
			f := c.PollFetches(context.Background())
			if f.IsClientClosed() {
				return
			}
			now := time.Now()
			s.mu.Lock()
			f.EachRecord(func(r *kgo.Record) {
				if at, ok := s.last[r.Partition]; ok {
					s.longest = max(s.longest, now.Sub(at))
				}
				s.last[r.Partition] = now
			})
			s.mu.Unlock()
		}
	}()
	return s
}

// take returns the longest silence since the last call, also one that lasts.
func (s *silence) take() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	longest := s.longest
	for _, at := range s.last {
		longest = max(longest, time.Since(at))
	}
	s.longest = 0
	return longest
}

// TestGaps measures how long a change of the members keeps a partition silent.
// The bounds are three times those that a quiet machine must hold.
func TestGaps(t *testing.T) {
	l := newLab(t, t.Name())
	l.run("w0").ready()
	w := l.run("w1")
	w.ready()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		l.produce(1<<30, 1000, stop)
	}()
	s := l.listen()
	<-time.After(3 * time.Second)
	s.take()
	for _, c := range []struct {
		what  string
		bound time.Duration
		wait  time.Duration
		do    func()
	}{
		{"nothing", time.Second, 3 * time.Second, func() {}},
		{"planned restart", time.Second, 4 * time.Second, func() { w.stop(); w = l.run("w1") }},
		{"kill and restart", 2 * time.Second, 5 * time.Second, func() { w.kill(); w = l.run("w1") }},
		{"join", time.Second, 4 * time.Second, func() { l.run("w2", "BILLSTREAM_LEAVE_ON_STOP=true") }},
		{"kill without restart", 16 * time.Second, 18 * time.Second, func() { w.kill() }},
	} {
		c.do()
		<-time.After(c.wait)
		got := s.take()
		table.add("Gap: %s\t\t\t\t\t\t\t\t\t\t%.2fs\tat most %v", c.what, got.Seconds(), c.bound)
		if got > 3*c.bound {
			t.Errorf("%s kept a partition silent for %v, want at most %v (three times %v)", c.what, got, 3*c.bound, c.bound)
		}
		l.fault()
	}
	close(stop)
	<-done
	l.finish(t.Name(), 45*time.Second)
}

// TestNoOps sends what changes nothing: its position is committed all the same,
// and the group's offsets are stable right after.
func TestNoOps(t *testing.T) {
	l := newLab(t, t.Name())
	l.run("w0").ready()
	c, err := kgo.NewClient(kgo.SeedBrokers(l.seeds()...), kgo.DefaultProduceTopic(topics.CustomerEvents), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var worst time.Duration
	for i := range 50 {
		value := fmt.Sprintf(`{"specversion":"1.0","id":"n-%d","source":"/chaos","type":"customer.waved.v1","subject":"customer-1","time":"2026-01-01T00:00:00Z","data":{}}`, i)
		if err := c.ProduceSync(t.Context(), &kgo.Record{Key: []byte("customer-1"), Value: []byte(value)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		l.sent++
		began := time.Now()
		for {
			sum, err := committed(t.Context(), c)
			if err == nil && sum == int64(l.sent) {
				break
			}
			if time.Since(began) > 10*time.Second {
				t.Fatalf("group stands at %d (%v) 10 s after event %d, want %d", sum, err, i, l.sent)
			}
			<-time.After(time.Millisecond)
		}
		worst = max(worst, time.Since(began))
	}
	table.add("Position of an event that changes nothing\t\t50\t\t\t\t\t\t\t\t%.3fs\tat most 0.1s", worst.Seconds())
	if worst > 3*100*time.Millisecond {
		t.Errorf("a position took %v, want at most 300 ms (three commit intervals)", worst)
	}
	l.finish(t.Name(), 30*time.Second)
}
