package eos

import (
	"context"
	"fmt"
	"sync"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
)

// topicManager tells goka where recovery ends, and the recovery what it told.
type topicManager struct {
	goka.TopicManager
	recovery *Recovery
	lives    func() context.Context // of the session or the view
}

// topicManagers wraps a builder of topic managers.
func (r *Recovery) topicManagers(lives func() context.Context, build goka.TopicManagerBuilder) goka.TopicManagerBuilder {
	return func(brokers []string) (goka.TopicManager, error) {
		m, err := build(brokers)
		if err != nil {
			return nil, err
		}
		return &topicManager{TopicManager: m, recovery: r, lives: lives}, nil
	}
}

// GetOffset implements goka.TopicManager. goka asks for the oldest and then for
// the newest offset before it reads a table. The high watermark would be the
// wrong answer to the second: goka waits for a data record just below it, and
// there may be a control record or nothing at all.
func (m *topicManager) GetOffset(topic string, n int32, time int64) (int64, error) {
	p := m.recovery.find(n)
	if topic != m.recovery.cfg.Table || p == nil {
		return m.TopicManager.GetOffset(topic, n, time)
	}
	if time != sarama.OffsetNewest {
		offset, err := m.TopicManager.GetOffset(topic, n, time)
		if err == nil && time == sarama.OffsetOldest {
			p.setOldest(offset)
		}
		return offset, err
	}
	if p.running() {
		return m.again(p, topic, n)
	}
	p.enter(connecting)
	end, err := p.findEnd(m.lives())
	if err != nil {
		return 0, m.recovery.broke(fmt.Errorf("find the end of %s/%d: %w", topic, n, err))
	}
	p.announce(end)
	return end, nil
}

// again answers for a partition that has recovered and follows its table: a
// view has reconnected. A table that ends below what was read from it is not
// the same table any more; goka would only log that and go on.
func (m *topicManager) again(p *partition, topic string, n int32) (int64, error) {
	newest, err := m.TopicManager.GetOffset(topic, n, sarama.OffsetNewest)
	if err != nil {
		return 0, err
	}
	if at := p.position(); newest < at {
		return 0, m.recovery.refuse(&RefusedError{
			Err:    fmt.Errorf("%s/%d ends at offset %d, want at least %d, which was read before", topic, n, newest, at),
			Advice: "the topic was cut or made anew: state and outputs no longer fit together",
		})
	}
	return newest, nil
}

// gate is a store that only a complete recovery opens.
type gate struct {
	// Storage is replaced when a recovery is broken off. Nobody but Close
	// touches it then: goka waits for MarkRecovered before it goes on, or has
	// given the table up.
	storage.Storage
	build func() (storage.Storage, error)
	part  *partition

	mu     sync.Mutex // goka may close a store while it is still being marked
	closed bool
}

// stores wraps a builder of stores.
func (r *Recovery) stores(build storage.Builder) storage.Builder {
	return func(topic string, n int32) (storage.Storage, error) {
		g := &gate{part: r.begin(n), build: func() (storage.Storage, error) { return build(topic, n) }}
		var err error
		g.Storage, err = g.build()
		return g, err
	}
}

// GetOffset implements storage.Storage.
func (g *gate) GetOffset(def int64) (int64, error) {
	at, err := g.Storage.GetOffset(notStored)
	if err != nil {
		return 0, err
	}
	g.part.setStored(at)
	if at == notStored {
		return def, nil
	}
	return at, nil
}

// Set implements storage.Storage.
func (g *gate) Set(key string, value []byte) error {
	if check := g.part.r.cfg.CheckRow; check != nil && !g.part.running() {
		if err := check(g.part.number, key, value); err != nil {
			return g.part.r.refuse(err)
		}
	}
	return g.Storage.Set(key, value)
}

// SetOffset implements storage.Storage.
func (g *gate) SetOffset(offset int64) error {
	if err := g.Storage.SetOffset(offset); err != nil {
		return err
	}
	g.part.read(offset)
	return nil
}

// MarkRecovered implements storage.Storage. goka calls it as well when a read
// was interrupted, or ended because the next offset is out of range: then the
// rows that are there prove nothing, and are thrown away.
func (g *gate) MarkRecovered() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	g.part.enter(preparing)
	err := g.complete()
	if err == nil {
		err = g.Storage.MarkRecovered()
	}
	if err != nil {
		return g.discard(err)
	}
	g.part.open()
	return nil
}

// complete judges the recovered rows.
func (g *gate) complete() error {
	at, err := g.Storage.GetOffset(notStored)
	if err != nil {
		return err
	}
	if err := g.part.finish(at); err != nil {
		return err
	}
	if check := g.part.r.cfg.CheckEnd; check != nil {
		if err := check(g.part.number, g.Storage.Get); err != nil {
			return g.part.r.refuse(err)
		}
	}
	return nil
}

// discard starts over with an empty store and returns why.
func (g *gate) discard(why error) error {
	g.part.enter(initializing)
	why = g.part.r.broke(why)
	if err := g.Storage.Close(); err != nil {
		return fmt.Errorf("%w (and close the store: %w)", why, err)
	}
	fresh, err := g.build()
	if err != nil {
		return fmt.Errorf("%w (and build a store: %w)", why, err)
	}
	if err := fresh.Open(); err != nil {
		return fmt.Errorf("%w (and open the store: %w)", why, err)
	}
	g.Storage = fresh
	return why
}

// Close implements storage.Storage.
func (g *gate) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.part.enter(stopped)
	return g.Storage.Close()
}
