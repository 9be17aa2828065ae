package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"billstream/internal/eos"
	"billstream/internal/kafka"
	"billstream/internal/topics"
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
	toJoin     = "join group " + topics.Group
)

func toRead(topic string) string { return "read " + topic }

// right is one that can be asked for without using it.
type right struct {
	to  string // read customer.events
	ask func(context.Context) error
}

// rights are those that would be missed late, or in silence: the right to the
// table is used by the first recovery, and the first process of all has none;
// and consumers go on without a word when they lose theirs.
func (a *App) rights() []right {
	read := func(topic string) right {
		return right{toRead(topic), func(ctx context.Context) error { return a.admin.MayRead(ctx, topic) }}
	}
	rights := []right{read(topics.BillingTable)}
	if a.cfg.has(RoleProcessor) {
		join := func(ctx context.Context) error { return a.admin.MayJoin(ctx, topics.Group) }
		rights = append(rights, read(topics.CustomerEvents), right{toJoin, join})
	}
	return rights
}

// mayWork asks for them; the error is the first denial.
func (a *App) mayWork(ctx context.Context) error {
	for _, r := range a.broker.rights {
		if err := r.ask(ctx); err != nil {
			return err
		}
	}
	return nil
}

// askRights notes what is denied.
func (b *brokerCheck) askRights(ctx context.Context) {
	for _, r := range b.rights {
		err := r.ask(ctx)
		if denied := kafka.Denied(err); denied || err == nil { // any other error says nothing
			b.denials.note(r.to, denied)
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
	w.note(toIdentify, err)
	return err
}

// Write implements eos.Writer.
func (w *witness) Write(ctx context.Context, e *eos.Epoch) error {
	err := w.Writer.Write(ctx, e)
	w.note(toCommit, err)
	return err
}

// note keeps what an answer says of a right; an error of another kind says
// nothing.
func (w *witness) note(to string, err error) {
	if denied := unauthorized(err); denied || err == nil {
		w.denials.note(to, denied)
	}
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
