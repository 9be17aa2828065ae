package devbroker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
)

// logger passes kfake's warnings on and keeps the first that says that data
// could not be written: kfake logs this and goes on, and its Close returns
// nothing.
type logger struct {
	log *slog.Logger

	mu    sync.Mutex
	first error
}

func newLogger(log *slog.Logger) *logger {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &logger{log: log}
}

// Logf implements kfake.Logger.
func (l *logger) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelWarn
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
	default:
		return // a line per request
	}
	if strings.HasPrefix(format, "txn: EndTxn slow") {
		to = slog.LevelDebug // some milliseconds for some megabytes: no news
	}
	text := fmt.Sprintf(format, args...)
	if level == kfake.LogLevelError || strings.HasPrefix(text, "persist ") {
		l.keep(text)
	}
	l.log.Log(context.Background(), to, "embedded broker", "detail", text)
}

func (l *logger) keep(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == nil {
		l.first = errors.New(text)
	}
}

// failure returns the first error, nil if there was none.
func (l *logger) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}
