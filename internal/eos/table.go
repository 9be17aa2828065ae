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
	engine *Engine
	number int32
}

// buildTable implements storage.Builder.
func (e *Engine) buildTable(_ string, partition int32) (storage.Storage, error) {
	return &table{engine: e, number: partition}, nil
}

// Open implements storage.Storage: it recovers the partition. An interrupted
// recovery is no error, since the session that asked for it is over; the
// partition is not ready, and nothing is processed on it.
func (t *table) Open() error {
	err := t.engine.load(t.engine.sessionContext(), t.number)
	if errors.Is(err, errInterrupted) {
		return nil
	}
	return err
}

// errStaged is what calls get that no one makes.
var errStaged = errors.New("group table is read and written through the context, want no other call")

// GetOffset implements storage.Storage.
func (t *table) GetOffset(def int64) (int64, error) {
	return t.engine.base(t.number).store.GetOffset(def)
}

// MarkRecovered implements storage.Storage; Open has judged the rows.
func (t *table) MarkRecovered() error { return nil }

// Close implements storage.Storage. The base stays for the next session.
func (t *table) Close() error { return nil }

// Has implements storage.Storage.
func (t *table) Has(string) (bool, error) { return false, errStaged }

// Get implements storage.Storage.
func (t *table) Get(string) ([]byte, error) { return nil, errStaged }

// Set implements storage.Storage.
func (t *table) Set(string, []byte) error { return errStaged }

// Delete implements storage.Storage.
func (t *table) Delete(string) error { return errStaged }

// SetOffset implements storage.Storage.
func (t *table) SetOffset(int64) error { return errStaged }

// Iterator implements storage.Storage.
func (t *table) Iterator() (storage.Iterator, error) { return nil, errStaged }

// IteratorWithRange implements storage.Storage.
func (t *table) IteratorWithRange([]byte, []byte) (storage.Iterator, error) { return nil, errStaged }

// tableManager tells goka that the group table holds no more than its store.
type tableManager struct {
	goka.TopicManager
	engine *Engine
}

// buildManager implements goka.TopicManagerBuilder.
func (e *Engine) buildManager(brokers []string) (goka.TopicManager, error) {
	m, err := e.cfg.NewTopicManager(brokers)
	if err != nil {
		return nil, err
	}
	return &tableManager{TopicManager: m, engine: e}, nil
}

// GetOffset implements goka.TopicManager. goka asks for the oldest and the
// newest offset before it reads a table; with the end right behind the store's
// offset there is nothing to read.
func (m *tableManager) GetOffset(topic string, n int32, time int64) (int64, error) {
	b := m.engine.base(n)
	if topic != m.engine.cfg.Recovery.cfg.Table || b == nil {
		return m.TopicManager.GetOffset(topic, n, time)
	}
	at, err := b.offset()
	return at + 1, err
}
