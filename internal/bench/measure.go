package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// stallLimit is how long an arm may take to write its next update.
const stallLimit = 60 * time.Second

// cleanWait is how long what a run made may take to be deleted.
const cleanWait = 10 * time.Second

// bench is a run under way.
type bench struct {
	o      Options
	lab    *lab
	broker *broker
	pins   pins
	twin   []string // the command of Kafka Streams
	want   *expected
	input  string
	runs   int // arms started so far; numbers topics and groups

	where   string   // the broker was, for the report
	missing []string // what the time was too short for
}

// Measured is what one arm did in one round. The window is over the second half
// of the committed updates, when whatever warms up has done so; where most
// events were processed before it, from the start of the process. What is per
// event in it is so per event that was processed in it: what waited for a commit
// when it opened would flatter the arms that collect. Whole is the whole
// process, its start and end included.
type Measured struct {
	Way             Way     `json:"arm"`
	Round           int     `json:"round"`
	CPUPerEvent     float64 `json:"cpu_us_per_event"`
	WholePerEvent   float64 `json:"whole_cpu_us_per_event"`
	BrokerPerEvent  float64 `json:"broker_cpu_us_per_event"` // 0 with a foreign broker
	EventsPerSecond float64 `json:"events_per_second"`
	Seconds         float64 `json:"seconds"` // of the window
	AllocsPerEvent  float64 `json:"allocs_per_event"`
	BytesPerEvent   float64 `json:"alloc_bytes_per_event"`
	PeakRSS         int64   `json:"peak_rss_bytes"`
	StalledShare    float64 `json:"stalled_share"` // of the partitions' time in the window
	Commits         int     `json:"commits"`       // epochs in the window
	RowsPerEvent    float64 `json:"rows_per_event"`

	Phases       map[string]float64 `json:"phase_seconds"` // of the engine, in the window
	PositionRows int                `json:"position_rows"`
	FirstSeconds float64            `json:"first_update_seconds"` // from the start of the process
	// From the start of a process without files until every partition has
	// answered; and how many records of the changelog it read per second of it.
	// 0 where it was not asked for.
	RestoreSeconds    float64 `json:"restore_seconds,omitempty"`
	RestoredPerSecond float64 `json:"restored_records_per_second,omitempty"`

	Drift     float64 `json:"drift"`      // of the calibration loop, the larger of before and after
	Load      float64 `json:"load"`       // of the machine in the minute before
	Noisy     bool    `json:"noisy"`      // the drift stayed too large
	FromStart bool    `json:"from_start"` // the window is
}

// newSpec names fresh topics and a fresh group.
func (b *bench) newSpec(w Way, input string) spec {
	b.runs++
	group := fmt.Sprintf("%s-%d-%s", b.o.name, b.runs, w)
	return spec{
		Way: w, Brokers: b.lab.brokers, Group: group, Input: input, Output: group + "-updates",
		Partitions: b.o.Partitions, Interval: b.o.CommitInterval, Threads: 1,
		Dir: filepath.Join(b.o.dir, group), Spoil: w == b.o.spoil,
	}
}

// begin makes the topics of s and starts the arm. The func that is returned
// takes everything away again.
func (b *bench) begin(ctx context.Context, s spec) (*process, func(), error) {
	clean := func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanWait)
		defer cancel()
		b.lab.dropGroup(ctx, s.Group)
		// What is left over lies in our own directory, or costs a foreign
		// broker some space: the figures are there.
		_ = b.lab.dropTopics(ctx, s.table(), s.Output)
		_ = os.RemoveAll(s.Dir)
	}
	err := b.lab.makeTopics(ctx, s.table(), s.table(), s.Output)
	if err == nil {
		var p *process
		if p, err = b.launch(ctx, s); err == nil {
			return p, clean, nil
		}
	}
	clean()
	return nil, nil, err
}

// launch starts a process of an arm whose topics are there.
func (b *bench) launch(ctx context.Context, s spec) (*process, error) {
	if err := os.MkdirAll(s.Dir, 0o750); err != nil {
		return nil, err
	}
	command := b.o.Exe
	if s.Way.streams() {
		command = b.twin
	}
	return start(ctx, b.pins.command(command), s)
}

// measure runs one arm over the whole input.
func (b *bench) measure(ctx context.Context, way Way, round int) (m Measured, err error) {
	s := b.newSpec(way, b.input)
	if b.o.Profiles != "" && !way.streams() {
		s.Profile = filepath.Join(b.o.Profiles, fmt.Sprintf("%s-%d.pprof", way, round))
	}
	p, clean, err := b.begin(ctx, s)
	if err != nil {
		return m, err
	}
	defer clean()
	w, err := b.window(ctx, s, p)
	if err != nil {
		p.kill()
		return m, err
	}
	whole, err := p.stop()
	if err != nil {
		return m, err
	}
	n, err := b.lab.check(ctx, s, b.want)
	if err != nil {
		return m, fmt.Errorf("check arm %s: %w", way, err)
	}
	all := float64(b.want.updates.count)
	m = w.figures(b.want.updates.count, b.o.Partitions)
	m.Way, m.Round = way, round
	m.WholePerEvent = micros(whole) / all
	m.RowsPerEvent, m.PositionRows = float64(n.rows)/all, n.positions
	m.FirstSeconds = w.first.Sub(p.began).Seconds()
	if b.o.Restore && (way.recovers() || b.o.every) {
		took, err := b.restore(ctx, s)
		if err != nil {
			return m, fmt.Errorf("restore arm %s: %w", way, err)
		}
		m.RestoreSeconds = took.Seconds()
		m.RestoredPerSecond = float64(n.rows+n.positions) / took.Seconds()
	}
	return m, nil
}

// window is the part of a run that most figures are about.
type window struct {
	first             time.Time // of the committed updates
	start, half, last samples   // after the start of the process; at half of the updates and at the last
}

// figures are those of the window of a run over so many events.
func (w window) figures(all int, partitions int32) Measured {
	from := w.half
	fromStart := from.own.Processed > int64(all)/4*3
	if fromStart {
		from = w.start
	}
	events := float64(w.last.own.Processed - from.own.Processed)
	seconds := w.last.own.At.Sub(from.own.At).Seconds()
	m := Measured{
		FromStart:       fromStart,
		CPUPerEvent:     micros(w.last.own.CPU-from.own.CPU) / events,
		BrokerPerEvent:  micros(w.last.broker-from.broker) / events,
		EventsPerSecond: events / seconds,
		Seconds:         seconds,
		AllocsPerEvent:  float64(w.last.own.Allocs-from.own.Allocs) / events,
		BytesPerEvent:   float64(w.last.own.AllocBytes-from.own.AllocBytes) / events,
		PeakRSS:         w.last.own.PeakRSS,
		StalledShare:    (w.last.own.Phases["backpressure"] - from.own.Phases["backpressure"]) / seconds / float64(partitions),
		Commits:         int(w.last.own.Commits - from.own.Commits),
		Phases:          map[string]float64{},
	}
	for name, total := range w.last.own.Phases {
		m.Phases[name] = total - from.own.Phases[name]
	}
	return m
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// samples are those of the arm, and the CPU time of the broker.
type samples struct {
	own    sample
	broker time.Duration
}

func (b *bench) samples(p *process) (s samples, err error) {
	if s.own, err = p.sample(); err != nil {
		return s, err
	}
	s.broker, err = b.broker.usage()
	return s, err
}

// window waits for the first, for half and for the last of the committed
// updates, and takes samples there.
func (b *bench) window(ctx context.Context, s spec, p *process) (w window, err error) {
	reader, err := b.lab.reader(s.Output, nil)
	if err != nil {
		return w, err
	}
	defer reader.Close()
	if w.start, err = b.samples(p); err != nil {
		return w, err
	}
	all := b.want.updates.count
	for count, halfway := 0, false; count < all; {
		n, err := poll(ctx, reader, stallLimit, nil)
		if err != nil {
			return w, err
		}
		if n == 0 {
			_, err := p.sample() // it may be gone
			return w, errors.Join(fmt.Errorf("arm %s stands at %d updates, want %d", s.Way, count, all), err)
		}
		if count == 0 {
			w.first = time.Now()
		}
		count += n
		if !halfway && count >= all/2 {
			halfway = true
			if w.half, err = b.samples(p); err != nil {
				return w, err
			}
		}
	}
	w.last, err = b.samples(p)
	return w, err
}

// poll returns how many records came, 0 when none did within the time. see may
// be nil.
func poll(ctx context.Context, reader *kgo.Client, within time.Duration, see func(*kgo.Record)) (int, error) {
	wait, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	fetches := reader.PollFetches(wait)
	if err := ctx.Err(); err != nil {
		return 0, context.Cause(ctx)
	}
	var failed error
	fetches.EachError(func(_ string, _ int32, err error) {
		if !errors.Is(err, context.DeadlineExceeded) {
			failed = err
		}
	})
	n := fetches.NumRecords()
	if see != nil {
		fetches.EachRecord(see)
	}
	return n, failed
}
