package eos

import (
	"context"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"

	"billstream/internal/failpoint"
)

// ViewOptions returns the options that tie a goka view of the table to the
// bases. ctx is the one that the view runs with. Whenever goka connects, our
// own loader brings the partition up to the end first, and goka goes on from
// there.
func (b *Bases) ViewOptions(ctx context.Context, recovery *Recovery, topicManager goka.TopicManagerBuilder) []goka.ViewOption {
	manage := func(brokers []string) (goka.TopicManager, error) {
		m, err := topicManager(brokers)
		if err != nil {
			return nil, err
		}
		return &tableManager{TopicManager: m, bases: b}, nil
	}
	build := func(_ string, partition int32) (storage.Storage, error) {
		if err := b.check(partition); err != nil {
			return nil, recovery.refuse(err)
		}
		return &follower{ctx: ctx, bases: b, base: b.At(partition), recovery: recovery}, nil
	}
	return []goka.ViewOption{
		goka.WithViewTopicManagerBuilder(manage),
		goka.WithViewStorageBuilder(build),
		goka.WithViewCallback(func(_ goka.UpdateContext, s storage.Storage, key string, value []byte) error {
			return s.Set(key, value)
		}),
	}
}

// follower is a base as a goka view sees it. goka calls it from one goroutine:
// GetOffset when it connects, then Set and SetOffset for each row.
type follower struct {
	unread
	ctx      context.Context // the view's
	bases    *Bases
	base     *Base
	recovery *Recovery

	key   string
	value []byte
}

// Open implements storage.Storage.
func (f *follower) Open() error { return nil }

// GetOffset implements storage.Storage: it recovers the base, or what it has
// missed.
func (f *follower) GetOffset(def int64) (int64, error) {
	if err := f.bases.load(f.ctx, f.recovery, f.base); err != nil {
		return 0, err
	}
	at, err := f.base.offset()
	if err != nil || at == notStored {
		return def, err
	}
	return at, nil
}

// Set implements storage.Storage: the row waits for its offset. nil deletes.
func (f *follower) Set(key string, value []byte) error {
	f.key, f.value = key, value
	return nil
}

// SetOffset implements storage.Storage.
func (f *follower) SetOffset(offset int64) error {
	if err := f.base.follow(offset, f.key, f.value); err != nil {
		return err
	}
	f.base.fresh(f.bases.cfg.Now())
	failpoint.Hit("views.after-apply")
	f.bases.changed(f.base.number)
	return nil
}

// MarkRecovered implements storage.Storage; GetOffset has judged the rows.
func (f *follower) MarkRecovered() error { return nil }

// Close implements storage.Storage. The base stays.
func (f *follower) Close() error { return nil }
