package bench

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/topics"
)

// proofs is how many customers, beside one of each partition, must be found as
// they were after a restore.
const proofs = 2000

// restore starts the arm of s again without its files, and returns how long it
// took until every partition had answered an event. What it has forgotten would
// show in the answers. The group and its table are those of s; the events come
// in a topic of their own, so that the input stays the same for all arms.
func (b *bench) restore(ctx context.Context, s spec) (time.Duration, error) {
	ends, err := b.lab.ends(ctx, s.Output)
	if err != nil {
		return 0, err
	}
	s.Input, s.Dir, s.Profile = s.Group+"-markers", filepath.Join(s.Dir, "restored"), ""
	if err := b.lab.makeTopics(ctx, "", s.Input); err != nil {
		return 0, err
	}
	defer b.drop(ctx, s.Input)
	first, rest := b.want.markers(b.o.Partitions)
	q := &questions{lab: b.lab, spec: s, want: b.want, codec: formOf(s.Way).update}
	if q.reader, err = b.lab.reader(s.Output, ends, kgo.FetchMinBytes(1)); err != nil {
		return 0, err
	}
	defer q.reader.Close()
	if err := q.ask(ctx, first); err != nil {
		return 0, err
	}
	p, err := b.launch(ctx, s)
	if err != nil {
		return 0, err
	}
	if err = q.answers(ctx); err == nil {
		took := time.Since(p.began)
		if err = q.ask(ctx, rest); err == nil {
			err = q.answers(ctx)
		}
		if err == nil {
			_, err = p.stop()
			return took, err
		}
	}
	_, gone := p.sample() // its last words tell more
	p.kill()
	return 0, errors.Join(err, gone)
}

// markers are the keys to ask for: one for each partition that has any, and
// others from all over the table.
func (x *expected) markers(partitions int32) (first, rest []string) {
	has := map[int32]bool{}
	for n, key := range slices.Sorted(maps.Keys(x.table)) {
		if p := topics.Partition([]byte(key), partitions); !has[p] {
			has[p] = true
			first = append(first, key)
		} else if n%max(1, len(x.table)/proofs) == 0 {
			rest = append(rest, key)
		}
	}
	return first, rest
}

// questions are events about customers who are there, and what must be said.
type questions struct {
	lab    *lab
	spec   spec
	want   *expected
	codec  valueCodec
	reader *kgo.Client
	asked  int
	open   map[string][]byte // the update that is right, by key
}

// ask sends one event for each key.
func (q *questions) ask(ctx context.Context, keys []string) error {
	q.open = map[string][]byte{}
	var failed firstError
	for _, key := range keys {
		q.asked++
		e := event{At: eventTime(q.asked), Kind: paid, Amount: 1, ID: fmt.Sprintf("marker-%d", q.asked)}
		row := *q.want.table[key]
		u := row.apply(&e)
		q.open[key] = u.append(nil)
		q.lab.send(ctx, q.spec.Input, key, &e, failed.set)
	}
	return cmp.Or(q.lab.client.Flush(ctx), failed.get())
}

// answers waits for what was asked and compares it.
func (q *questions) answers(ctx context.Context) error {
	var wrong error
	see := func(r *kgo.Record) {
		key := string(r.Key)
		v, err := q.codec.Decode(r.Value)
		switch {
		case wrong != nil:
		case err != nil:
			wrong = fmt.Errorf("%w: read %s/%d@%d: %w", ErrWrong, r.Topic, r.Partition, r.Offset, err)
		case !bytes.Equal(v.(*update).append(nil), q.open[key]):
			wrong = fmt.Errorf("%w: answer %s/%d@%d does not go on from the last row", ErrWrong, r.Topic, r.Partition, r.Offset)
		}
		delete(q.open, key)
	}
	for len(q.open) > 0 && wrong == nil {
		n, err := poll(ctx, q.reader, stallLimit, see)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("answers are missing from %d customers after %v, want none", len(q.open), stallLimit)
		}
	}
	return wrong
}
