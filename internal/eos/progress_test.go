package eos

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// clock is a time that only the test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time           { return c.at }
func (c *clock) after(d time.Duration)    { c.at = c.at.Add(d) }
func (c *clock) recovery() *Recovery      { return recoveryOf(c) }
func newClock() *clock                    { return &clock{at: time.UnixMilli(0)} }
func near(got, want, within float64) bool { return got >= want-within && got <= want+within }

func recoveryOf(c *clock) *Recovery {
	return NewRecovery(RecoveryConfig{
		Table: "t", Role: Active, Registerer: prometheus.NewRegistry(),
		Log: slog.New(slog.DiscardHandler), Now: c.now,
	})
}

func TestARateIsUnknownForTwoSecondsOrAThousandRecords(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := rate{now: c.now}
	r.restart()
	c.after(1900 * time.Millisecond)
	if _, known := r.sample(999); known {
		t.Error("rate is known after 1.9 s and 999 records")
	}
	if v, known := r.sample(1900); !known || v != 1000 {
		t.Errorf("rate after 1,900 records in 1.9 s is %v (known: %t), want 1000", v, known)
	}
	r.restart()
	c.after(2 * time.Second)
	if v, known := r.sample(10); !known || v != 5 {
		t.Errorf("rate after 10 records in 2 s is %v (known: %t), want 5", v, known)
	}
}

func TestARateForgetsHalfInFiveSeconds(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := rate{now: c.now}
	r.restart()
	c.after(2 * time.Second)
	r.sample(2000)
	for range 10 { // nothing more comes, however often somebody looks
		c.after(500 * time.Millisecond)
		r.sample(2000)
	}
	if v, _ := r.sample(2000); !near(v, 500, 1) {
		t.Errorf("rate 5 s after the last record is %v, want 500", v)
	}
}

func TestTheEstimateIsThatOfTheSlowestPartition(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := c.recovery()
	r.expect([]int32{0, 1, 2})
	if s := r.Summary(); s.ETA >= 0 || s.Partitions != 3 || s.Finished() {
		t.Errorf("summary at the start is %+v, want nothing known of 3 partitions", s)
	}
	for p, end := range []int64{10_000, 4_000, 0} {
		r.find(int32(p)).announce(end)
	}
	r.find(2).open()
	c.after(2 * time.Second)
	r.find(0).readAll(1_999, 2_000) // 1,000 a second, 8 s left
	r.find(1).readAll(1_999, 2_000) // 1,000 a second, 2 s left
	s := r.Summary()
	if s.ETA != 8*time.Second || s.Rate != 2000 || s.Done != 4_000 || s.Target != 14_000 || s.Ready != 1 {
		t.Errorf("summary is %+v, want 4,000 of 14,000 at 2,000/s and 8 s left", s)
	}
	r.find(0).open()
	if s := r.Summary(); s.ETA != 2*time.Second {
		t.Errorf("estimate without the slowest is %v, want 2 s", s.ETA)
	}
	r.forget([]int32{0, 1, 2})
	if all := r.Progress(); len(all) != 0 {
		t.Errorf("progress of revoked partitions is %v, want none", all)
	}
}
