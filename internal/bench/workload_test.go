package bench

import (
	"bytes"
	"testing"
	"time"
)

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	a, b, other := newScript(5, 100), newScript(5, 100), newScript(6, 100)
	differs := false
	for n := range 500 {
		c1, e1 := a.next(eventTime(n))
		c2, e2 := b.next(eventTime(n))
		_, e3 := other.next(eventTime(n))
		if c1 != c2 || !bytes.Equal(e1.append(nil), e2.append(nil)) {
			t.Fatalf("event %d is %+v of %d, want %+v of %d", n, e2, c2, e1, c1)
		}
		differs = differs || e1 != e3
	}
	if !differs {
		t.Error("another seed gives the same events, want others")
	}
}

// TestRecordsAreAsLargeAsTheMethodSays and come back from their codecs.
func TestRecordsAreAsLargeAsTheMethodSays(t *testing.T) {
	s := newScript(5, 100)
	var a account
	var sum [3]int
	const events = 1000
	for n := range events {
		_, e := s.next(eventTime(n))
		u := a.apply(&e)
		encoded := [3][]byte{e.append(nil), a.append(nil), u.append(nil)}
		for i, b := range encoded {
			sum[i] += len(b)
		}
		if got, err := decodeEvent(encoded[0]); err != nil || *got != e {
			t.Fatalf("event is %+v and %v, want %+v", got, err, e)
		}
		if got, err := decodeAccount(encoded[1]); err != nil || *got != a {
			t.Fatalf("account is %+v and %v, want %+v", got, err, a)
		}
		if got, err := decodeUpdate(encoded[2]); err != nil || *got != u {
			t.Fatalf("update is %+v and %v, want %+v", got, err, u)
		}
		asJSON, err := formOf(Stock).update.Encode(&u)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := formOf(Stock).update.Decode(asJSON); err != nil || *got.(*update) != u {
			t.Fatalf("update from JSON is %+v and %v, want %+v", got, err, u)
		}
	}
	for i, what := range []string{"events", "rows", "updates"} {
		if mean := sum[i] / events; mean < 150 || mean > 190 {
			t.Errorf("mean of the %s is %d bytes, want 150 to 190", what, mean)
		}
	}
}

func TestCutValuesAreRefused(t *testing.T) {
	_, e := newScript(5, 1).next(1)
	var a account
	u := a.apply(&e)
	for _, c := range []struct {
		what   string
		whole  []byte
		decode func([]byte) error
	}{
		{"event", e.append(nil), func(b []byte) error { _, err := decodeEvent(b); return err }},
		{"account", a.append(nil), func(b []byte) error { _, err := decodeAccount(b); return err }},
		{"update", u.append(nil), func(b []byte) error { _, err := decodeUpdate(b); return err }},
	} {
		for n := range c.whole {
			if c.decode(c.whole[:n]) == nil {
				t.Errorf("first %d bytes of %d of an %s are taken, want them refused", n, len(c.whole), c.what)
			}
		}
		if c.decode(append(c.whole, 0)) == nil {
			t.Errorf("a byte behind an %s is taken, want it refused", c.what)
		}
	}
}

func TestFiguresOverRounds(t *testing.T) {
	if got, want := spread([]float64{3, 1, 2}), (Spread{Median: 2, Min: 1, Max: 3}); got != want {
		t.Errorf("spread is %+v, want %+v", got, want)
	}
	if got, want := spread([]float64{4, 1}), (Spread{Median: 2.5, Min: 1, Max: 4}); got != want {
		t.Errorf("spread is %+v, want %+v", got, want)
	}
	rounds := [][]Measured{
		{{Way: Stock, CPUPerEvent: 40}, {Way: ExactlyOnce, CPUPerEvent: 10}},
		{{Way: ExactlyOnce, CPUPerEvent: 30}, {Way: Stock, CPUPerEvent: 60}}, // a slow minute, and another order
	}
	got := ratios([]Way{Stock, ExactlyOnce}, measurements{rounds: rounds})[0]
	want := Ratio{Of: ExactlyOnce, To: Stock, What: "CPU per event", Spread: Spread{Median: 0.375, Min: 0.25, Max: 0.5}}
	if got != want {
		t.Errorf("ratio is %+v, want %+v", got, want)
	}
}

func TestPercentilesAreOfWhatWasMeasured(t *testing.T) {
	f := &flow{}
	if got := f.percentile(99); got != 0 {
		t.Errorf("percentile of nothing is %v, want 0", got)
	}
	for n := range 200 {
		f.latencies = append(f.latencies, time.Duration(n+1)*time.Millisecond)
	}
	for p, want := range map[int]float64{1: 2, 50: 100, 99: 198, 100: 200} {
		if got := f.percentile(p); got != want {
			t.Errorf("percentile %d is %v ms, want %v", p, got, want)
		}
	}
}

// TestWhatWaitsAtTheOpeningIsNotCounted twice in favour of an arm.
func TestWhatWaitsAtTheOpeningIsNotCounted(t *testing.T) {
	at := func(seconds int, cpu time.Duration, processed int64) samples {
		s := sample{At: time.Unix(int64(seconds), 0), CPU: cpu, Processed: processed, Phases: map[string]float64{"backpressure": float64(seconds)}}
		return samples{own: s}
	}
	w := window{start: at(0, 0, 0), half: at(1, time.Second, 400_000), last: at(3, 4*time.Second, 1_000_000)}
	m := w.figures(1_000_000, 4)
	if m.CPUPerEvent != 5 || m.EventsPerSecond != 300_000 || m.StalledShare != 0.25 || m.FromStart {
		t.Errorf("figures are %+v, want 5 us, 300,000 events/s, a quarter stalled, from the half of the updates", m)
	}
	w.half = at(1, time.Second, 800_000)
	if m := w.figures(1_000_000, 4); m.CPUPerEvent != 4 || !m.FromStart {
		t.Errorf("figures are %+v, want 4 us from the start, since most events came before the window", m)
	}
}
