package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/eos"
	"billstream/internal/topics"
)

// floorBytes is how much a loop stages before it commits: without a limit the
// epochs of a full load grow until memory is what is measured.
const floorBytes = 16 << 20

// loop is the job with nothing around it: read, fold, encode, commit. It starts
// from nothing and never gives a partition up, and so it is no product.
type loop struct {
	*arm
	client *kgo.Client
	writer eos.Writer
	rows   map[string]*account
	parts  map[int32]*loopPart
	staged int // bytes
}

// loopPart is what one partition has to commit.
type loopPart struct {
	part  eos.EpochPart
	dirty map[string][]byte
}

// runFloor runs the loop until ctx ends.
func (a *arm) runFloor(ctx context.Context, log *slog.Logger) error {
	w, err := a.writer(log)
	if err != nil {
		return err
	}
	defer w.Close()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(a.Brokers...), kgo.ClientID("bench-floor"),
		kgo.ConsumerGroup(a.Group), kgo.ConsumeTopics(a.Input),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.FetchMaxBytes(4<<20), kgo.FetchMaxPartitionBytes(512<<10),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := w.Open(ctx); err != nil {
		return err
	}
	l := &loop{arm: a, client: client, writer: w, rows: map[string]*account{}, parts: map[int32]*loopPart{}}
	for ctx.Err() == nil {
		if err := l.epoch(ctx); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// epoch reads for one interval, which begins with its first event, and commits.
func (l *loop) epoch(ctx context.Context) error {
	if err := l.read(ctx); err != nil {
		return err
	}
	until, cancel := context.WithTimeout(ctx, l.Interval)
	defer cancel()
	for l.staged < floorBytes && until.Err() == nil {
		if err := l.read(until); err != nil {
			return err
		}
	}
	return l.commit(ctx)
}

// read waits for events and folds what has come.
func (l *loop) read(ctx context.Context) error {
	fetches := l.client.PollRecords(ctx, 4096)
	if err := failure(fetches); err != nil {
		return err
	}
	for i := fetches.RecordIter(); !i.Done(); {
		if err := l.fold(i.Next()); err != nil {
			return err
		}
	}
	return nil
}

// failure is the first error of a poll, but for the end of its time.
func failure(fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) {
			return fmt.Errorf("read %s/%d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	return nil
}

// fold applies one event.
func (l *loop) fold(r *kgo.Record) error {
	e, err := decodeEvent(r.Value)
	if err != nil {
		return err
	}
	key := string(r.Key)
	row := l.rows[key]
	if row == nil {
		row = new(account)
		l.rows[key] = row
	}
	u := row.apply(e)
	if l.Spoil && e.Amount%100 == 0 {
		u.Account.Balance++
	}
	p := l.parts[r.Partition]
	if p == nil {
		p = &loopPart{
			part:  eos.EpochPart{Partition: r.Partition, Marks: []eos.PositionMark{{Topic: r.Topic, Partition: r.Partition}}},
			dirty: map[string][]byte{},
		}
		l.parts[r.Partition] = p
	}
	output, value := u.append(nil), row.append(nil)
	p.part.Outputs = append(p.part.Outputs, eos.Record{
		Topic: l.Output, Partition: topics.Partition(r.Key, l.Partitions), Key: r.Key, Value: output,
	})
	p.dirty[key] = value
	p.part.Marks[0].Next = r.Offset + 1
	l.staged += len(key) + len(output) + len(value)
	l.processed.Add(1)
	return nil
}

// commit writes what is staged.
func (l *loop) commit(ctx context.Context) error {
	if len(l.parts) == 0 {
		return nil
	}
	id, generation := l.client.GroupMetadata()
	e := &eos.Epoch{Member: eos.Member{Group: l.Group, ID: id, Generation: generation}}
	for _, n := range slices.Sorted(maps.Keys(l.parts)) {
		p := l.parts[n]
		for key, value := range p.dirty {
			p.part.Rows = append(p.part.Rows, eos.Row{Key: key, Value: value})
		}
		e.Parts = append(e.Parts, p.part)
	}
	if err := l.writer.Write(ctx, e); err != nil {
		return err
	}
	l.commits.Add(1)
	l.staged = 0
	clear(l.parts)
	return nil
}
