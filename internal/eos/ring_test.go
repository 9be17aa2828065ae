package eos

import (
	"testing"

	"github.com/IBM/sarama"
)

func record(offset int64) *sarama.ConsumerMessage { return &sarama.ConsumerMessage{Offset: offset} }

func TestARingGivesBackWhatWasPutWithGaps(t *testing.T) {
	t.Parallel()
	r := newRing(5)
	for round := range int64(4) {
		base := round * 100
		for i := range int64(8) {
			r.put(record(base + 3*i))
		}
		if r.take(base+1) != nil {
			t.Errorf("round %d: an offset in a gap is found", round)
		}
		for i := int64(1); i < 8; i++ {
			if m := r.take(base + 3*i); m == nil || m.Offset != base+3*i {
				t.Fatalf("round %d: record %d is %v", round, i, m)
			}
		}
		if r.len() != 0 || r.take(base+21) != nil {
			t.Errorf("round %d: %d records are left, want none", round, r.len())
		}
	}
}

func TestARingTakesARecordOnce(t *testing.T) {
	t.Parallel()
	r := newRing(4)
	if !r.put(record(7)) || r.put(record(7)) || r.put(record(6)) {
		t.Error("a record that was there already is put again")
	}
	if r.len() != 1 {
		t.Errorf("ring holds %d records, want 1", r.len())
	}
}

func TestAFullRingDropsTheOldest(t *testing.T) {
	t.Parallel()
	r := newRing(4)
	for o := range int64(6) {
		r.put(record(o))
	}
	if r.take(1) != nil {
		t.Error("record 1 is still there")
	}
	if m := r.take(2); m == nil {
		t.Error("record 2 is gone")
	}
}
