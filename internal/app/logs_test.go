package app

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestRepeatedLinesAreFoldedAndStillCounted(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	var out bytes.Buffer
	h := newLogHandler(slog.NewTextHandler(&out, nil), prometheus.NewRegistry(), func() time.Time { return now })
	log := slog.New(h)
	for range 20 {
		log.With("group", "billing").Warn("dead letter written")
	}
	log.Warn("something else")
	if got := strings.Count(out.String(), "dead letter written"); got != foldAfter {
		t.Errorf("lines are %d, want %d", got, foldAfter)
	}
	if !strings.Contains(out.String(), "something else") {
		t.Error("another message was folded with the first")
	}
	now = now.Add(foldWindow + time.Second)
	log.Warn("dead letter written")
	if !strings.Contains(out.String(), "repeated=15") {
		t.Errorf("line after the window does not say repeated=15:\n%s", out.String())
	}
	if got := testutil.ToFloat64(h.lines[slog.LevelWarn]); got != 22 {
		t.Errorf("warnings counted are %v, want 22", got)
	}
}

func TestLifecycleGoesForwardOnly(t *testing.T) {
	t.Parallel()
	now := time.Unix(100, 0)
	l := newLifecycle(prometheus.NewRegistry(), func() time.Time { return now })
	for _, step := range []struct {
		to   state
		want state
	}{{recovering, recovering}, {running, running}, {draining, draining}, {running, draining}, {failed, failed}, {draining, failed}} {
		l.enter(step.to)
		if got := l.state(); got != step.want {
			t.Fatalf("state after entering %s is %s, want %s", step.to, got, step.want)
		}
	}
	if got := testutil.ToFloat64(l.gauge.WithLabelValues("failed")); got != 1 {
		t.Errorf("gauge of failed is %v, want 1", got)
	}
	if got := testutil.ToFloat64(l.gauge.WithLabelValues("running")); got != 0 {
		t.Errorf("gauge of running is %v, want 0", got)
	}
}

func TestReadinessNeedsEveryCheckButAdvice(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	broker, advice := true, false
	h := newHealth(prometheus.NewRegistry(), func() time.Time { return now }, slog.New(slog.DiscardHandler), []check{
		{name: "broker", ask: func() (bool, string) { return broker, "gone" }},
		{name: "lag_monitor", advice: true, ask: func() (bool, string) { return advice, "blind" }},
	})
	if ready, _ := h.refresh(); !ready {
		t.Error("advice turned readiness off")
	}
	now = now.Add(time.Minute)
	broker = false
	ready, results := h.refresh()
	if ready || results[0].OK || results[0].Detail != "gone" || !results[0].Since.Equal(now) {
		t.Errorf("ready is %v with %+v, want false since now", ready, results[0])
	}
	now = now.Add(time.Minute)
	if _, again := h.refresh(); !again[0].Since.Equal(results[0].Since) || !again[1].Since.Equal(time.Unix(0, 0)) {
		t.Errorf("since is %v and %v, want when the answer last changed", again[0].Since, again[1].Since)
	}
}

func TestPausesGrowToTheLast(t *testing.T) {
	t.Parallel()
	p := pauses{first: time.Millisecond, last: 3 * time.Millisecond}
	for _, want := range []time.Duration{1, 2, 3, 3} {
		if !p.wait(t.Context()) || p.next != want*time.Millisecond {
			t.Errorf("pause is %v, want %v ms", p.next, int64(want))
		}
	}
}

func TestClassesKeepTheSentenceAndTheHint(t *testing.T) {
	t.Parallel()
	err := refuse(errors.New("topic x is missing, want it made"), "make it")
	if !errors.Is(err, ErrRefused) || errors.Is(err, ErrConfig) || err.Error() != "topic x is missing, want it made" {
		t.Errorf("error is %v", err)
	}
	if h, ok := errors.AsType[*classed](err); !ok || h.Hint() != "make it" {
		t.Errorf("hint is lost in %v", err)
	}
}
