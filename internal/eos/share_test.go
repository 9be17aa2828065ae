package eos_test

import (
	"maps"
	"strconv"
	"testing"

	"github.com/IBM/sarama"

	"billstream/internal/eos"
)

// TestAProcessorAndItsViewShareTheirRows moves partitions to and fro between
// two processes, each with a view of all partitions.
func TestAProcessorAndItsViewShareTheirRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	want := map[int32]map[string]string{0: {}, 1: {}, 2: {}, 3: {}}
	add := func(n int) {
		for i := range n {
			k := "key-" + strconv.Itoa(i%40)
			w.produce(k)
			rows := want[masked(k, 4)]
			was, _ := strconv.Atoi(rows[k])
			rows[k] = strconv.Itoa(was + 1)
		}
	}
	first, second := w.shared("a"), w.shared("b")
	stop := first.start()
	add(200)
	eventually(t, "the first has processed everything", w.caughtUp)
	for range 3 {
		leave := second.start()
		eventually(t, "both have partitions", func() bool {
			a, b := first.engine.Status(), second.engine.Status()
			return a.Running && b.Running && len(a.Partitions) == 2 && len(b.Partitions) == 2
		})
		add(100)
		eventually(t, "both have processed everything", w.caughtUp)
		if err := leave(); err != nil {
			t.Fatal(err)
		}
		add(100)
		eventually(t, "one has processed everything", w.caughtUp)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*member{first, second} {
		for n, rows := range want {
			eventually(t, "view has the rows of all partitions", func() bool { return maps.Equal(contents(m.bases.At(n)), rows) })
		}
	}
}

// shared returns a member with a view beside it.
func (w *world) shared(instance string) *member {
	m := w.member(func(m *member) {
		m.followed, m.instance = true, instance
	})
	recovery := eos.NewRecovery(eos.RecoveryConfig{Table: tableTopic, Role: eos.View, Registerer: newRegistry(), Log: quiet(w.t), Start: w.start, End: w.end})
	c, err := sarama.NewConsumer(brokersOf(w.cluster), config("view"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	w.view(recovery, m.bases, c)
	return m
}
