package eos_test

import (
	"maps"
	"strconv"
	"testing"
	"time"

	"billstream/internal/eos"
)

func keys(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = "c-" + strconv.Itoa(i%17)
	}
	return all
}

// counts is what sum makes of the keys.
func counts(all []string) map[string]string {
	n := map[string]int{}
	for _, k := range all {
		n[k]++
	}
	rows := map[string]string{}
	for k, v := range n {
		rows[k] = strconv.Itoa(v)
	}
	return rows
}

// rows is the table without position rows.
func (w *world) rows() map[string]string {
	t := w.table()
	maps.DeleteFunc(t, func(k, _ string) bool { return k[0] == '~' })
	return t
}

// wantOutputs checks that every key's outputs are 1 to the wanted count, in this
// order.
func (w *world) wantOutputs(want map[string]string) {
	w.t.Helper()
	seen := map[string]int{}
	for _, r := range w.read(output) {
		seen[string(r.Key)]++
		if string(r.Value) != strconv.Itoa(seen[string(r.Key)]) {
			w.t.Errorf("output %d of %s is %s", seen[string(r.Key)], r.Key, r.Value)
		}
	}
	for k, n := range want {
		if strconv.Itoa(seen[k]) != n {
			w.t.Errorf("%s has %d outputs, want %s", k, seen[k], n)
		}
	}
}

func (w *world) wantRows(want map[string]string) {
	w.t.Helper()
	if got := w.rows(); !maps.Equal(got, want) {
		w.t.Errorf("rows are %v, want %v", got, want)
	}
}

func TestAGroupResumesWithoutLossOrRepeatAfterACleanStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	first, second := keys(200), keys(100)
	w.produce(first...)
	m := w.member(nil)
	stop := m.start()
	eventually(t, "first events are committed", w.caughtUp)
	if err := stop(); err != nil {
		t.Fatalf("Run returned %v, want nil", err)
	}
	w.wantRows(counts(first))
	if got, want := m.seen(), w.committed(); !maps.Equal(got, want) {
		t.Errorf("OnCommit was told %v, the coordinator has %v", got, want)
	}
	w.produce(second...)
	m = w.member(nil)
	m.start()
	eventually(t, "second events are committed", w.caughtUp)
	w.wantRows(counts(append(first, second...)))
	table := w.table()
	for p, next := range w.committed() {
		if got := table[positionKey(p)]; got != strconv.FormatInt(next, 10) {
			t.Errorf("position row of %d is %q, want %d", p, got, next)
		}
	}
}

func TestTheEndOfASessionCommitsWhatIsDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	all := keys(60)
	w.produce(all...)
	release, stopping := make(chan struct{}), make(chan error)
	m := w.member(func(m *member) { m.writer.before = func(*eos.Epoch) error { <-release; return nil } })
	stop := m.start()
	eventually(t, "everything is staged", func() bool { return m.engine.Status().StagedRecords == 60 })
	if got := m.seen(); len(got) != 0 {
		t.Errorf("offsets %v are committed before their epoch", got)
	}
	go func() { stopping <- stop() }()
	close(release)
	if err := <-stopping; err != nil {
		t.Fatal(err)
	}
	if !w.caughtUp() {
		t.Errorf("committed offsets are %v, want the ends of the input", w.committed())
	}
	w.wantRows(counts(all))
	if m.revoked != 2 {
		t.Errorf("OnRevoke was called %d times, want once per partition", m.revoked)
	}
}

func TestAMemberJoinsAndLeavesWithoutGokasPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	a, b := w.member(nil), w.member(nil)
	a.start()
	eventually(t, "a runs", func() bool { return a.engine.Status().Running })
	w.produce(keys(50)...)
	began := time.Now()
	stop := b.start()
	both := func(na, nb int) func() bool {
		return func() bool {
			sa, sb := a.engine.Status(), b.engine.Status()
			return sa.Running && len(sa.Partitions) == na && (nb == 0 || sb.Running && len(sb.Partitions) == nb)
		}
	}
	eventually(t, "two partitions each", both(2, 2))
	joined := time.Since(began)
	w.produce(keys(50)...)
	eventually(t, "events are committed", w.caughtUp)
	began = time.Now()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a has all", both(4, 0))
	left := time.Since(began)
	w.produce(keys(50)...)
	eventually(t, "events are committed", w.caughtUp)
	w.wantRows(counts(append(append(keys(50), keys(50)...), keys(50)...)))
	t.Logf("join took %v, leave %v", joined, left)
	if joined > 4*time.Second || left > 4*time.Second {
		t.Errorf("join took %v and leave %v, want both below goka's pause of 5 s", joined, left)
	}
}
