package eos_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

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
			if got := w.committed()[0]; got != 12 {
				t.Errorf("committed offset after the failure is %d, want 12", got)
			}
			m.start()
			eventually(t, "everything is committed", w.caughtUp)
			p.all(t, 30)
		})
	}
}

func TestARecordWhoseWriteFailsHoldsTheOffsetBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	all := make([]string, 40)
	for i := range all {
		all[i] = fmt.Sprintf("k-%d", i)
	}
	w.produce(all...)
	var failed atomic.Bool
	var p processed
	m := w.member(func(m *member) {
		m.callback = func(ctx goka.Context, _ any) {
			p.at[ctx.Offset()].Store(true)
			ctx.Emit(output, ctx.Key(), []byte(ctx.Key()))
		}
		m.failEmit = func(_ string, value []byte) error {
			if bytes.Equal(value, []byte("k-7")) && failed.CompareAndSwap(false, true) {
				return sarama.ErrMessageSizeTooLarge
			}
			return nil
		}
	})
	if err := m.runUntilItFails(); !errors.Is(err, sarama.ErrMessageSizeTooLarge) {
		t.Errorf("Run returned %v, want the cause of the failed write", err)
	}
	if got := w.committed()[0]; got != 7 {
		t.Errorf("committed offset is %d, want 7", got)
	}
	m.start()
	eventually(t, "everything is committed", w.caughtUp)
	seen := map[string]bool{}
	for _, r := range w.read(output) {
		seen[string(r.Value)] = true
	}
	for _, k := range all {
		if !seen[k] {
			t.Errorf("output of %s is missing", k)
		}
	}
}

func TestARefusedCommitStartsANewSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.produce(keys(20)...)
	var refused atomic.Bool
	var direct *eos.Engine
	m := w.member(func(m *member) {
		m.commit = func(ctx context.Context, o eos.Offsets) error {
			if refused.CompareAndSwap(false, true) {
				o.Generation-- // a zombie's commit
			}
			return direct.Coordinate(ctx, o)
		}
	})
	direct = eos.New(eos.Config{Group: "direct", Brokers: brokersOf(w.cluster), OffsetsConfig: config("direct"), Registerer: newRegistry()})
	t.Cleanup(func() { direct.Close() })
	m.start()
	eventually(t, "everything is committed", w.caughtUp)
	if m.engine.Status().Generation < 2 {
		t.Errorf("generation is %d, want a second session", m.engine.Status().Generation)
	}
	wantMetric(t, m.registry, `billstream_commits_total{group="sum",result="fenced"}`, 1)
}

func TestOffsetsAreNotCommittedBeforeTheirPositionRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	w.produce(keys(5)...)
	var block atomic.Bool
	block.Store(true)
	tried := make(chan struct{}, 100)
	m := w.member(func(m *member) {
		m.positive = func([]eos.PositionMark) error {
			if block.Load() {
				tried <- struct{}{}
				return errors.New("no answer")
			}
			return nil
		}
	})
	m.start()
	<-tried
	<-tried
	if got := w.committed()[0]; got > 0 {
		t.Errorf("committed offset is %d without a position row, want none", got)
	}
	block.Store(false)
	eventually(t, "everything is committed", w.caughtUp)
	w.wantRows(counts(keys(5)))
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
