package store_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"billstream/internal/store"
)

// scrape returns all operations that are not 0, and of how many the time was
// taken.
func scrape(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	noError(t, err)
	found := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			of := map[string]string{}
			for _, l := range m.GetLabel() {
				of[l.GetName()] = l.GetValue()
			}
			if of["store"] != "billing" {
				t.Errorf("store of %s is %q, want billing", f.GetName(), of["store"])
			}
			name, n := of["op"]+" "+of["result"], m.GetCounter().GetValue()
			if h := m.GetHistogram(); h != nil {
				name, n = of["op"]+" timed", float64(h.GetSampleCount())
			}
			if n != 0 {
				found[name] = n
			}
		}
	}
	return found
}

// use does the same to any store: 200 gets in one partition and 64 in another,
// a batch of three rows and two of one, and a walk.
func use(t *testing.T, s, other rowStore) {
	t.Helper()
	noError(t, s.Apply(1, edits([]change{{"a", []byte("1")}, {"b", []byte("2")}, {"c", nil}})))
	noError(t, s.Apply(2, edits([]change{{"a", []byte("3")}})))
	noError(t, s.Apply(2, edits([]change{{"a", []byte("not above the offset")}})))
	for range 200 {
		_, err := s.Get("a")
		noError(t, err)
	}
	for range 64 {
		_, err := other.Get("nobody")
		noError(t, err)
	}
	noError(t, s.Ascend("", func(string, []byte) bool { return true }))
}

func TestOperationsOfAnArenaAreCounted(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := store.NewMetrics(reg, "billing")
	s := m.NewArena()
	use(t, s, m.NewArena())
	_, err := store.WriteSnapshot(t.Context(), t.TempDir(), snapOrigin, s, snapTime)
	noError(t, err)
	if _, err := store.WriteSnapshot(t.Context(), "nowhere", snapOrigin, s, snapTime); err == nil {
		t.Error("error of a directory that is not there is nil, want one")
	}
	want := map[string]float64{
		"get ok": 264, "get timed": 4, "set ok": 3, "delete ok": 1, "apply ok": 3, "apply timed": 1,
		"scan ok": 1, "scan timed": 1, "snapshot ok": 1, "snapshot error": 1, "snapshot timed": 2,
	}
	if got := scrape(t, reg); !maps.Equal(got, want) {
		t.Errorf("operations are %v, want %v", got, want)
	}
}

func TestOperationsOfADatabaseAreCounted(t *testing.T) {
	reg := prometheus.NewRegistry()
	opts := small(vfs.NewMem())
	opts.Metrics = store.NewMetrics(reg, "billing")
	p := openPebble(t, opts)
	s := partOf(t, p, 0)
	use(t, s, partOf(t, p, 1))
	noError(t, p.Flush())
	noError(t, p.Close())
	if _, err := s.Get("a"); err == nil {
		t.Error("error of a closed database is nil, want one")
	}
	if err := s.Apply(3, edits(nil)); err == nil {
		t.Error("error of a closed database is nil, want one")
	}
	want := map[string]float64{
		"get ok": 264, "get error": 1, "get timed": 4, "set ok": 3, "delete ok": 1, "apply ok": 3, "apply error": 1, "apply timed": 4,
		"scan ok": 1, "scan timed": 1, "snapshot ok": 1, "snapshot timed": 1,
	}
	if got := scrape(t, reg); !maps.Equal(got, want) {
		t.Errorf("operations are %v, want %v", got, want)
	}
}

func TestEveryOperationIsThereFromTheStart(t *testing.T) {
	reg := prometheus.NewRegistry()
	store.NewMetrics(reg, "billing")
	for name, want := range map[string]int{"billstream_store_operations_total": 12, "billstream_store_operation_duration_seconds": 4} {
		if n, err := testutil.GatherAndCount(reg, name); err != nil || n != want {
			t.Errorf("series of %s are %d (%v), want %d", name, n, err, want)
		}
	}
	problems, err := testutil.GatherAndLint(reg)
	noError(t, err)
	if len(problems) > 0 {
		t.Errorf("problems are %v, want none", problems)
	}
}

func TestCountingAGetAllocatesNothing(t *testing.T) {
	s := store.NewMetrics(prometheus.NewRegistry(), "billing").NewArena()
	noError(t, s.Apply(1, edits([]change{{"a", []byte("1")}})))
	if n := testing.AllocsPerRun(100, func() {
		for range 64 { // one of which is timed
			s.Get("a")
		}
	}); n != 0 {
		t.Errorf("64 gets allocate %v times, want never", n)
	}
}

func TestAStoreWithoutMetricsWorks(t *testing.T) {
	var none *store.Metrics
	s := none.NewArena()
	use(t, s, store.NewArena())
	if got := fmt.Sprint(rowsOf(t, s)); got != "map[a:3 b:2]" {
		t.Errorf("rows are %s, want map[a:3 b:2]", got)
	}
}
