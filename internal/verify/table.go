package verify

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/internal/topics"

	billingv1 "billstream/codecs/proto/billing/v1"
)

// stored is the newest record of a key of the changelog.
type stored struct {
	offset  int64
	value   []byte // nil: deleted
	aborted bool
}

// table folds the changelog of the partition and compares it with the rows of m
// that belong there.
func (w *walk) table(ctx context.Context, m *model) error {
	newest := map[string]stored{}
	for rec, err := range w.log.Read(ctx, topics.BillingTable, w.partition, w.bounds[topics.BillingTable][w.partition]) {
		if err != nil {
			return err
		}
		w.report.Counts[topics.BillingTable]++
		if rec.Aborted {
			w.row(AbortedRead, string(rec.Key), rec.Offset, "", "record is visible, and its transaction was aborted")
		}
		newest[string(rec.Key)] = stored{rec.Offset, rec.Value, rec.Aborted}
	}
	w.position(newest)
	for _, key := range slices.Sorted(maps.Keys(newest)) {
		got := newest[key]
		switch s := m.rows[customer.ID(key)]; {
		case strings.HasPrefix(key, string(customer.ReservedPrefix)):
		case topics.Partition([]byte(key), w.partitions) != w.partition:
			w.row(WrongPartition, key, got.offset, "", "key belongs into another partition")
		case s == nil && got.value != nil:
			w.row(Foreign, key, got.offset, "", "row has no record of the input as its reason")
		case s != nil:
			w.compare(key, s.row, got)
		}
	}
	w.absent(m, newest)
	return w.stores(ctx, m, newest)
}

// absent looks for rows that the table does not have.
func (w *walk) absent(m *model, newest map[string]stored) {
	var keys []string
	for id := range m.rows {
		if _, ok := newest[string(id)]; !ok && topics.Partition([]byte(id), w.partitions) == w.partition {
			keys = append(keys, string(id))
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		w.row(LostRow, key, m.rows[customer.ID(key)].row.AppliedOffset, "", "table has no row of the customer (the offset is that of the input)")
	}
}

// encodes reports whether b is what an encoder makes of m.
func encodes(m proto.Message, b []byte) bool {
	want, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	return err == nil && bytes.Equal(want, b)
}

// rowDiffers returns in which field the encoded row is another than row, "" if
// in none; ok is false when it cannot be decoded.
func rowDiffers(row *billing.Row, encoded []byte) (field string, ok bool) {
	want := rowMessage(row)
	if encodes(want, encoded) {
		return "", true
	}
	var r billingv1.AccountRow
	if proto.Unmarshal(encoded, &r) != nil {
		return "", false
	}
	return differs(want, &r), true
}

func (w *walk) compare(key string, row *billing.Row, got stored) {
	want := rowMessage(row)
	if encodes(want, got.value) {
		return
	}
	if got.value == nil {
		w.row(LostRow, key, got.offset, "", "row is deleted")
		return
	}
	var r billingv1.AccountRow
	if proto.Unmarshal(got.value, &r) != nil {
		w.row(WrongValue, key, got.offset, "value", "row cannot be decoded")
		return
	}
	switch field := differs(want, &r); {
	case field == "":
	case want.ErasedAtUs != nil && r.ErasedAtUs == nil:
		w.row(ResurrectedRow, key, got.offset, field, "row is that of a customer who was erased")
	case r.GetAppliedOffset() < want.GetAppliedOffset():
		w.row(LostRow, key, got.offset, field, "row is older than its last record of the input")
	case r.GetAppliedOffset() >= w.cut:
		w.row(AbortedRead, key, got.offset, field, "row was written by a record that is not committed")
	default:
		w.row(WrongValue, key, got.offset, field, "row differs from the fold of the input")
	}
}

// position judges the keys that belong to no customer.
func (w *walk) position(newest map[string]stored) {
	own := string(topics.PositionKey(w.partition, w.partitions))
	for _, key := range slices.Sorted(maps.Keys(newest)) {
		reserved := strings.HasPrefix(key, string(customer.ReservedPrefix))
		if reserved && key != own && !strings.HasPrefix(key, "~canary.") {
			w.row(Foreign, key, newest[key].offset, "", "reserved key is not that of the partition's position row")
		}
	}
	got, ok := newest[own]
	switch {
	case !ok && w.last == nil:
		return
	case !ok || got.value == nil:
		w.row(LostRow, own, w.cut, "", "partition has no position row (the offset is the committed one)")
		return
	}
	var r billingv1.AccountRow
	if proto.Unmarshal(got.value, &r) != nil {
		w.row(WrongValue, own, got.offset, "value", "position row cannot be decoded")
		return
	}
	want := &billingv1.AccountRow{Format: billing.RowFormat, Position: &billingv1.Position{NextOffset: w.cut, TopicId: []byte(w.report.Topics[topics.CustomerEvents])}}
	if w.last != nil {
		want.Position.RecordedAtUs = w.last.Timestamp * 1000
	}
	if field := differs(want, &r); field != "" {
		w.row(WrongValue, own, got.offset, field, "position row differs from the committed offset")
	}
}

// row notes an anomaly of the table.
func (w *walk) row(c Class, key string, offset int64, field, detail string) {
	if field != "" {
		detail = field + ": " + detail
	}
	w.report.anomaly(Anomaly{
		Class: c, Topic: topics.BillingTable, Partition: w.partition, Offset: offset, Field: field, Detail: detail, Customer: hashOf([]byte(key)),
	})
}
