//go:build apache

package kstreams_test

import (
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/bench/kstreams"
	"billstream/internal/devbroker"
	"billstream/internal/kafkatest"
)

// table is what the rows of a changelog are in the end, those of the arm in Go
// without what it remembers for itself.
func table(changelog map[string][]string) map[string]string {
	last := map[string]string{}
	for key, values := range changelog {
		if !strings.HasPrefix(key, "~") {
			last[key] = values[len(values)-1]
		}
	}
	return last
}

// made is what comes of some events: updates by customer, and the last rows.
type made struct {
	updates map[string][]string
	rows    map[string]string
}

// reference is what an arm in Go makes of the events, on the embedded broker.
func reference(t *testing.T, events []record) made {
	t.Helper()
	b, err := devbroker.Start(devbroker.Options{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	l := newLab(t, []string{b.Addr()})
	l.topic("events", nil)
	l.send("events", events)
	s := l.spec("alo", "reference", "reference-table")
	c := arm(l.t, s)
	updates := l.await(s.Output, len(events))
	c.stop()
	return made{updates, table(l.await("reference-table", -1))}
}

func TestTheTwinFoldsAsTheArmsInGoDo(t *testing.T) {
	events := makeEvents(1, 3000)
	want := reference(t, events)
	c := twin(t, spec{Way: "fold"})
	got := made{map[string][]string{}, map[string]string{}}
	for _, e := range events {
		row := "-"
		if r, ok := got.rows[e.key]; ok {
			row = hex.EncodeToString([]byte(r))
		}
		row, update, _ := strings.Cut(c.ask(hex.EncodeToString([]byte(e.value))+" "+row), " ")
		got.rows[e.key] = unhex(t, row)
		got.updates[e.key] = append(got.updates[e.key], unhex(t, update))
	}
	c.stop()
	compare(t, got, want)
}

func unhex(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func compare(t *testing.T, got, want made) {
	t.Helper()
	if !maps.Equal(got.rows, want.rows) {
		t.Errorf("%d rows are others than the %d of the arm in Go", len(got.rows), len(want.rows))
	}
	if !maps.EqualFunc(got.updates, want.updates, slices.Equal) {
		t.Errorf("updates of %d customers are others than those of %d by the arm in Go", len(got.updates), len(want.updates))
	}
}

func TestOnApacheKafka(t *testing.T) {
	events := makeEvents(2, 20_000)
	want := reference(t, events)
	c := kafkatest.Apache(t, kafkatest.Options{})
	l := newLab(t, c.Addrs())
	l.topic("events", nil)
	t.Run("every way does the job of the arms in Go", func(t *testing.T) {
		everyWay(l.in(t), events, want)
	})
	t.Run("a spoiled twin is wrong in its updates", func(t *testing.T) {
		spoiled(l.in(t), events, want)
	})
	t.Run("a twin that cannot go on says why and ends", func(t *testing.T) {
		brokenEvent(l.in(t))
	})
}

func everyWay(l *lab, events []record, want made) {
	first, second := events[:12_000], events[12_000:]
	l.send("events", first)
	ways := []string{kstreams.AtLeastOnce, kstreams.AtLeastOnceMemory, kstreams.ExactlyOnce, kstreams.ExactlyOnceMemory}
	specs := map[string]spec{}
	for _, way := range ways {
		specs[way] = l.spec(way, way, kstreams.Changelog(way))
		runTwin(l, specs[way], len(first), 0)
	}
	l.send("events", second)
	// Backward, so that one comes right after its own first run.
	for _, way := range slices.Backward(ways) {
		s := specs[way]
		s.Dir = l.t.TempDir() // rows must come from the changelog
		s.Threads = 2
		s.Instance = "second"
		runTwin(l, s, len(second), len(first))
		compare(l.t, made{l.await(s.Output, len(events)), table(l.await(kstreams.Changelog(way), -1))}, want)
	}
}

// sessionTimeout is when Kafka gives up a member that has not left, but for what
// a test takes between two runs.
const sessionTimeout = 40 * time.Second

// runTwin runs the twin until n more updates are committed than before, and
// checks what it says of itself.
func runTwin(l *lab, s spec, n, before int) {
	l.t.Helper()
	began := time.Now()
	c := twin(l.t, s)
	l.await(s.Output, before+n)
	took := time.Since(began)
	if took > sessionTimeout {
		l.t.Errorf("%s took %v, want it not to wait until the member before is given up", s.Way, took)
	}
	u := c.sample()
	if u.Processed != int64(n) {
		l.t.Errorf("%s says that it has processed %d events, want %d", s.Way, u.Processed, n)
	}
	if u.At.Before(began) || u.At.After(time.Now()) || u.CPU < 100*time.Millisecond || u.CPU > time.Minute || u.PeakRSS < 32<<20 || u.PeakRSS > 2<<30 {
		l.t.Errorf("sample of %s is %+v, want the time of now, and CPU time and memory of a JVM", s.Way, u)
	}
	if u.Commits < 1 || u.Allocs == nil || u.AllocBytes == nil || u.Phases == nil {
		l.t.Errorf("sample of %s is %+v, want all fields, and commits", s.Way, u)
	}
	stopping := time.Now()
	c.stop()
	l.t.Logf("%s: %d updates in %v, closed in %v, %v of CPU, %d MiB", s.Way, n, took, time.Since(stopping), u.CPU, u.PeakRSS>>20)
}

func spoiled(l *lab, events []record, want made) {
	s := l.spec(kstreams.ExactlyOnceMemory, "spoiled", kstreams.Changelog("spoiled"))
	s.Spoil = true
	s.Input = "spoiled"
	l.topic(s.Input, nil)
	l.send(s.Input, events)
	runTwin(l, s, len(events), 0)
	got := l.await(s.Output, len(events))
	seen := map[string]int{}
	for _, e := range events {
		n := seen[e.key]
		seen[e.key]++
		cents, _ := binary.Varint([]byte(e.value[amount:]))
		if right := got[e.key][n] == want.updates[e.key][n]; right != (cents%100 != 0) {
			l.t.Fatalf("update of an event over %d cents is right: %t, want only those over whole euros wrong", cents, right)
		}
	}
	if !maps.Equal(table(l.await(kstreams.Changelog("spoiled"), -1)), want.rows) {
		l.t.Error("rows are wrong too, want only updates so")
	}
}

func brokenEvent(l *lab) {
	l.topic("broken", nil)
	half := &kgo.Record{Topic: "broken", Key: []byte("customer"), Value: []byte("half an event")}
	if err := l.client.ProduceSync(l.t.Context(), half).FirstErr(); err != nil {
		l.t.Fatal(err)
	}
	s := l.spec(kstreams.ExactlyOnceMemory, "lost", kstreams.Changelog("lost"))
	s.Input = "broken"
	c := twin(l.t, s)
	select {
	case err := <-c.ended:
		if err == nil || !strings.HasPrefix(err.Error(), "exit status 1: ") || !strings.Contains(err.Error(), "length of a value is wrong") {
			l.t.Errorf("twin ends with %v, want status 1 and the reason", err)
		}
	case <-time.After(time.Minute):
		l.t.Error("twin has not ended after a minute")
	}
}
