package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"billstream/internal/failpoint"
)

// Source is what snapshots are written of. Arena and PebblePartition are.
type Source interface {
	// GetOffset returns the offset of the last batch, def before the first.
	GetOffset(def int64) (int64, error)
	// Ascend calls yield for all rows by ascending key. A row that is there all
	// the time must come, with a value that it had during the walk.
	Ascend(from string, yield func(key string, value []byte) bool) error
}

// WriteSnapshot writes the rows of s into a file in dir, which must exist, and
// says what it has become. The store goes on meanwhile: whoever writes to it
// waits for no more than 128 rows at a time. The file that was there before
// stays until the new one is whole and on the disk, and after an error. One
// caller at a time may write the snapshot of a partition.
//
// at is a time at which s stood at the end of its changelog. LoadSnapshot tells
// by it whether deletes that the rows have not seen may be gone from there.
func WriteSnapshot(ctx context.Context, dir string, o Origin, s Source, at time.Time) (Snapshot, error) {
	var t meter
	if a, ok := s.(*Arena); ok {
		t, s = a.meter, uncounted{a}
	}
	began := t.began()
	snap, err := writeSnapshot(ctx, dir, o, s, at)
	t.ended(opSnapshot, began, err)
	if err != nil {
		return Snapshot{}, fmt.Errorf("write snapshot: %w", err)
	}
	return snap, nil
}

// uncounted is a store whose walks are parts of something else.
type uncounted struct{ *Arena }

// Ascend implements Source.
func (u uncounted) Ascend(from string, yield func(key string, value []byte) bool) error {
	u.walk(from, yield)
	return nil
}

func writeSnapshot(ctx context.Context, dir string, o Origin, s Source, at time.Time) (Snapshot, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Snapshot{}, err
	}
	defer root.Close()
	name := SnapshotName(o.Topic, o.Partition)
	snap, err := writeBeside(ctx, root, name+unfinished, s, Snapshot{Origin: o, At: at.UTC().Round(0)})
	if err != nil {
		return Snapshot{}, errors.Join(err, clean(root, name+unfinished))
	}
	failpoint.Hit("store.snapshot-rename")
	if err := root.Rename(name+unfinished, name); err != nil {
		return Snapshot{}, errors.Join(err, clean(root, name+unfinished))
	}
	return snap, syncDir(root)
}

// clean removes what was not finished, if it came to be a file.
func clean(root *os.Root, name string) error {
	if err := root.Remove(name); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// syncDir makes a rename last.
func syncDir(root *os.Root) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// writeBeside writes a whole file, and has it on the disk when it returns. What
// a killed process has left under the name goes.
func writeBeside(ctx context.Context, root *os.Root, name string, s Source, snap Snapshot) (Snapshot, error) {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return snap, err
	}
	w := &snapshotWriter{to: f, buf: make([]byte, frameBytes, 2*blockBytes)}
	if snap, err = w.write(ctx, s, snap); err == nil {
		err = f.Sync()
	}
	return snap, errors.Join(err, f.Close())
}

// snapshotWriter puts rows into blocks.
type snapshotWriter struct {
	to    io.Writer
	buf   []byte // the block: room for its frame, and rows
	rows  uint32 // in buf
	total int64
	bytes int64
	chain uint32
}

// write writes a file and returns what is to be said of it.
func (w *snapshotWriter) write(ctx context.Context, s Source, snap Snapshot) (_ Snapshot, err error) {
	if snap.From, err = s.GetOffset(-1); err != nil {
		return snap, err
	}
	header, sum, err := appendHeader(nil, &snap)
	if err != nil {
		return snap, err
	}
	w.chain = chained(0, sum)
	if err := w.put(header); err != nil {
		return snap, err
	}
	if err := w.walk(ctx, s); err != nil {
		return snap, err
	}
	if snap.Through, err = s.GetOffset(-1); err != nil {
		return snap, err
	}
	last := end{w.total, snap.Through, w.chain}.append(w.buf[:frameBytes])
	seal(last, 0)
	err = w.put(last)
	snap.Rows, snap.Bytes = w.total, w.bytes
	return snap, err
}

// walk writes all rows.
func (w *snapshotWriter) walk(ctx context.Context, s Source) (err error) {
	walked := s.Ascend("", func(key string, value []byte) bool {
		w.add(key, value)
		if len(w.buf) >= blockBytes {
			err = w.flush(ctx)
		}
		return err == nil
	})
	if err == nil {
		err = walked
	}
	if err == nil && w.rows > 0 {
		err = w.flush(ctx)
	}
	return err
}

func (w *snapshotWriter) add(key string, value []byte) {
	w.buf = binary.AppendUvarint(w.buf, uint64(len(key)))
	w.buf = binary.AppendUvarint(w.buf, uint64(len(value)))
	w.buf = append(w.buf, key...)
	w.buf = append(w.buf, value...)
	w.rows++
}

// flush writes the block and begins another.
func (w *snapshotWriter) flush(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if len(w.buf)-frameBytes > maxBlock {
		return fmt.Errorf("block with a large row is %d bytes, want %d at most", len(w.buf)-frameBytes, maxBlock)
	}
	w.chain = chained(w.chain, seal(w.buf, w.rows))
	w.total += int64(w.rows)
	err := w.put(w.buf)
	w.buf, w.rows = w.buf[:frameBytes], 0
	failpoint.Hit("store.snapshot-half")
	return err
}

func (w *snapshotWriter) put(b []byte) error {
	n, err := w.to.Write(b)
	w.bytes += int64(n)
	return err
}
