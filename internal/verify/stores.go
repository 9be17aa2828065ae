package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"billstream/internal/customer"
	"billstream/internal/topics"
)

// Dump is what the store of a stopped process has of one partition of the
// table: the rows as the process would start with.
type Dump struct {
	File       string // names the dump in the report
	Topic      string
	TopicID    string // in base64, as in a Report
	Partition  int32
	Partitions int32

	// The changelog up to and with offset From is in the rows. Of what follows any
	// part may be, up to Through and of the one batch behind it: that was being
	// applied when the offset was read. From is negative when nothing is in them.
	From, Through int64

	// Rows yields every row once; key and value are good until the next row. The
	// error says that not all of them came, or is that of yield.
	Rows func(yield func(key string, value []byte) error) error
}

// OpenStore finds the dumps below a directory that the user named. They stay as
// they are until release is called, which is nil together with an error.
type OpenStore func(ctx context.Context, dir string) (dumps []Dump, release func() error, err error)

// openStores finds the dumps of all stores and puts them to their partitions.
// What cannot be opened makes the judgement incomplete.
func (c *check) openStores(ctx context.Context) (release func(), err error) {
	c.dumps = map[int32][]Dump{}
	var releases []func() error
	release = func() {
		for _, f := range releases {
			if err := f(); err != nil {
				c.report.problem(ExitIncomplete, "let go of a store: %v", err)
			}
		}
	}
	for _, dir := range c.cfg.Stores {
		dumps, done, err := c.cfg.OpenStore(ctx, dir)
		if err != nil {
			release()
			return nil, fmt.Errorf("%w: open store: %w", ErrIncomplete, err)
		}
		releases = append(releases, done)
		for i := range dumps {
			if c.ours(&dumps[i]) {
				c.dumps[dumps[i].Partition] = append(c.dumps[dumps[i].Partition], dumps[i])
			}
		}
	}
	return release, nil
}

// ours reports whether a dump is of the table that is judged.
func (c *check) ours(d *Dump) bool {
	wrong := func(what string, got, want any) bool {
		c.report.problem(ExitOtherTopics, "%s of %s is %v, want %v", what, d.File, got, want)
		return false
	}
	end := int64(-1)
	if b := c.bounds[topics.BillingTable]; d.Partition >= 0 && int(d.Partition) < len(b) {
		end = b[d.Partition].End
	}
	switch {
	case d.Topic != topics.BillingTable:
		return wrong("topic", d.Topic, topics.BillingTable)
	case d.TopicID != c.report.Topics[topics.BillingTable]:
		return wrong("topic id", d.TopicID, c.report.Topics[topics.BillingTable])
	case d.Partitions != c.partitions || end < 0:
		return wrong("partition", fmt.Sprintf("%d of %d", d.Partition, d.Partitions), fmt.Sprintf("one of %d", c.partitions))
	case d.Through >= end:
		return wrong("last offset", d.Through, fmt.Sprintf("less than %d, the end of the changelog", end))
	}
	return true
}

// stores compares the dumps of the partition with the rows of m. What the
// changelog has behind a dump's From replaces its rows at the next start, so
// only the other rows say anything.
func (w *walk) stores(ctx context.Context, m *model, newest map[string]stored) error {
	for _, d := range w.dumps[w.partition] {
		if err := w.store(ctx, &d, m, newest); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) store(ctx context.Context, d *Dump, m *model, newest map[string]stored) error {
	w.report.Counts["stores"]++
	rows := int64(0)
	found := map[string]bool{}
	err := d.Rows(func(key string, value []byte) error {
		if rows++; rows%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key = strings.Clone(key)
		if found[key] {
			w.dumped(d, key, -1, "row is there twice")
		}
		found[key] = true
		w.dumpedRow(d, m, key, value, newest)
		return nil
	})
	w.report.Counts["store rows"] += rows
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: read %s: %w", ErrIncomplete, d.File, err)
	}
	for _, key := range slices.Sorted(maps.Keys(newest)) {
		if at := newest[key]; at.value != nil && at.offset <= d.From && !found[key] {
			w.dumped(d, key, at.offset, "row is missing")
		}
	}
	return nil
}

// dumpedRow judges one row of a dump.
func (w *walk) dumpedRow(d *Dump, m *model, key string, value []byte, newest map[string]stored) {
	at, logged := newest[key]
	s := m.rows[customer.ID(key)]
	switch {
	case topics.Partition([]byte(key), w.partitions) != w.partition:
		w.dumped(d, key, -1, "key belongs into another partition")
	case !logged:
		w.dumped(d, key, -1, "row is not in the changelog, nor was it deleted there")
	case at.offset > d.From: // it is replaced at the start
	case at.value == nil:
		w.dumped(d, key, at.offset, "row is deleted in the changelog")
	case s == nil || strings.HasPrefix(key, string(customer.ReservedPrefix)):
		if !same(at.value, value) {
			w.dumped(d, key, at.offset, "row differs from the changelog")
		}
	default:
		switch field, ok := rowDiffers(s.row, value); {
		case !ok:
			w.dumped(d, key, at.offset, "row cannot be decoded")
		case field != "":
			w.dumped(d, key, at.offset, field+": row differs from the fold of the input")
		}
	}
}

// dumped notes an anomaly of a store; offset is that of the row's newest record
// in the changelog, -1 for none.
func (w *walk) dumped(d *Dump, key string, offset int64, detail string) {
	w.report.anomaly(Anomaly{
		Class: StaleStore, Topic: topics.BillingTable, Partition: w.partition, Offset: offset,
		Detail: d.File + ": " + detail, Customer: hashOf([]byte(key)),
	})
}
