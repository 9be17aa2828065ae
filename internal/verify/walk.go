package verify

import (
	"context"
	"fmt"

	"billstream/internal/topics"
)

// walk is the way through one partition of the input and of what came of it.
type walk struct {
	*check
	partition int32
	cut       int64 // the committed offset
	last      *Record
	updates   *stream
	letters   *stream
}

// check is one judgement of full mode.
type check struct {
	cfg        *Config
	log        Log
	report     *Report
	online     bool
	repeats    bool // at-least-once: records may repeat byte for byte
	partitions int32
	committed  map[int32]int64
	bounds     map[string][]Bounds
	maxLetter  int
	history    *history
	rows       *model
	dumps      map[int32][]Dump // by partition
}

// partition judges one partition: input, updates and letters side by side, then
// the table.
func (c *check) partition(ctx context.Context, p int32) error {
	w := &walk{check: c, partition: p, cut: c.committed[p]}
	m := &model{partitions: c.partitions, unknownDead: c.cfg.DeadLetterUnknown, rows: c.rows.rows}
	var stop func()
	read := func(topic string) (s func(func(*Record, error) bool)) {
		return c.log.Read(ctx, topic, p, c.bounds[topic][p])
	}
	w.updates, stop = w.stream(updatesTopic, &updates{withAccount: !c.cfg.WithoutAccount}, read(updatesTopic))
	defer stop()
	w.letters, stop = w.stream(lettersTopic, &letters{partition: p, maxMessage: c.maxLetter}, read(lettersTopic))
	defer stop()

	mine := len(m.rows)
	for rec, err := range read(topics.CustomerEvents) {
		if err != nil {
			return err
		}
		if err := w.step(m, rec); err != nil {
			return err
		}
	}
	if err := w.updates.finish(); err != nil {
		return err
	}
	if err := w.letters.finish(); err != nil {
		return err
	}
	c.report.Counts["customers"] += int64(len(m.rows) - mine)
	if c.online {
		return nil
	}
	return w.table(ctx, m)
}

// step folds one record of the input and looks for what must have come of it.
func (w *walk) step(m *model, rec *Record) error {
	w.report.Counts[topics.CustomerEvents]++
	w.history.seen(w.partition, rec)
	if rec.Offset >= w.cut {
		w.report.Counts["unprocessed"]++
		return nil
	}
	w.last = rec
	x := m.apply(w.partition, rec)
	w.report.Counts[x.outcome]++
	if x.update != nil {
		w.report.Counts["class "+x.update.Class.String()]++
		if err := w.updates.expect(x); err != nil {
			return err
		}
	}
	if x.refusal != nil {
		w.report.Counts["code "+string(x.refusal.Code)]++
		return w.letters.expect(x)
	}
	return nil
}

// unprocessed notes what the group has not come to.
func (c *check) unprocessed() {
	if n := c.report.Counts["unprocessed"]; n > 0 && !c.online {
		c.report.problem(ExitUnprocessed, "records of %s behind the committed offsets are %d, want 0", topics.CustomerEvents, n)
	}
}

// place names a partition.
func place(topic string, partition int32) string { return fmt.Sprintf("%s/%d", topic, partition) }
