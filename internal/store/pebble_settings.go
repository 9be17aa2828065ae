package store

import (
	"bytes"
	"cmp"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// memTables is how many pieces of what was written there may be in memory before
// writers wait.
const memTables = 4

func (o *PebbleOptions) fillIn() {
	o.CacheBytes = cmp.Or(o.CacheBytes, 64<<20)
	o.memTableBytes = cmp.Or(o.memTableBytes, 16<<20)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.fs == nil {
		o.fs = vfs.Default
	}
}

// settings are the library's options. The format is a number of ours to raise:
// with a new release of the library it stays, so that the last release of this
// program can open what this one wrote.
func (o *PebbleOptions) settings(dir string, lock *pebble.Lock, h *health) *pebble.Options {
	order := *pebble.DefaultComparer // keys keep their order and the order its name
	order.FormatKey = func(key []byte) fmt.Formatter { return hidden(key) }
	s := &pebble.Options{
		CacheSize:                   o.CacheBytes + memTables*int64(o.memTableBytes),
		Comparer:                    &order,
		CompactionConcurrencyRange:  func() (lower, upper int) { return 1, 2 },
		DisableWAL:                  true,
		EventListener:               h.listener(),
		FormatMajorVersion:          pebble.FormatValueSeparation,
		FS:                          h.waitForSpace(o.fs, dir),
		L0StopWritesThreshold:       24, // a restore writes faster than it compacts
		Lock:                        lock,
		Logger:                      logger{o.Log},
		MemTableSize:                o.memTableBytes,
		MemTableStopWritesThreshold: memTables,
	}
	for i := range s.Levels {
		s.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
		s.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return s
}

// hidden is a key as texts may have it: its partition and kind alone.
type hidden []byte

// Format implements fmt.Formatter.
func (k hidden) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "%x(%d bytes)", bytes.Clone(k[:min(len(k), prefixBytes)]), len(k))
}

// logger is the library's view of a log.
type logger struct{ log *slog.Logger }

// Infof implements pebble.Logger.
func (l logger) Infof(format string, args ...any) {
	l.log.Debug("store engine says", "text", fmt.Sprintf(format, args...))
}

// Errorf implements pebble.Logger.
func (l logger) Errorf(format string, args ...any) {
	l.log.Error("store engine says", "text", fmt.Sprintf(format, args...))
}

// Fatalf implements pebble.Logger. The library goes on as if it never returned:
// what it holds is no longer what it wrote, so the process must not go on.
func (l logger) Fatalf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	l.log.Error("store engine cannot go on", "text", text)
	panic("store engine cannot go on: " + text)
}
