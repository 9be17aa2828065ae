package eos

import (
	"errors"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
)

// table is the group table as goka sees it. Opening it is the recovery; reads
// and writes of callbacks go to the staging buffers instead, and goka's own
// recovery finds nothing left to do.
type table struct {
	unread
	engine *Engine
	base   *Base
}

// buildTable implements storage.Builder.
func (e *Engine) buildTable(_ string, partition int32) (storage.Storage, error) {
	return &table{engine: e, base: e.cfg.Bases.At(partition)}, nil
}

// Open implements storage.Storage: it recovers the partition. An interrupted
// recovery is no error, since the session that asked for it is over; the
// partition is not ready, and nothing is processed on it.
func (t *table) Open() error {
	err := t.engine.cfg.Bases.load(t.engine.sessionContext(), t.engine.cfg.Recovery, t.base)
	if errors.Is(err, errInterrupted) {
		return nil
	}
	return err
}

// GetOffset implements storage.Storage.
func (t *table) GetOffset(def int64) (int64, error) {
	at, err := t.base.offset()
	if err != nil || at == notStored {
		return def, err
	}
	return at, nil
}

// MarkRecovered implements storage.Storage; Open has judged the rows.
func (t *table) MarkRecovered() error { return nil }

// Close implements storage.Storage. The base stays for the next session.
func (t *table) Close() error { return nil }

// errStaged is what writes get that no one makes.
var errStaged = errors.New("group table is written through the context, want no other call")

// Set implements storage.Storage.
func (t *table) Set(string, []byte) error { return errStaged }

// SetOffset implements storage.Storage.
func (t *table) SetOffset(int64) error { return errStaged }

// unread answers the calls that goka makes for its own readers. Ours read the
// bases.
type unread struct{}

var errUnread = errors.New("table is read past goka, want no other call")

// Has implements storage.Storage.
func (unread) Has(string) (bool, error) { return false, errUnread }

// Get implements storage.Storage.
func (unread) Get(string) ([]byte, error) { return nil, errUnread }

// Delete implements storage.Storage.
func (unread) Delete(string) error { return errUnread }

// Iterator implements storage.Storage.
func (unread) Iterator() (storage.Iterator, error) { return nil, errUnread }

// IteratorWithRange implements storage.Storage.
func (unread) IteratorWithRange([]byte, []byte) (storage.Iterator, error) { return nil, errUnread }

// tableManager tells goka that a table holds no more than its base: what is
// there, our loader has read.
type tableManager struct {
	goka.TopicManager
	bases *Bases
}

// buildManager implements goka.TopicManagerBuilder.
func (e *Engine) buildManager(brokers []string) (goka.TopicManager, error) {
	m, err := e.cfg.NewTopicManager(brokers)
	if err != nil {
		return nil, err
	}
	return &tableManager{TopicManager: m, bases: e.cfg.Bases}, nil
}

// GetOffset implements goka.TopicManager. goka asks for the oldest and the
// newest offset before it reads a table; with the end right behind the store's
// offset there is nothing to read.
func (m *tableManager) GetOffset(topic string, n int32, time int64) (int64, error) {
	if topic != m.bases.cfg.Table || m.bases.check(n) != nil {
		return m.TopicManager.GetOffset(topic, n, time)
	}
	at, err := m.bases.At(n).offset()
	return at + 1, err
}
