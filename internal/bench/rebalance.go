package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Rebalanced is how an arm did while a second member came and went again, under
// a load of rebalanceRate. A gap is the longest time without a committed update
// of one partition, whichever that was: from before the second process was
// started until both had worked for a while, and from before it was told to end
// until the other one did all the work again.
type Rebalanced struct {
	Way   Way     `json:"arm"`
	Quiet float64 `json:"quiet_gap_seconds"` // of a while before
	Join  float64 `json:"join_gap_seconds"`
	Leave float64 `json:"leave_gap_seconds"`
	Again int     `json:"repeated_updates"` // 0 with exactly-once
}

const (
	// rebalanceRate is the load in events per second.
	rebalanceRate = 1000
	// rebalanceLimit is how long a join or a leave may take.
	rebalanceLimit = 2 * time.Minute
)

// rebalances measures every arm that can take over what another member left.
func (b *bench) rebalances(ctx context.Context, deadline time.Time) (all []Rebalanced, left int, err error) {
	if !b.o.Rebalance {
		return nil, 0, nil
	}
	for range b.o.Repeats {
		for _, w := range b.o.Ways {
			if !w.recovers() && !b.o.every {
				continue
			}
			if time.Now().Add(30 * time.Second).After(deadline) {
				left++
				continue
			}
			b.o.Progress(fmt.Sprintf("%s: a second member joins and leaves", w))
			r, err := b.rebalance(ctx, w)
			if err != nil {
				return nil, 0, fmt.Errorf("rebalance arm %s: %w", w, err)
			}
			all = append(all, r)
		}
	}
	return all, left, nil
}

func (b *bench) rebalance(ctx context.Context, w Way) (r Rebalanced, err error) {
	input := fmt.Sprintf("%s-%d-shared", b.o.name, b.runs)
	if err := b.lab.makeTopics(ctx, "", input); err != nil {
		return r, err
	}
	defer b.drop(ctx, input)
	s := b.newSpec(w, input)
	p, clean, err := b.begin(ctx, s)
	if err != nil {
		return r, err
	}
	defer clean()
	t, err := b.newTraffic(s)
	if err != nil {
		p.kill()
		return r, err
	}
	defer t.reader.Close()
	r, err = b.joinAndLeave(ctx, t, s)
	if err != nil {
		_, gone := p.sample() // its last words tell more
		p.kill()
		return r, errors.Join(err, gone)
	}
	if _, err = p.stop(); err != nil {
		return r, err
	}
	r.Way, r.Again = w, t.again
	if w.repeats() {
		return r, nil // nothing is missing, and more is not promised
	}
	t.want.finish()
	_, err = b.lab.check(ctx, s, t.want)
	return r, err
}

// joinAndLeave is the course of a measurement, with the first member at work.
func (b *bench) joinAndLeave(ctx context.Context, t *traffic, s spec) (r Rebalanced, err error) {
	// Twice: what starts slowly shall not be taken for a gap.
	for range 2 {
		if r.Quiet, err = t.gap(ctx, func() (bool, error) { return true, nil }); err != nil {
			return r, err
		}
	}
	second := s
	second.Instance, second.Dir = "-second", filepath.Join(s.Dir, "second")
	q, err := b.launch(ctx, second)
	if err != nil {
		return r, err
	}
	r.Join, err = t.gap(ctx, func() (bool, error) {
		u, err := q.sample()
		return u.Processed > 0, err
	})
	if err != nil {
		q.kill()
		return r, err
	}
	ended := make(chan error, 1)
	go func() {
		_, err := q.stop()
		ended <- err
	}()
	gone := false
	r.Leave, err = t.gap(ctx, func() (bool, error) {
		select {
		case err := <-ended:
			gone = true
			return true, err
		default:
			return gone, nil
		}
	})
	if !gone {
		err = errors.Join(err, <-ended)
	}
	if err != nil {
		return r, err
	}
	return r, t.drain(ctx)
}

// traffic is a steady load and what has come of it.
type traffic struct {
	lab    *lab
	spec   spec
	codec  valueCodec
	script *script
	want   *expected
	reader *kgo.Client
	began  time.Time
	sent   int
	open   map[string]bool // ids of events without an update
	again  int             // updates of no such event
	last   map[int32]time.Time
	worst  map[int32]time.Duration
	failed firstError

	settled time.Duration
}

func (b *bench) newTraffic(s spec) (*traffic, error) {
	reader, err := b.lab.reader(s.Output, nil, kgo.FetchMinBytes(1))
	if err != nil {
		return nil, err
	}
	return &traffic{
		lab: b.lab, spec: s, codec: formOf(s.Way).update, reader: reader,
		script: newScript(b.o.Seed, b.o.Customers), want: newExpected(),
		began: time.Now(), settled: b.o.settled, open: map[string]bool{}, last: map[int32]time.Time{}, worst: map[int32]time.Duration{},
	}, nil
}

// gap keeps the load up until done has been true, and every partition has gone
// on after that, for a while. It returns the longest time in seconds that a
// partition was silent.
func (t *traffic) gap(ctx context.Context, done func() (bool, error)) (float64, error) {
	clear(t.worst)
	since := time.Now() // of done
	is := false
	began, asked := time.Now(), time.Time{}
	for {
		if err := t.step(ctx, true); err != nil {
			return 0, err
		}
		if !is && time.Since(asked) > 100*time.Millisecond {
			var err error
			if is, err = done(); err != nil {
				return 0, err
			}
			since, asked = time.Now(), time.Now()
		}
		if is && time.Since(since) > t.settled && t.allSince(since) {
			return slices.Max(slices.Collect(maps.Values(t.worst))).Seconds(), nil
		}
		if time.Since(began) > rebalanceLimit {
			return 0, fmt.Errorf("arm %s is not settled after %v, want updates of %d partitions and have those of %d", t.spec.Way, rebalanceLimit, t.lab.partitions, len(t.last))
		}
	}
}

// allSince tells whether every partition has been heard of since then.
func (t *traffic) allSince(then time.Time) bool {
	for _, at := range t.last {
		if at.Before(then) {
			return false
		}
	}
	return len(t.last) == int(t.lab.partitions)
}

// drain waits for what has no update yet.
func (t *traffic) drain(ctx context.Context) error {
	for began := time.Now(); len(t.open) > 0; {
		if err := t.step(ctx, false); err != nil {
			return err
		}
		if time.Since(began) > stallLimit {
			return fmt.Errorf("%w: events without an update are %d of %d, want 0", ErrWrong, len(t.open), t.sent)
		}
	}
	return nil
}

// step sends what is due, and looks at what has come.
func (t *traffic) step(ctx context.Context, send bool) error {
	for due := int(time.Since(t.began).Seconds() * rebalanceRate); send && t.sent < due; t.sent++ {
		customer, e := t.script.next(time.Now().UnixNano())
		key := customerKey(customer)
		t.want.add(key, &e)
		t.open[e.ID] = true
		t.lab.send(ctx, t.spec.Input, key, &e, t.failed.set)
	}
	_, err := poll(ctx, t.reader, 5*time.Millisecond, t.see)
	return errors.Join(err, t.failed.get())
}

func (t *traffic) see(r *kgo.Record) {
	now := time.Now()
	if before, ok := t.last[r.Partition]; ok {
		t.worst[r.Partition] = max(t.worst[r.Partition], now.Sub(before))
	}
	t.last[r.Partition] = now
	v, err := t.codec.Decode(r.Value)
	if err != nil {
		t.failed.set(fmt.Errorf("%w: read %s/%d@%d: %w", ErrWrong, r.Topic, r.Partition, r.Offset, err))
		return
	}
	id := v.(*update).Account.Last
	if !t.open[id] {
		t.again++
	}
	delete(t.open, id)
}
