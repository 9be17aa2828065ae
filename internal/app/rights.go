package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"billstream/internal/eos"
)

// denials knows what brokers deny us at the moment, and since when. A right or
// a login that is missing keeps the process from its work and never ends it:
// whoever took the right may give it back.
type denials struct {
	now func() time.Time

	mu    sync.Mutex
	since map[string]time.Time // by what is denied
}

func newDenials(now func() time.Time) *denials {
	return &denials{now: now, since: map[string]time.Time{}}
}

// note says whether something is denied now.
func (d *denials) note(what string, denied bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, before := d.since[what]
	switch {
	case !denied:
		delete(d.since, what)
	case !before:
		d.since[what] = d.now()
	}
}

// longer is a sentence about the first of some things that have been denied for
// longer than a while; "" for none.
func (d *denials) longer(than time.Duration, whats ...string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, what := range whats {
		if since, ok := d.since[what]; ok && d.now().Sub(since) > than {
			return fmt.Sprintf("right to %s has been missing for %s", what, d.now().Sub(since).Round(time.Second))
		}
	}
	return ""
}

// What may be denied, beside reading a topic.
const (
	toIdentify = "begin transactions"
	toCommit   = "commit"
)

func toRead(topic string) string { return "read " + topic }

// askRights asks for the right to read each topic: consumers go on in silence
// without it.
func (b *brokerCheck) askRights(ctx context.Context) {
	for _, topic := range b.reads {
		err := b.mayRead(ctx, topic)
		if ctx.Err() == nil {
			b.denials.note(toRead(topic), err != nil)
		}
	}
}

// witness tells of the denials that a writer meets.
type witness struct {
	eos.Writer
	denials *denials
}

// Open implements eos.Writer.
func (w *witness) Open(ctx context.Context) error {
	err := w.Writer.Open(ctx)
	w.denials.note(toIdentify, unauthorized(err))
	return err
}

// Write implements eos.Writer.
func (w *witness) Write(ctx context.Context, e *eos.Epoch) error {
	err := w.Writer.Write(ctx, e)
	w.denials.note(toCommit, unauthorized(err))
	return err
}

func unauthorized(err error) bool {
	w, ok := errors.AsType[*eos.WriteError](err)
	return ok && w.Failure == eos.Unauthorized
}

// restTime is how long a session goes on without work before a denial that was
// met earlier counts for nothing: the work may be somebody else's by now.
const restTime = 10 * time.Second

// writerDenied is a sentence about what keeps the writer from its work.
func (a *App) writerDenied(s eos.Status) string {
	if s.Running && s.StagedRecords == 0 && time.Since(s.Since) > restTime {
		return ""
	}
	return a.broker.denials.longer(a.cfg.ReadyGrace, toIdentify, toCommit)
}
