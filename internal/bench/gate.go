package bench

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/topics"
)

// ErrWrong means that an arm's output is not what the events say: there are no
// figures then.
var ErrWrong = errors.New("output is wrong")

// digest sums up keys and values in any order.
type digest struct {
	count int
	sum   uint64
}

func (d *digest) add(key string, value []byte) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(value)
	d.count++
	d.sum += h.Sum64()
}

// expected is what the events make: every update and every final row, in the
// binary form.
type expected struct {
	updates digest
	rows    digest
	table   map[string]*account
	buffer  []byte
}

func newExpected() *expected { return &expected{table: map[string]*account{}} }

func (x *expected) add(key string, e *event) {
	a := x.table[key]
	if a == nil {
		a = new(account)
		x.table[key] = a
	}
	u := a.apply(e)
	x.buffer = u.append(x.buffer[:0])
	x.updates.add(key, x.buffer)
}

func (x *expected) finish() {
	for key, a := range x.table {
		x.buffer = a.append(x.buffer[:0])
		x.rows.add(key, x.buffer)
	}
}

// counted is what the gate met on its way.
type counted struct {
	rows      int // records of the changelog that are customers' rows
	positions int // and those that are position rows
}

// check compares what an arm wrote with what must come out: the updates with
// their seq from 1 on without a gap for each customer, in the partition of the
// key, and the last row of each.
func (l *lab) check(ctx context.Context, s spec, want *expected) (counted, error) {
	f := formOf(s.Way)
	if err := l.checkUpdates(ctx, s.Output, f.update, want); err != nil {
		return counted{}, err
	}
	return l.checkRows(ctx, s.table(), f.account, want)
}

func (l *lab) checkUpdates(ctx context.Context, topic string, codec valueCodec, want *expected) error {
	var got digest
	var buffer []byte
	seqs := map[string]int64{}
	err := l.readAll(ctx, topic, func(r *kgo.Record) error {
		if p := topics.Partition(r.Key, l.partitions); r.Partition != p {
			return fmt.Errorf("%w: partition of %s/%d@%d is %d, want %d", ErrWrong, topic, r.Partition, r.Offset, r.Partition, p)
		}
		v, err := codec.Decode(r.Value)
		if err != nil {
			return fmt.Errorf("%w: read %s/%d@%d: %w", ErrWrong, topic, r.Partition, r.Offset, err)
		}
		u, key := v.(*update), string(r.Key)
		if seqs[key]++; u.Account.Seq != seqs[key] {
			return fmt.Errorf("%w: seq of %s/%d@%d is %d, want %d", ErrWrong, topic, r.Partition, r.Offset, u.Account.Seq, seqs[key])
		}
		buffer = u.append(buffer[:0])
		got.add(key, buffer)
		return nil
	})
	if err != nil {
		return err
	}
	return compare("updates", got, want.updates)
}

func (l *lab) checkRows(ctx context.Context, topic string, codec valueCodec, want *expected) (counted, error) {
	var n counted
	last := map[string][]byte{}
	err := l.readAll(ctx, topic, func(r *kgo.Record) error {
		if isPosition(r.Key) {
			n.positions++
			return nil
		}
		n.rows++
		last[string(r.Key)] = slices.Clone(r.Value)
		return nil
	})
	if err != nil {
		return n, err
	}
	var got digest
	for key, value := range last {
		v, err := codec.Decode(value)
		if err != nil {
			return n, fmt.Errorf("%w: read a row of %s: %w", ErrWrong, topic, err)
		}
		got.add(key, v.(*account).append(nil))
	}
	return n, compare("rows", got, want.rows)
}

func compare(what string, got, want digest) error {
	switch {
	case got.count != want.count:
		return fmt.Errorf("%w: count of %s is %d, want %d", ErrWrong, what, got.count, want.count)
	case got.sum != want.sum:
		return fmt.Errorf("%w: hash of the %s is %016x, want %016x", ErrWrong, what, got.sum, want.sum)
	}
	return nil
}

// firstError keeps the first error of concurrent callbacks.
type firstError struct {
	mu  sync.Mutex
	err error
}

func (f *firstError) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *firstError) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
