package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// The looks of progress: how wide the bar is, how often it is drawn again, and
// how fast the shown rate follows the real one.
const (
	barCells      = 10
	redrawEvery   = 200 * time.Millisecond
	rateHalfLife  = 5 * time.Second
	etaFromAge    = 2 * time.Second
	etaFromEvents = 1000
	clearLine     = "\r\x1b[K"
)

// progressFlag is what every verb that can take long has.
type progressFlag struct {
	Progress string `enum:"auto,always,never" default:"auto" help:"Progress bar on stderr: always or never; auto: on a terminal."`
}

func (f progressFlag) show(s *screen) bool {
	return f.Progress == "always" || f.Progress == "auto" && s.terminal
}

// screen is stderr with a status line below all else. What is written pushes
// the status line down, so that logs and a bar do not run into each other.
type screen struct {
	terminal bool

	mu   sync.Mutex
	w    io.Writer
	line string
}

func newScreen(w io.Writer) *screen {
	f, ok := w.(*os.File)
	return &screen{w: w, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

// Write writes p above the status line.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == "" {
		return s.w.Write(p)
	}
	if _, err := io.WriteString(s.w, clearLine); err != nil {
		return 0, err
	}
	n, err := s.w.Write(p)
	if err == nil {
		_, err = io.WriteString(s.w, s.line)
	}
	return n, err
}

// status replaces the status line; "" takes it away.
func (s *screen) status(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == "" && line == "" {
		return
	}
	s.line = line
	io.WriteString(s.w, clearLine+line) // a bar that cannot be drawn harms nobody
}

// bar is one moment of a long run.
type bar struct {
	label, unit string
	done, total int64   // total 0: unknown, part counts instead
	part        float64 // 0 to 1; negative: unknown
	rate        float64 // a second; 0: unknown
	left        float64 // seconds; negative: unknown
}

// String draws the bar:
//
//	recovering billing-table [#####>....] 62 %  1.2 M of 1.9 M records  310 k/s  2 s left
func (b bar) String() string {
	part := b.part
	amount := short(float64(b.done))
	if b.total > 0 {
		part = float64(b.done) / float64(b.total)
		amount += " of " + short(float64(b.total))
	}
	var s strings.Builder
	s.WriteString(b.label)
	if part >= 0 {
		part = min(part, 1)
		fmt.Fprintf(&s, " [%s] %d %%", cells(part), int(part*100))
	}
	fmt.Fprintf(&s, "  %s %s", amount, b.unit)
	if b.rate > 0 {
		fmt.Fprintf(&s, "  %s/s", short(b.rate))
	}
	if b.left >= 0 && !math.IsNaN(b.left) && !math.IsInf(b.left, 0) {
		left := time.Duration(math.Ceil(b.left)) * time.Second
		fmt.Fprintf(&s, "  %s left", spaced(left))
	}
	return s.String()
}

func cells(part float64) string {
	full := int(part * barCells)
	if full == 0 || full == barCells {
		return strings.Repeat("#", full) + strings.Repeat(".", barCells-full)
	}
	return strings.Repeat("#", full-1) + ">" + strings.Repeat(".", barCells-full)
}

// short writes a number with about two digits: 7, 310 k, 1.2 M.
func short(n float64) string {
	for _, unit := range []string{"", " k", " M"} {
		switch {
		case unit == "" && n < 1000:
			return fmt.Sprintf("%.0f", n)
		case unit != "" && n < 9.95:
			return fmt.Sprintf("%.1f%s", n, unit)
		case unit != "" && n < 999.5:
			return fmt.Sprintf("%.0f%s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.1f G", n)
}

// spaced writes a duration of whole seconds for people: 2 s, 3 min 5 s.
func spaced(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	if d < time.Hour {
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// meter draws the bar of something that this process does itself, and measures
// its rate.
type meter struct {
	screen      *screen
	show        bool
	now         func() time.Time
	label, unit string
	total       int64

	start, drawn time.Time
	last         int64
	rate         float64 // exponentially weighted
}

// update draws the bar, if the last one is old enough. part is the share that
// is done where total is unknown.
func (m *meter) update(done int64, part float64) {
	if !m.show {
		return
	}
	now := m.now()
	if m.start.IsZero() {
		m.start, m.drawn, m.last = now, now, done
		return
	}
	passed := now.Sub(m.drawn)
	if passed < redrawEvery {
		return
	}
	m.measure(float64(done-m.last)/passed.Seconds(), passed)
	m.drawn, m.last = now, done
	if m.total > 0 {
		part = float64(done) / float64(m.total)
	}
	b := bar{label: m.label, unit: m.unit, done: done, total: m.total, part: part, rate: m.rate, left: -1}
	if part > 0 && (now.Sub(m.start) >= etaFromAge || done >= etaFromEvents) && m.rate > 0 {
		b.left = float64(done) * (1 - part) / part / m.rate
	}
	m.screen.status(b.String())
}

// measure lets the rate follow what was seen during the time passed.
func (m *meter) measure(seen float64, passed time.Duration) {
	if m.rate == 0 {
		m.rate = seen
		return
	}
	m.rate += (seen - m.rate) * (1 - math.Exp2(-passed.Seconds()/rateHalfLife.Seconds()))
}

// finish takes the bar away.
func (m *meter) finish() {
	if m.show {
		m.screen.status("")
	}
}
