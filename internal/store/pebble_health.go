package store

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrDiskFull is why a database takes no batch while it waits for space on its
// disk.
var ErrDiskFull = errors.New("disk of the store is full")

// health knows how the background work of a database goes: what was applied
// goes to the disk there, so a failure is nobody's answer.
type health struct {
	log     *slog.Logger
	stopped chan struct{}

	mu      sync.Mutex
	full    bool
	given   bool  // up: see abandon
	failure error // of a flush or a compaction, until one ends well
	corrupt error
	trouble chan struct{} // closed while one of the above is
	logged  map[string]time.Time

	stallBegan time.Time // zero unless writers wait
	stalled    time.Duration
}

func newHealth(log *slog.Logger) *health {
	return &health{
		log: log, stopped: make(chan struct{}),
		trouble: make(chan struct{}), logged: map[string]time.Time{},
	}
}

// stop ends the pauses between attempts.
func (h *health) stop() { close(h.stopped) }

// state returns a channel that is closed when something is wrong, and what is.
func (h *health) state() (trouble <-chan struct{}, wrong error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.trouble, h.err()
}

func (h *health) err() error {
	var full error
	if h.full {
		full = ErrDiskFull
	}
	return errors.Join(h.corrupt, full, h.failure)
}

// change does what set does to the state, and tells who waits for trouble.
func (h *health) change(set func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := h.err() != nil
	set()
	is := h.err() != nil
	if is && !was {
		close(h.trouble)
	}
	if was && !is {
		h.trouble = make(chan struct{})
		h.log.Info("store writes again")
	}
}

// listener follows the events of the library, which calls it with its lock
// held.
func (h *health) listener() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: h.failed,
		FlushEnd:        func(i pebble.FlushInfo) { h.ended(i.Err) },
		CompactionEnd:   func(i pebble.CompactionInfo) { h.ended(i.Err) },
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			h.change(func() { h.corrupt = fmt.Errorf("file %s: %w", i.Path, i.Details) })
		},
		WriteStallBegin: func(pebble.WriteStallBeginInfo) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.stallBegan = time.Now()
		},
		WriteStallEnd: func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.stalled += time.Since(h.stallBegan)
			h.stallBegan = time.Time{}
		},
	}
}

// stallTime is for how long writers have waited in all.
func (h *health) stallTime() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stallBegan.IsZero() {
		return h.stalled
	}
	return h.stalled + time.Since(h.stallBegan)
}

// retryPause keeps background work that fails from doing so in a busy loop: the
// library would try again at once. Nothing is written meanwhile; reads go on.
const retryPause = 100 * time.Millisecond

func (h *health) failed(err error) {
	h.change(func() { h.failure = err })
	h.say("store cannot write", err)
	h.pause(retryPause)
}

// ended hears of background work that is over. A flush that had nothing to write
// says so in an error, which has no type.
func (h *health) ended(err error) {
	if err == nil || strings.HasSuffix(err.Error(), "empty table") {
		h.change(func() { h.failure = nil })
	}
}

// pause waits for d and returns true, or false as soon as the database is to
// close.
func (h *health) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-h.stopped:
		return false
	}
}

// logEvery is how often the same text comes.
const logEvery = 30 * time.Second

func (h *health) say(text string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now(); now.Sub(h.logged[text]) > logEvery {
		h.logged[text] = now
		h.log.Error(text, "err", err)
	}
}

// spaceBytes must be free before writing goes on.
const spaceBytes = 1 << 20

// waitForSpace returns fs in which a write that meets a full disk waits until
// there is space for dir: the library ends the process if it cannot write down
// which files it has.
func (h *health) waitForSpace(fs vfs.FS, dir string) vfs.FS {
	return vfs.OnDiskFull(fs, func() {
		h.say("disk of the store is full", ErrDiskFull)
		h.change(func() { h.full = true })
		for full := true; full; full = !hasSpace(fs, dir) {
			<-time.After(retryPause)
		}
		h.change(func() { h.full = h.given })
		if h.isGiven() {
			select {}
		}
	})
}

// hasSpace reports whether it is worth while to write in dir.
func hasSpace(fs vfs.FS, dir string) bool {
	u, err := fs.GetDiskUsage(dir)
	return err != nil || u.AvailBytes >= spaceBytes
}

// abandon reports whether the disk is full, and then the database must be left
// as it is, since it would end only with the process: what waits for space will
// never write any more, and what comes behind it waits for it.
func (h *health) abandon() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.given = h.full
	return h.given
}

func (h *health) isGiven() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.given
}
