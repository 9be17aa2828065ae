package eos

import (
	"errors"
	"testing"

	"github.com/IBM/sarama"
)

// stoppingContext is goka's context of a partition that stops: Fail returns.
type stoppingContext struct {
	inner
	failed error
}

func (c *stoppingContext) Fail(err error) { c.failed = err }

func TestARecordThatFailsWhileThePartitionStopsIsNotDone(t *testing.T) {
	t.Parallel()
	told := errors.New("told to")
	for name, call := range map[string]func(*recordContext){
		"Fail":   func(c *recordContext) { c.Fail(told) },
		"Lookup": func(c *recordContext) { defer func() { recover() }(); c.Lookup("t", "k") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stopping := &stoppingContext{}
			e := &Engine{}
			s := &session{engine: e, lookup: map[string]map[int32]*input{}}
			p := &part{session: s, next: newBuffer(1), committing: newBuffer(1)}
			in := &input{part: p, topic: "t"}
			s.lookup["t"] = map[int32]*input{0: in}
			c := &p.context
			*c = recordContext{inner: stopping, input: in, engine: e, record: &sarama.ConsumerMessage{Topic: "t", Offset: 4}}
			p.mu.Lock() // as begin does
			p.next.set("k", []byte("v"))
			call(c)
			s.MarkOffset("t", 0, 5, "") // as goka does when the callback returns
			p.want.Store(true)
			p.trySeal()
			if p.slot.Load() != nil || p.next.records != 0 {
				t.Error("failed record is to be committed")
			}
			if stopping.failed == nil || e.takeFailure() == nil {
				t.Errorf("goka was told %v", stopping.failed)
			}
		})
	}
}
