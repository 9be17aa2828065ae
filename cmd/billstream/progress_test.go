package main

import (
	"strings"
	"testing"
	"time"

	"billstream/internal/app"
)

func TestBarShowsShareAmountRateAndTimeLeft(t *testing.T) {
	for _, c := range []struct {
		bar  bar
		want string
	}{
		{
			bar{label: "recovering billing-table", unit: "records", done: 1_190_000, total: 1_900_000, rate: 310_000, left: 1.6},
			"recovering billing-table [#####>....] 62 %  1.2 M of 1.9 M records  310 k/s  2 s left",
		},
		{bar{label: "x", unit: "events", done: 0, total: 10, left: -1}, "x [..........] 0 %  0 of 10 events"},
		{bar{label: "x", unit: "events", done: 10, total: 10, left: 0}, "x [##########] 100 %  10 of 10 events  0 s left"},
		{bar{label: "x", unit: "events", done: 9999, part: -1, rate: 12.4, left: -1}, "x  10 k events  12/s"},
		{bar{label: "x", unit: "events", done: 7, part: 0.15, left: 185}, "x [>.........] 15 %  7 events  3 min 5 s left"},
	} {
		if got := c.bar.String(); got != c.want {
			t.Errorf("bar is %q, want %q", got, c.want)
		}
	}
}

func TestNumbersAreShort(t *testing.T) {
	for n, want := range map[float64]string{
		0: "0", 999: "999", 1000: "1.0 k", 9940: "9.9 k", 9960: "10 k", 310_400: "310 k", 999_700: "1.0 M", 1.9e6: "1.9 M", 2.5e9: "2.5 G",
	} {
		if got := short(n); got != want {
			t.Errorf("short(%v) is %q, want %q", n, got, want)
		}
	}
}

func TestMeterDrawsAtMostFiveTimesASecondAndTellsTheRate(t *testing.T) {
	var out strings.Builder
	now := time.Unix(1000, 0)
	m := &meter{screen: newScreen(&out), show: true, now: func() time.Time { return now }, label: "sending", unit: "events", total: 40_000}
	for i := range int64(301) { // 3 s, 100 updates and 10,000 events a second
		m.update(100*i, -1)
		now = now.Add(10 * time.Millisecond)
	}
	if drawn := strings.Count(out.String(), clearLine); drawn != 15 {
		t.Errorf("drawn %d times in 3 s, want 15", drawn)
	}
	want := "sending [######>...] 75 %  30 k of 40 k events  10 k/s  1 s left"
	if lines := strings.Split(out.String(), clearLine); lines[len(lines)-1] != want {
		t.Errorf("last bar is %q, want %q", lines[len(lines)-1], want)
	}
	m.finish()
	if !strings.HasSuffix(out.String(), clearLine) {
		t.Error("the bar is still there after finish")
	}
}

func TestMeterIsSilentWhenNothingIsToBeShown(t *testing.T) {
	var out strings.Builder
	m := &meter{screen: newScreen(&out), now: time.Now}
	m.update(1, 0.5)
	m.finish()
	if out.String() != "" {
		t.Errorf("output is %q, want none", out.String())
	}
}

func TestLogLinesDoNotRunIntoTheBar(t *testing.T) {
	var out strings.Builder
	s := newScreen(&out)
	s.Write([]byte("one\n"))
	s.status("bar")
	s.Write([]byte("two\n"))
	s.status("")
	s.Write([]byte("three\n"))
	want := "one\n" + clearLine + "bar" + clearLine + "two\nbar" + clearLine + "three\n"
	if out.String() != want {
		t.Errorf("output is %q, want %q", out.String(), want)
	}
}

func TestRecoveryIsShownUntilItIsFinished(t *testing.T) {
	if recoveryBar(nil, false) != nil {
		t.Error("there is a recovery bar, want none when nothing is to be shown")
	}
	var out strings.Builder
	s := newScreen(&out)
	show := recoveryBar(s, true)
	show(app.Progress{Table: "billing-table", Done: 500, Target: 1000, ETASeconds: -1})
	show(app.Progress{Table: "billing-table", Done: 1000, Target: 1000, Finished: true})
	want := clearLine + "recovering billing-table [####>.....] 50 %  500 of 1.0 k records" + clearLine
	if out.String() != want {
		t.Errorf("output is %q, want %q", out.String(), want)
	}
}

func TestProgressIsShownOnATerminalOrWhenAsked(t *testing.T) {
	for _, c := range []struct {
		flag           string
		terminal, want bool
	}{
		{"auto", true, true}, {"auto", false, false}, {"always", false, true}, {"never", true, false},
	} {
		if got := (progressFlag{c.flag}).show(&screen{terminal: c.terminal}); got != c.want {
			t.Errorf("--progress %s with terminal %t shows %t, want %t", c.flag, c.terminal, got, c.want)
		}
	}
}
