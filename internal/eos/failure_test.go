package eos_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"billstream/internal/eos"
)

// processed remembers which offsets of partition 0 a callback was given.
type processed struct{ at [64]atomic.Bool }

func (p *processed) all(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		if !p.at[i].Load() {
			t.Errorf("record %d was never processed", i)
		}
	}
}

// failing returns a callback that does what fail says for one record, once.
func (p *processed) failing(offset int64, fail func(goka.Context)) func(goka.Context, any) {
	var failed atomic.Bool
	return func(ctx goka.Context, msg any) {
		if ctx.Offset() == offset && failed.CompareAndSwap(false, true) {
			fail(ctx)
			return
		}
		p.at[ctx.Offset()].Store(true)
		sum(ctx, msg)
	}
}

func TestAFailedCallbackIsNeverSkipped(t *testing.T) {
	t.Parallel()
	secret := "customer-value"
	for name, fail := range map[string]func(goka.Context){
		"panic":       func(goka.Context) { panic(secret) },
		"Fail":        func(ctx goka.Context) { ctx.Fail(errors.New("told to")) },
		"Loopback":    func(ctx goka.Context) { ctx.Loopback("k", nil) },
		"DeferCommit": func(ctx goka.Context) { ctx.DeferCommit() },
		"Join":        func(ctx goka.Context) { ctx.Join("t") },
		"Lookup":      func(ctx goka.Context) { ctx.Lookup("t", "k") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1)
			w.produce(keys(30)...)
			var p processed
			m := w.member(func(m *member) { m.callback = p.failing(12, fail) })
			err := m.runUntilItFails()
			if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "c-12") {
				t.Errorf("error is %q, want neither key nor value", err)
			}
			var perr *eos.ProcessingError
			if !errors.As(err, &perr) {
				t.Errorf("error is a %T, want a *ProcessingError", err)
			}
			if got := w.committed()[0]; got > 12 {
				t.Errorf("committed offset after the failure is %d, want at most 12", got)
			}
			m.start()
			eventually(t, "everything is committed", w.caughtUp)
			p.all(t, 30)
			w.wantRows(counts(keys(30)))
			w.wantOutputs(counts(keys(30)))
		})
	}
}

// refusing makes the nth Write fail without having done anything.
func refusing(nth int64, failure eos.Failure) func(*eos.Epoch) error {
	var n atomic.Int64
	return func(*eos.Epoch) error {
		if n.Add(1) == nth {
			return &eos.WriteError{Failure: failure, Step: "produce", Err: errors.New("told to")}
		}
		return nil
	}
}

func TestADroppedEpochIsProcessedAgain(t *testing.T) {
	t.Parallel()
	for _, failure := range []eos.Failure{eos.Aborted, eos.Lost, eos.Unknown} {
		t.Run(string(failure), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1)
			w.produce(keys(40)...)
			m := w.member(func(m *member) { m.writer.before = refusing(2, failure); m.staged = 300 })
			m.start()
			eventually(t, "everything is committed", w.caughtUp)
			w.wantRows(counts(keys(40)))
			w.wantOutputs(counts(keys(40)))
			if m.engine.Status().Generation < 2 || m.writer.opened.Load() < 2 {
				t.Errorf("generation is %d after %d openings, want a second session and writer", m.engine.Status().Generation, m.writer.opened.Load())
			}
			result := map[eos.Failure]string{eos.Aborted: "aborted", eos.Lost: "fenced", eos.Unknown: "unknown"}[failure]
			wantMetric(t, m.registry, fmt.Sprintf(`billstream_commits_total{group="sum",result=%q}`, result), 1)
			if n := samples(t, m.registry)[`billstream_records_aborted_total{group="sum"}`]; n == 0 {
				t.Error("no record is counted as aborted")
			}
		})
	}
}

func TestALostAnswerNeitherRepeatsNorLoses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.produce(keys(40)...)
	var n atomic.Int64
	m := w.member(func(m *member) {
		m.staged = 300
		m.writer.after = func(_ *eos.Epoch, err error) error {
			if n.Add(1) == 2 && err == nil { // committed, but nobody says so
				return &eos.WriteError{Failure: eos.Unknown, Step: "end", Err: context.DeadlineExceeded}
			}
			return err
		}
	})
	m.start()
	eventually(t, "everything is committed", w.caughtUp)
	w.wantRows(counts(keys(40)))
	w.wantOutputs(counts(keys(40)))
}

func TestAFencedWriterLeavesForGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.produce(keys(5)...)
	m := w.member(func(m *member) { m.instance = "one"; m.writer.before = refusing(1, eos.Fenced) })
	var fenced *eos.FencedError
	if err := m.runUntilItFails(); !errors.As(err, &fenced) || fenced.InstanceID != "one" {
		t.Errorf("Run returned %v, want a *FencedError of instance one", err)
	}
	if n := m.writer.opened.Load(); n != 1 {
		t.Errorf("writer was opened %d times, want 1: a second would fence the rightful owner", n)
	}
}

func TestASlowCallbackDelaysItsOwnPartitionAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	var slow, fast string
	for i := 0; slow == "" || fast == ""; i++ {
		k := fmt.Sprintf("k-%d", i)
		if masked(k, 2) == 0 {
			slow = k
		} else {
			fast = k
		}
	}
	release := make(chan struct{})
	w.produce(slow, fast, fast)
	m := w.member(func(m *member) {
		m.callback = func(ctx goka.Context, msg any) {
			if ctx.Key() == slow {
				<-release
			}
			sum(ctx, msg)
		}
	})
	m.start()
	eventually(t, "the fast partition is committed", func() bool { return w.committed()[1] == 2 })
	if got := w.committed()[0]; got > 0 {
		t.Errorf("slow partition is committed up to %d, want nothing yet", got)
	}
	close(release)
	eventually(t, "everything is committed", w.caughtUp)
	w.wantRows(map[string]string{slow: "1", fast: "2"})
}

// A round that asks a busy part in vain must not be the last one.
func TestALatePartIsCommittedWithoutAnotherRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.produce("k", "k", "k")
	first, third, began := make(chan struct{}), make(chan struct{}), make(chan struct{})
	m := w.member(func(m *member) {
		var n atomic.Int64
		m.writer.before = func(*eos.Epoch) error {
			if n.Add(1) == 1 {
				<-first
			}
			return nil
		}
		m.callback = func(ctx goka.Context, msg any) {
			if ctx.Offset() == 2 {
				close(began)
				<-third
			}
			sum(ctx, msg)
		}
	})
	m.start()
	<-began
	close(first)                        // a round follows that finds the part busy
	<-time.After(50 * time.Millisecond) // ten times what it waits
	close(third)
	eventually(t, "everything is committed", w.caughtUp)
	w.wantOutputs(map[string]string{"k": "3"})
}

func TestCallbacksWaitWhileTooMuchIsStaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.produce(keys(60)...)
	gate := make(chan struct{})
	var seen atomic.Int64
	m := w.member(func(m *member) {
		m.staged = 1000
		m.writer.before = func(*eos.Epoch) error { <-gate; return nil }
		m.callback = func(ctx goka.Context, msg any) { seen.Add(1); sum(ctx, msg) }
	})
	m.start()
	eventually(t, "callbacks wait", func() bool { return m.engine.Status().StagedBytes > 1000 })
	if n := seen.Load(); n > 20 {
		t.Errorf("%d records were processed while no commit ended, want about 8", n)
	}
	close(gate)
	eventually(t, "everything is committed", w.caughtUp)
	w.wantRows(counts(keys(60)))
}

func TestTheWatchdogFreesAStuckPartition(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.produce(keys(10)...)
	release, told := make(chan struct{}), make(chan int32, 1)
	var once atomic.Bool
	m := w.member(func(m *member) {
		m.watchdog = 300 * time.Millisecond
		m.stuck = func(p int32) { told <- p; close(release) }
		m.callback = func(ctx goka.Context, msg any) {
			if once.CompareAndSwap(false, true) {
				<-release
			}
			sum(ctx, msg)
		}
	})
	if err := m.runUntilItFails(); !errors.Is(err, eos.ErrStuck) {
		t.Errorf("Run returned %v, want ErrStuck", err)
	}
	if p := <-told; p != 0 {
		t.Errorf("partition %d was named, want 0", p)
	}
	wantMetric(t, m.registry, `billstream_watchdog_trips_total{group="sum"}`, 1)
	m.start()
	eventually(t, "everything is committed", w.caughtUp)
	w.wantRows(counts(keys(10)))
	w.wantOutputs(counts(keys(10)))
}

// consumed is what a callback may ask of the context.
type consumed interface {
	RecordKey() []byte
	RecordValue() []byte
	RecordHeaders(yield func(key, value []byte) bool)
}

func TestACallbackSeesTheRecordAsKafkaDeliveredIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	headers := []sarama.RecordHeader{{Key: []byte("b"), Value: []byte("1")}, {Key: []byte("a"), Value: nil}, {Key: []byte("b"), Value: []byte("2")}}
	w.write(&sarama.ProducerMessage{Topic: input, Value: sarama.StringEncoder("null key"), Headers: headers})
	w.write(&sarama.ProducerMessage{Topic: input, Key: sarama.StringEncoder(""), Value: sarama.StringEncoder("empty key")})
	w.write(&sarama.ProducerMessage{Topic: input, Key: sarama.StringEncoder("k")})
	got := make(chan string, 3)
	m := w.member(func(m *member) {
		m.callback = func(ctx goka.Context, _ any) {
			r := ctx.(consumed)
			line := fmt.Sprintf("%q nil=%t %q nil=%t", r.RecordKey(), r.RecordKey() == nil, r.RecordValue(), r.RecordValue() == nil)
			r.RecordHeaders(func(k, v []byte) bool {
				line += fmt.Sprintf(" %s=%s", k, v)
				return true
			})
			got <- line
		}
	})
	m.start()
	for _, want := range []string{
		`"" nil=true "null key" nil=false b=1 a= b=2`,
		`"" nil=false "empty key" nil=false`,
		`"k" nil=false "" nil=true`,
	} {
		if line := <-got; line != want {
			t.Errorf("record is %s, want %s", line, want)
		}
	}
}
