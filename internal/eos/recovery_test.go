package eos_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"billstream/internal/eos"
	"billstream/internal/store"
	"billstream/internal/topics"
)

// breaking is a consumer whose first partition readers end early, as sarama's
// do when the next offset is out of range: both channels are closed.
type breaking struct {
	sarama.Consumer
	after int           // messages until the break
	left  atomic.Int32  // readers that break
	hold  chan struct{} // instead of breaking, wait for this to close; may be nil
	held  chan struct{} // told when a reader waits
}

func (b *breaking) ConsumePartition(topic string, partition int32, offset int64) (sarama.PartitionConsumer, error) {
	pc, err := b.Consumer.ConsumePartition(topic, partition, offset)
	if err != nil || b.left.Add(-1) < 0 {
		return pc, err
	}
	out := &broken{PartitionConsumer: pc, messages: make(chan *sarama.ConsumerMessage), done: make(chan struct{})}
	go func() {
		defer close(out.messages)
		for range b.after {
			out.messages <- <-pc.Messages()
		}
		if b.hold != nil {
			b.held <- struct{}{}
			select {
			case <-b.hold:
			case <-out.done:
			}
		}
	}()
	return out, nil
}

type broken struct {
	sarama.PartitionConsumer
	messages chan *sarama.ConsumerMessage
	done     chan struct{}
	closed   atomic.Bool
}

func (b *broken) Messages() <-chan *sarama.ConsumerMessage { return b.messages }

func (b *broken) AsyncClose() {
	if b.closed.CompareAndSwap(false, true) {
		close(b.done)
		b.PartitionConsumer.AsyncClose()
		go func() {
			for range b.PartitionConsumer.Messages() {
			}
		}()
	}
}

// fill writes n rows of the table's partition 0 and returns them.
func (w *world) fill(n int) map[string]string {
	rows := map[string]string{}
	for i := range n {
		k := fmt.Sprintf("row-%d", i%(n/2)) // each key twice
		rows[k] = fmt.Sprint(i)
		w.write(&sarama.ProducerMessage{Topic: tableTopic, Key: sarama.StringEncoder(k), Value: sarama.StringEncoder(rows[k])})
	}
	return rows
}

// bases returns bases that a view follows. consumer reads them at a recovery,
// and what changes in them later.
func (w *world) bases(change func(*eos.BasesConfig), consumer sarama.Consumer) *eos.Bases {
	c := eos.BasesConfig{
		Table: tableTopic, Partitions: w.partitions, Followed: true,
		Open:        empty,
		Reset:       func(int32) (eos.Store, error) { return store.NewArena(), nil },
		NewConsumer: func([]string, string) (sarama.Consumer, error) { return consumer, nil },
	}
	if change != nil {
		change(&c)
	}
	return eos.NewBases(c)
}

func empty(context.Context, int32) (eos.Store, int64, time.Time, error) {
	return store.NewArena(), 0, time.Time{}, nil
}

// view runs a goka view of the table until the test ends, which waits for it.
func (w *world) view(recovery *eos.Recovery, bases *eos.Bases, consumer sarama.Consumer) (ended chan error, stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	opts := append([]goka.ViewOption{
		goka.WithViewConsumerSaramaBuilder(func([]string, string) (sarama.Consumer, error) { return consumer, nil }),
		goka.WithViewHasher(topics.NewHasher),
		goka.WithViewLogger(slog.NewLogLogger(slog.DiscardHandler, 0)),
		goka.WithViewAutoReconnect(),
		goka.WithViewBackoffBuilder(func() (goka.Backoff, error) { return goka.NewSimpleBackoff(20*time.Millisecond, time.Second), nil }),
	}, bases.ViewOptions(ctx, recovery, topicManager)...)
	v, err := goka.NewView(brokersOf(w.cluster), tableTopic, bytesCodec{}, opts...)
	if err != nil {
		w.t.Fatal(err)
	}
	ended = make(chan error, 1)
	var running sync.WaitGroup
	running.Go(func() { ended <- v.Run(ctx) })
	w.t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return ended, cancel
}

func (w *world) consumer() sarama.Consumer {
	c, err := sarama.NewConsumer(brokersOf(w.cluster), config("view"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

// contents are the rows of a partition, without those of positions.
func contents(b *eos.Base) map[string]string {
	rows := map[string]string{}
	arena, ok := b.Rows().(*store.Arena)
	if !ok {
		return rows
	}
	err := arena.Ascend("", func(k string, v []byte) bool {
		if !strings.HasPrefix(k, "~") {
			rows[k] = string(v)
		}
		return true
	})
	if err != nil {
		panic(err)
	}
	return rows
}

func TestABrokenOffRecoveryGoesOnAndIsNeverReadyBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	rows := w.fill(200)
	var early, fewer atomic.Bool // fewer: than the table had when it was filled
	var bases *eos.Bases
	var recovery *eos.Recovery
	recovery = eos.NewRecovery(eos.RecoveryConfig{
		Table: tableTopic, Role: eos.View, Registerer: newRegistry(), Log: quiet(t), Start: w.start,
		End: func(ctx context.Context, topic string, p int32, blocked func(int64)) (int64, error) {
			if _, ok := recovery.Ready(p); !fewer.Load() && (ok || bases.At(p).Whole()) && !maps.Equal(contents(bases.At(p)), rows) {
				early.Store(true)
			}
			return w.end(ctx, topic, p, blocked)
		},
		CheckEnd: func(p int32, get func(string) ([]byte, error)) error {
			for k, want := range rows {
				if v, err := get(k); !fewer.Load() && (err != nil || string(v) != want) {
					t.Errorf("at the end of recovery %s is %q, %v, want %q", k, v, err, want)
				}
			}
			return nil
		},
	})
	b := &breaking{Consumer: w.consumer(), after: 57}
	b.left.Store(2)
	bases = w.bases(nil, b)
	w.view(recovery, bases, w.consumer())
	eventually(t, "view is ready", func() bool { _, ok := recovery.Ready(0); return ok })
	if early.Load() {
		t.Error("partition was ready before all rows were there")
	}
	if got := contents(bases.At(0)); !maps.Equal(got, rows) {
		t.Errorf("view has %d rows that differ from the table's %d", len(got), len(rows))
	}
	if s := recovery.Summary(); !s.Finished() || s.Done != s.Target || s.ETA != 0 {
		t.Errorf("summary is %+v, want it finished", s)
	}
	fewer.Store(true) // the view recovers once more before it follows
	w.write(&sarama.ProducerMessage{Topic: tableTopic, Key: sarama.StringEncoder("row-0")})
	left := maps.Clone(rows)
	delete(left, "row-0")
	eventually(t, "tombstone is applied", func() bool { return maps.Equal(contents(bases.At(0)), left) })
}

func TestProgressShowsWhatIsLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.fill(100)
	recovery := eos.NewRecovery(eos.RecoveryConfig{Table: tableTopic, Role: eos.View, Registerer: newRegistry(), Log: quiet(t), Start: w.start, End: w.end})
	b := &breaking{Consumer: w.consumer(), after: 40, hold: make(chan struct{}), held: make(chan struct{}, 1)}
	b.left.Store(1)
	w.view(recovery, w.bases(nil, b), w.consumer())
	<-b.held
	eventually(t, "40 rows are stored", func() bool { n, _ := recovery.Ready(0); return n == 60 })
	p := recovery.Progress()[0]
	if p.State != "recovering" || p.Target != 100 || p.Done != 40 || p.Remaining != 60 || p.ETA >= 0 {
		t.Errorf("progress is %+v, want 40 of 100 without an estimate", p)
	}
	if _, ok := recovery.Ready(0); ok {
		t.Error("partition is ready with 60 rows missing")
	}
	close(b.hold)
	eventually(t, "view is ready", func() bool { _, ok := recovery.Ready(0); return ok })
}

func TestAProcessorThatIsStoppedInRecoveryProcessesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.fill(100)
	w.produce(keys(5)...)
	var calls atomic.Int32
	b := &breaking{after: 40, hold: make(chan struct{}), held: make(chan struct{}, 1)}
	b.left.Store(1)
	m := w.member(func(m *member) {
		m.callback = func(goka.Context, any) { calls.Add(1) }
		m.consumer = func([]string, string) (sarama.Consumer, error) {
			b.Consumer = w.consumer()
			return b, nil
		}
	})
	stop := m.start()
	<-b.held
	if s := m.engine.Status(); s.Running || s.Reason != "recovering" {
		t.Errorf("status is %+v, want recovering", s)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if calls.Load() != 0 || w.committed()[0] > 0 {
		t.Errorf("%d records were processed on half a table, offset %d is committed", calls.Load(), w.committed()[0])
	}
}

func TestABrokenOffRecoveryOfAProcessorGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	rows := w.fill(100)
	w.produce(keys(5)...)
	var calls atomic.Int32
	b := &breaking{after: 40}
	b.left.Store(1)
	m := w.member(func(m *member) {
		m.callback = func(ctx goka.Context, _ any) {
			if n := m.bases.At(0).Rows().(*store.Arena).Len(); calls.Add(1) == 1 && n != len(rows) {
				t.Errorf("first record was processed on %d rows, want %d", n, len(rows))
			}
		}
		m.consumer = func([]string, string) (sarama.Consumer, error) {
			b.Consumer = w.consumer()
			return b, nil
		}
	})
	m.start()
	eventually(t, "everything is processed", w.caughtUp)
	if calls.Load() != 5 {
		t.Errorf("%d records were processed, want 5", calls.Load())
	}
}

func TestARefusedRowEndsTheProcessorWithItsReason(t *testing.T) {
	t.Parallel()
	reason := errors.New("row format is 9, want at most 1")
	for name, change := range map[string]func(*eos.RecoveryConfig){
		"row": func(c *eos.RecoveryConfig) {
			c.CheckRow = func(_ int32, key string, _ []byte) error {
				if key == "row-3" {
					return reason
				}
				return nil
			}
		},
		"end": func(c *eos.RecoveryConfig) {
			c.CheckEnd = func(_ int32, get func(string) ([]byte, error)) error {
				if v, err := get("row-3"); err == nil && v != nil {
					return reason
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1)
			w.fill(20)
			told := make(chan error, 2)
			m := w.member(func(m *member) {
				m.recoveryChange = func(c *eos.RecoveryConfig) {
					change(c)
					c.OnRefused = func(err error) { told <- err }
				}
			})
			err := m.runUntilItFails()
			var refused *eos.RefusedError
			if !errors.As(err, &refused) || !errors.Is(err, reason) {
				t.Errorf("Run returned %v, want a *RefusedError of the reason", err)
			}
			if err := <-told; !errors.Is(err, reason) {
				t.Errorf("OnRefused was told %v", err)
			}
		})
	}
}

func TestAViewRefusesATableThatWasCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.fill(20)
	told := make(chan error, 1)
	cut := atomic.Bool{}
	recovery := eos.NewRecovery(eos.RecoveryConfig{
		Table: tableTopic, Role: eos.View, Registerer: newRegistry(), Log: quiet(t), Start: w.start,
		End: func(ctx context.Context, topic string, p int32, blocked func(int64)) (int64, error) {
			if cut.Load() {
				return 10, nil
			}
			return w.end(ctx, topic, p, blocked)
		},
		OnRefused: func(err error) { told <- err },
	})
	bases := w.bases(nil, w.consumer())
	_, stop := w.view(recovery, bases, w.consumer())
	eventually(t, "view is ready", func() bool { _, ok := recovery.Ready(0); return ok })
	stop()
	cut.Store(true)
	w.view(recovery, bases, w.consumer())
	var refused *eos.RefusedError
	if err := <-told; !errors.As(err, &refused) || refused.Hint() == "" {
		t.Errorf("OnRefused was told %v, want a *RefusedError with a hint", err)
	}
}
