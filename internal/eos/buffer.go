package eos

import "time"

// buffer holds what the callbacks of a partition produced between two seals:
// rows, the last write of each key, outputs in the order of their Emit, and how
// far the inputs got.
type buffer struct {
	rows    []Row
	index   map[string]int // of a key in rows
	outputs []Record
	marks   []PositionMark // by input; Next is 0 while it has not moved
	records int            // marked
	bytes   int64          // what all that takes, roughly
	counted int64          // of bytes, what the session knows of
}

// perRecord is what a record takes beside the bytes that it leads to.
const perRecord = 128

func newBuffer(inputs int) *buffer {
	return &buffer{index: map[string]int{}, marks: make([]PositionMark, inputs)}
}

// get returns the row of a key, nil for a deleted one; ok is false if the
// buffer says nothing about it.
func (b *buffer) get(key string) (value []byte, ok bool) {
	i, ok := b.index[key]
	if !ok {
		return nil, false
	}
	return b.rows[i].Value, true
}

// set stages a row; nil deletes it.
func (b *buffer) set(key string, value []byte) {
	if i, ok := b.index[key]; ok {
		b.bytes += int64(len(value) - len(b.rows[i].Value))
		b.rows[i].Value = value
		return
	}
	b.index[key] = len(b.rows)
	b.rows = append(b.rows, Row{Key: key, Value: value})
	b.bytes += int64(len(key) + len(value))
}

// emit stages an output.
func (b *buffer) emit(r Record) {
	b.outputs = append(b.outputs, r)
	b.bytes += int64(len(r.Key) + len(r.Value))
}

// mark notes that a record is done.
func (b *buffer) mark(input int, topic string, partition int32, next int64, at time.Time) {
	b.marks[input] = PositionMark{Topic: topic, Partition: partition, Next: next, RecordedAt: at}
	b.records++
	b.bytes += perRecord
}

// moved returns the marks of the inputs that have moved.
func (b *buffer) moved() []PositionMark {
	var moved []PositionMark
	for _, m := range b.marks {
		if m.Next > 0 {
			moved = append(moved, m)
		}
	}
	return moved
}

// maxKept bounds the memory that an emptied buffer holds on to.
const maxKept = 1 << 16

// reset empties the buffer for use again.
func (b *buffer) reset() {
	if len(b.rows) > maxKept || len(b.outputs) > maxKept {
		*b = *newBuffer(len(b.marks))
		return
	}
	clear(b.rows)
	clear(b.outputs)
	clear(b.index)
	clear(b.marks)
	b.rows, b.outputs = b.rows[:0], b.outputs[:0]
	b.records, b.bytes, b.counted = 0, 0, 0
}
