package writer_test

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/eos"
)

func TestPlainWritesWholeEpochs(t *testing.T) {
	w := newWorld(t)
	p := w.plain(w.config(nil))
	one, two := w.epoch(1), w.epoch(2)
	w.write(p, one)
	w.write(p, two)
	w.sees(1, 2)
	for n, e := range []*eos.Epoch{one, two} {
		for _, part := range e.Parts {
			if want := int64(2*n + 1); part.LastRow != want {
				t.Errorf("last row of partition %d is at %d, want %d", part.Partition, part.LastRow, want)
			}
		}
	}
}

func TestPlainWritesOutputsBeforeRowsBeforeOffsets(t *testing.T) {
	w := newWorld(t)
	p := w.plain(w.config(nil))
	var mu sync.Mutex
	var seen []string
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		if len(seen) == 0 || seen[len(seen)-1] != what {
			seen = append(seen, what)
		}
	}
	produced := func(topic string) kfake.Fault {
		return kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Count: -1, Observe: true, When: func(kmsg.Request) bool {
			note(topic)
			return true
		}}
	}
	w.cluster.Fault(produced(output), produced(table))
	w.cluster.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
		note("offsets")
		return nil, nil, false
	})
	w.write(p, w.epoch(1))
	if want := []string{output, table, "offsets"}; !slices.Equal(seen, want) {
		t.Errorf("order is %v, want %v", seen, want)
	}
}

func TestPlainStopsAtARefusedStep(t *testing.T) {
	updates := []string{"first-0-1", "second-0-1", "first-1-1", "second-1-1"}
	for name, c := range map[string]struct {
		fault   kfake.Fault
		step    string
		failure eos.Failure
		updates []string
		rows    []string
	}{
		"output": {kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: output, Err: kerr.TopicAuthorizationFailed, Count: -1}, "produce", eos.Unauthorized, nil, nil},
		"row":    {kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: table, Err: kerr.InvalidRecord, Count: -1}, "produce", eos.Aborted, updates, nil},
		"offset": {
			kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Topic: input, Partitions: []int32{1}, Err: kerr.IllegalGeneration},
			"offsets", eos.Lost, updates,
			[]string{"row-0-1", "position-0-1", "row-1-1", "position-1-1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.plain(w.config(nil))
			w.cluster.Fault(c.fault)
			fails(t, p.Write(t.Context(), w.epoch(1)), c.failure, c.step)
			if got := w.committed(output); !slices.Equal(got, c.updates) {
				t.Errorf("updates are %q, want %q", got, c.updates)
			}
			if got := w.committed(table); !slices.Equal(got, c.rows) {
				t.Errorf("rows are %q, want %q", got, c.rows)
			}
			if got := w.offsets(); got[1] != -1 {
				t.Errorf("offset of partition 1 is %d, want none", got[1])
			}
		})
	}
}

func TestPlainRefusesAMemberThatIsNoneAnyMore(t *testing.T) {
	w := newWorld(t)
	p := w.plain(w.config(nil))
	e := w.epoch(1)
	e.Member.Generation--
	fails(t, p.Write(t.Context(), e), eos.Lost, "offsets")
	if got := w.offsets(); got != [2]int64{-1, -1} {
		t.Errorf("offsets are %v, want none", got)
	}
	w.open(p)
	w.write(p, w.epoch(1))
	if got := w.offsets(); got != [2]int64{10, 10} {
		t.Errorf("offsets are %v, want 10 each", got)
	}
}

func TestPlainTriesAgainWhileTheCoordinatorLoads(t *testing.T) {
	w := newWorld(t)
	p := w.plain(w.config(nil))
	w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.CoordinatorLoadInProgress, Count: 3})
	w.write(p, w.epoch(1))
	w.sees(1)
}

func TestNothingOvertakesARefusedBatch(t *testing.T) {
	w := newWorld(t)
	c := w.config(nil)
	c.Limits = map[string]int{output: 1000} // a few records make a batch
	p := w.plain(c)
	w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: output, Err: kerr.InvalidRecord})
	e, value := w.idle(1), []byte(strings.Repeat("x", 400))
	for range 20000 { // so many that the answer comes before the last is handed over
		e.Parts[0].Outputs = append(e.Parts[0].Outputs, eos.Record{Topic: output, Key: []byte("k"), Value: value})
	}
	fails(t, p.Write(t.Context(), e), eos.Aborted, "produce")
	if got := w.committed(output); len(got) != 0 {
		t.Errorf("records behind the refused one are %d, want none", len(got))
	}
}

func TestErrorsAreCountedByTopicAndReason(t *testing.T) {
	w := newWorld(t)
	c := w.config(nil)
	reg := prometheus.NewRegistry()
	c.Registerer = reg
	p := w.plain(c)
	if n, err := testutil.GatherAndCount(reg, "billstream_emit_errors_total"); err != nil || n != 12 {
		t.Fatalf("series at the start are %d (%v), want 12", n, err)
	}
	w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: table, Err: kerr.TopicAuthorizationFailed, Count: -1})
	if err := p.Write(t.Context(), w.idle(1)); err == nil {
		t.Fatal("refused row is written, want an error")
	}
	want := `# HELP billstream_emit_errors_total Records that could not be written, by reason.
# TYPE billstream_emit_errors_total counter
`
	for _, topic := range []string{table, output} {
		for _, reason := range []string{"too_large", "timeout", "unauthorized", "unavailable", "fenced", "other"} {
			n := "0"
			if topic == table && reason == "unauthorized" {
				n = "1"
			}
			want += `billstream_emit_errors_total{group="group",reason="` + reason + `",topic="` + topic + `"} ` + n + "\n"
		}
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "billstream_emit_errors_total"); err != nil {
		t.Error(err)
	}
}
