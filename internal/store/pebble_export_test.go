package store

import (
	"context"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// On returns o for a database in fs that flushes when memTableBytes are full.
func (o PebbleOptions) On(fs vfs.FS, memTableBytes uint64) PebbleOptions {
	o.fs, o.memTableBytes = fs, memTableBytes
	return o
}

// SetIdentity writes what a database says of itself.
func (p *Pebble) SetIdentity(text string) error {
	return p.db.Set(appendPrefix(nil, identityPartition, kindMeta), []byte(text), pebble.NoSync)
}

// SetMeta writes what is kept about partition n.
func (p *Pebble) SetMeta(n int32, text string) error {
	return p.db.Set(metaKey(n), []byte(text), pebble.NoSync)
}

// Compact moves all rows to the last level.
func (p *Pebble) Compact() error {
	return p.db.Compact(context.Background(), []byte{0}, []byte{255}, false)
}

// RemoveIdentity takes away what a database says of itself.
func (p *Pebble) RemoveIdentity() error {
	return p.db.Delete(appendPrefix(nil, identityPartition, kindMeta), pebble.NoSync)
}
