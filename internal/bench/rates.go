package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// AtRate is how an arm did at a steady rate of events. Latency is from the
// sending of an event until a reader of committed records has its update.
type AtRate struct {
	Way           Way     `json:"arm"`
	Rate          int     `json:"events_per_second"` // 0: idle
	Events        int     `json:"events"`
	P50           float64 `json:"p50_ms"`
	P99           float64 `json:"p99_ms"`
	Max           float64 `json:"max_ms"`
	CPUPerSecond  float64 `json:"cpu_ms_per_second"`
	BrokerCPU     float64 `json:"broker_cpu_ms_per_second"` // 0 with a foreign broker
	CommitsPerSec float64 `json:"commits_per_second"`
	RowsPerSec    float64 `json:"rows_per_second"`
	PositionsPer  float64 `json:"position_rows_per_second"`
}

// primed is how many events an arm has processed before its time begins.
const primed = 50

// rates measures every arm but the stock one at every rate, and once idle. left is
// how many measurements the time was too short for.
func (b *bench) rates(ctx context.Context, deadline time.Time) (all []AtRate, left int, err error) {
	if len(b.o.Rates) == 0 {
		return nil, 0, nil
	}
	var plan []armAt
	for n := range b.o.Repeats {
		for _, w := range b.o.Ways {
			for _, rate := range slices.Concat([]int{0}, b.o.Rates) {
				if w != Stock && (rate > 0 || n == 0) {
					plan = append(plan, armAt{w, rate})
				}
			}
		}
	}
	for _, p := range plan {
		if time.Now().Add(b.o.RateTime * 2).After(deadline) {
			left++
			continue
		}
		b.o.Progress(fmt.Sprintf("%s at %d events per second", p.way, p.rate))
		r, err := b.atRate(ctx, p.way, p.rate)
		if err != nil {
			return nil, 0, fmt.Errorf("measure %s at %d events per second: %w", p.way, p.rate, err)
		}
		all = append(all, r)
	}
	return all, left, nil
}

func (b *bench) atRate(ctx context.Context, w Way, rate int) (r AtRate, err error) {
	input := fmt.Sprintf("%s-%d-paced", b.o.name, b.runs)
	if err := b.lab.makeTopics(ctx, "", input); err != nil {
		return r, err
	}
	defer b.drop(ctx, input)
	s := b.newSpec(w, input)
	p, clean, err := b.begin(ctx, s)
	if err != nil {
		return r, err
	}
	defer clean()
	flow, err := b.newFlow(s, rate)
	if err != nil {
		p.kill()
		return r, err
	}
	defer flow.reader.Close()
	r, err = b.timed(ctx, flow, p)
	if err != nil {
		p.kill()
		return r, err
	}
	if _, err := p.stop(); err != nil {
		return r, err
	}
	flow.want.finish()
	if _, err := b.lab.check(ctx, s, flow.want); err != nil {
		return r, fmt.Errorf("check arm %s: %w", w, err)
	}
	r.Way, r.Rate = w, rate
	return r, nil
}

// timed primes the arm, lets it run for the time, and says how it did.
func (b *bench) timed(ctx context.Context, f *flow, p *process) (AtRate, error) {
	if err := f.run(ctx, 0, primed); err != nil {
		return AtRate{}, err
	}
	// At the rate, too: what compiles itself while it runs must have done so.
	if err := f.run(ctx, f.rate, int(b.o.RateTime.Seconds()*float64(f.rate))/2); err != nil {
		return AtRate{}, err
	}
	before, err := b.samples(p)
	if err != nil {
		return AtRate{}, err
	}
	rowsBefore, err := b.rows(ctx, f.spec)
	if err != nil {
		return AtRate{}, err
	}
	f.latencies = nil
	began := time.Now()
	events := int(b.o.RateTime.Seconds() * float64(f.rate))
	if err := f.run(ctx, f.rate, events); err != nil {
		return AtRate{}, err
	}
	if f.rate == 0 {
		select {
		case <-ctx.Done():
			return AtRate{}, context.Cause(ctx)
		case <-time.After(b.o.RateTime):
		}
	}
	seconds := time.Since(began).Seconds()
	after, err := b.samples(p)
	if err != nil {
		return AtRate{}, err
	}
	rowsAfter, err := b.rows(ctx, f.spec)
	if err != nil {
		return AtRate{}, err
	}
	slices.Sort(f.latencies)
	return AtRate{
		Events: events,
		P50:    f.percentile(50), P99: f.percentile(99), Max: f.percentile(100),
		CPUPerSecond:  micros(after.own.CPU-before.own.CPU) / 1000 / seconds,
		BrokerCPU:     micros(after.broker-before.broker) / 1000 / seconds,
		CommitsPerSec: (after.own.Commits - before.own.Commits) / seconds,
		RowsPerSec:    float64(rowsAfter.rows-rowsBefore.rows) / seconds,
		PositionsPer:  float64(rowsAfter.positions-rowsBefore.positions) / seconds,
	}, nil
}

// rows counts what stands in the changelog.
func (b *bench) rows(ctx context.Context, s spec) (n counted, err error) {
	err = b.lab.readAll(ctx, s.table(), func(r *kgo.Record) error {
		if isPosition(r.Key) {
			n.positions++
		} else {
			n.rows++
		}
		return nil
	})
	return n, err
}

// flow sends events and waits for their updates.
type flow struct {
	lab       *lab
	spec      spec
	rate      int
	script    *script
	want      *expected
	reader    *kgo.Client
	sent      int
	seen      int
	latencies []time.Duration
	failed    firstError
}

func (b *bench) newFlow(s spec, rate int) (*flow, error) {
	reader, err := b.lab.reader(s.Output, nil, kgo.FetchMaxWait(time.Second), kgo.FetchMinBytes(1))
	if err != nil {
		return nil, err
	}
	return &flow{
		lab: b.lab, spec: s, rate: rate, reader: reader,
		script: newScript(b.o.Seed, b.o.Customers), want: newExpected(),
	}, nil
}

// run sends n events, rate per second or at once for 0, and returns when all
// their updates have come.
func (f *flow) run(ctx context.Context, rate, n int) error {
	codec := formOf(f.spec.Way).update
	began, quietSince := time.Now(), time.Now()
	goal := f.sent + n
	first := f.sent
	see := func(r *kgo.Record) {
		v, err := codec.Decode(r.Value)
		if err != nil {
			f.failed.set(err)
			return
		}
		f.latencies = append(f.latencies, time.Since(time.Unix(0, v.(*update).Account.At)))
	}
	for f.seen < goal {
		due := goal
		if rate > 0 {
			due = min(goal, first+1+int(time.Since(began).Seconds()*float64(rate)))
		}
		for f.sent < due {
			f.sendOne(ctx)
		}
		wait := 100 * time.Millisecond
		if f.sent < goal {
			wait = time.Until(began.Add(time.Duration(f.sent-first) * time.Second / time.Duration(rate)))
		}
		got, err := poll(ctx, f.reader, max(wait, 100*time.Microsecond), see)
		if err := errors.Join(err, f.failed.get()); err != nil {
			return err
		}
		if got > 0 {
			f.seen, quietSince = f.seen+got, time.Now()
		}
		if time.Since(quietSince) > stallLimit {
			return fmt.Errorf("arm %s stands at %d updates, want %d", f.spec.Way, f.seen, goal)
		}
	}
	return nil
}

func (f *flow) sendOne(ctx context.Context) {
	customer, e := f.script.next(time.Now().UnixNano())
	key := customerKey(customer)
	f.want.add(key, &e)
	f.lab.send(ctx, f.spec.Input, key, &e, f.failed.set)
	f.sent++
}

// percentile returns the latency in milliseconds that p per cent do not exceed,
// 0 without events. They must be sorted.
func (f *flow) percentile(p int) float64 { return percentile(f.latencies, p) }

// percentile returns the duration in milliseconds that p per cent do not exceed,
// 0 of none. They must be sorted.
func percentile(sorted []time.Duration, p int) float64 {
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return micros(sorted[max((n*p+99)/100, 1)-1]) / 1000
}
