package eos

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model says the same as track in the plainest words.
type model struct {
	begun  []int64
	marked map[int64]bool
	failed map[int64]bool
}

// prefix is the end of the marked prefix and how many records it holds.
func (m *model) prefix() (next int64, records int) {
	for _, o := range m.begun {
		if !m.marked[o] || m.failed[o] {
			break
		}
		next = o + 1
		records++
	}
	return next, records
}

func TestATrackNeverPassesAnUnmarkedRecord(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { follow(t, func(tr *track, o int64) { tr.mark(o + 1) }) })
}

// TestTheTrackModelSeesARunningMaximum is the control: with marks as sarama
// keeps them, the model must object.
func TestTheTrackModelSeesARunningMaximum(t *testing.T) {
	t.Parallel()
	tr := &track{}
	m := &model{marked: map[int64]bool{}, failed: map[int64]bool{}}
	for o := range int64(3) {
		tr.begin(o, time.Time{})
		m.begun = append(m.begun, o)
	}
	tr.fail(1)
	for _, o := range []int64{0, 2} {
		tr.mark(o + 1)
		m.marked[o] = true
	}
	runningMaximum := int64(3)
	if next, _ := m.prefix(); next == runningMaximum {
		t.Error("model takes a failed record for a done one")
	}
	if next, _, records := tr.due(); next != 1 || records != 1 {
		t.Errorf("track is at %d with %d records, want 1 and 1", next, records)
	}
}

func follow(t *rapid.T, mark func(*track, int64)) {
	tr := &track{}
	m := &model{marked: map[int64]bool{}, failed: map[int64]bool{}}
	var offset int64
	committed := 0
	open := func() []int64 {
		return slices.DeleteFunc(slices.Clone(m.begun), func(o int64) bool { return m.marked[o] })
	}
	t.Repeat(map[string]func(*rapid.T){
		"begin": func(t *rapid.T) {
			offset += rapid.Int64Range(1, 3).Draw(t, "gap") // control records and compaction leave gaps
			if !tr.begin(offset, time.UnixMilli(offset)) {
				t.Fatalf("begin of %d is refused", offset)
			}
			m.begun = append(m.begun, offset)
		},
		"mark": func(t *rapid.T) {
			if all := open(); len(all) > 0 {
				o := rapid.SampledFrom(all).Draw(t, "offset")
				mark(tr, o)
				m.marked[o] = true
			}
		},
		"fail": func(t *rapid.T) {
			if all := open(); len(all) > 0 && rapid.IntRange(0, 9).Draw(t, "seldom") == 0 {
				o := rapid.SampledFrom(all).Draw(t, "offset")
				tr.fail(o)
				m.failed[o] = true
			}
		},
		"strange mark": func(t *rapid.T) {
			if tr.mark(offset + 100) {
				t.Fatal("a mark of a record that never began is accepted")
			}
		},
		"begin again": func(t *rapid.T) {
			if offset > 0 && tr.begin(offset, time.Time{}) {
				t.Fatal("a record begins twice")
			}
		},
		"commit": func(t *rapid.T) {
			_, _, n := tr.due()
			tr.commit(n)
			committed += n
		},
		"": func(t *rapid.T) {
			next, at, n := tr.due()
			wantNext, want := m.prefix()
			if next != wantNext || committed+n != want {
				t.Fatalf("prefix ends at %d with %d records, want %d with %d", next, committed+n, wantNext, want)
			}
			if want > 0 && at.UnixMilli() != wantNext-1 {
				t.Fatalf("timestamp is that of %d, want %d", at.UnixMilli(), wantNext-1)
			}
		},
	})
}

func TestAClosedTrackIgnoresLateMarks(t *testing.T) {
	t.Parallel()
	tr := &track{}
	tr.begin(5, time.Time{})
	tr.close()
	if !tr.mark(6) {
		t.Error("a late mark is an error, want it ignored")
	}
	if _, _, n := tr.due(); n != 0 {
		t.Errorf("%d records are due after the end, want none", n)
	}
}

func BenchmarkTrack(b *testing.B) {
	b.ReportAllocs()
	tr := &track{}
	const flight = 5000
	var o int64
	for b.Loop() {
		tr.begin(o, time.Time{})
		if o >= flight {
			tr.mark(o - flight + 1)
		}
		o++
	}
}
