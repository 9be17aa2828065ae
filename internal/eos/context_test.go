package eos

import (
	"errors"
	"testing"
	"time"

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
			p := &part{}
			e := &Engine{}
			c := &recordContext{inner: stopping, part: p, engine: e, record: &sarama.ConsumerMessage{Offset: 4}}
			p.track.begin(4, time.Time{})
			call(c)
			p.track.mark(5) // as goka does when the callback returns
			if _, _, n := p.track.due(); n != 0 {
				t.Error("failed record is to be committed")
			}
			if stopping.failed == nil || e.takeFailure() == nil {
				t.Errorf("goka was told %v", stopping.failed)
			}
		})
	}
}
