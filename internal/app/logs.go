package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Lines that repeat are folded: the first foldAfter within foldWindow pass, the
// next one that passes says how many were left out.
const (
	foldAfter  = 5
	foldWindow = 10 * time.Second
)

// logHandler counts log lines by level and folds repeats, in front of the
// handler that writes them.
type logHandler struct {
	slog.Handler
	lines map[slog.Level]prometheus.Counter
	folds *folds
}

// folds is shared by all handlers derived from one.
type folds struct {
	mu   sync.Mutex
	now  func() time.Time
	seen map[string]*fold
}

// fold counts one message within its window.
type fold struct {
	since   time.Time
	passed  int
	dropped int
}

func newLogHandler(next slog.Handler, reg prometheus.Registerer, now func() time.Time) *logHandler {
	lines := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "billstream_log_messages_total",
		Help: "Log lines by level, folded ones included.",
	}, []string{"level"})
	reg.MustRegister(lines)
	h := &logHandler{Handler: next, lines: map[slog.Level]prometheus.Counter{}, folds: &folds{now: now, seen: map[string]*fold{}}}
	for level, name := range map[slog.Level]string{
		slog.LevelDebug: "debug", slog.LevelInfo: "info", slog.LevelWarn: "warn", slog.LevelError: "error",
	} {
		h.lines[level] = lines.WithLabelValues(name)
	}
	return h
}

// Handle counts the line and passes it on, unless it repeats too often.
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	if c, ok := h.lines[r.Level]; ok {
		c.Inc()
	}
	dropped, pass := h.folds.admit(r.Level.String() + r.Message)
	if !pass {
		return nil
	}
	if dropped > 0 {
		r.AddAttrs(slog.Int("repeated", dropped))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs and WithGroup keep the counting and the folding.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{Handler: h.Handler.WithAttrs(attrs), lines: h.lines, folds: h.folds}
}

// WithGroup is like WithAttrs.
func (h *logHandler) WithGroup(name string) slog.Handler {
	return &logHandler{Handler: h.Handler.WithGroup(name), lines: h.lines, folds: h.folds}
}

// mostFolds bounds the memory for messages. Ours are constant texts; those of
// libraries at debug level are not.
const mostFolds = 1000

// admit says whether a line passes, and how many like it were left out before.
func (f *folds) admit(key string) (dropped int, pass bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	w := f.seen[key]
	if len(f.seen) > mostFolds {
		clear(f.seen)
	}
	if w == nil || now.Sub(w.since) > foldWindow {
		if w != nil {
			dropped = w.dropped
		}
		f.seen[key] = &fold{since: now, passed: 1}
		return dropped, true
	}
	if w.passed >= foldAfter {
		w.dropped++
		return 0, false
	}
	w.passed++
	return 0, true
}
