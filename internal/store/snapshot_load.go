package store

import (
	"fmt"
	"iter"
	"path/filepath"
	"time"
)

// clockStep is how far a clock may have been put back since a snapshot was
// written. One from further ahead has no age that could be told.
const clockStep = time.Minute

// LoadSnapshot reads the snapshot of want's partition in dir into a store: apply
// is its Apply, and the store must be empty. What the file says of itself is
// looked at first; then apply is called once, with Snapshot.From and the rows
// by ascending key, each with bytes that change under it after its turn.
//
// An *UnusableError says why there is no snapshot that can serve: it is missing,
// corrupt, of another cluster, topic, partition or number of partitions
// (foreign), older than maxAge (stale; 0 means that any age will do), or in a
// format that this program does not know (version). After any error, whatever
// apply returned, the store is to be thrown away: it may have a part of the
// rows, and their offset.
func LoadSnapshot(dir string, want Origin, maxAge time.Duration, now time.Time, apply func(offset int64, rows iter.Seq2[string, []byte]) error) (Snapshot, error) {
	r, err := openSnapshot(filepath.Join(dir, SnapshotName(want.Topic, want.Partition)))
	if err != nil {
		return Snapshot{}, fmt.Errorf("load snapshot: %w", err)
	}
	defer r.file.Close()
	if err := r.load(want, maxAge, now, apply); err != nil {
		return Snapshot{}, fmt.Errorf("load snapshot: %w", err)
	}
	return r.Snapshot, nil
}

func (r *snapshotReader) load(want Origin, maxAge time.Duration, now time.Time, apply func(int64, iter.Seq2[string, []byte]) error) error {
	if err := r.serves(want, maxAge, now); err != nil {
		return err
	}
	err := apply(r.From, r.each)
	switch {
	case r.err != nil:
		return r.err
	case err != nil:
		return err
	case !r.done:
		return fmt.Errorf("store has taken %d rows, want all: it must be empty before", r.rows)
	}
	return nil
}

// serves compares what the header says with what is wanted.
func (r *snapshotReader) serves(want Origin, maxAge time.Duration, now time.Time) error {
	if r.Origin != want {
		return &UnusableError{Reason: "foreign", File: r.name, Err: fmt.Errorf("rows are of %+v, want %+v", r.Origin, want)}
	}
	if age := now.Sub(r.At); maxAge > 0 && (age > maxAge || age < -clockStep) {
		return &UnusableError{Reason: "stale", File: r.name, Err: fmt.Errorf("age is %v, want 0s to %v", age, maxAge)}
	}
	return nil
}
