package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"billstream/internal/bench/kstreams"
)

// Options says what to compare. Only Exe is required.
type Options struct {
	Exe            []string      // the command that calls Child
	Broker         string        // which one to start where Brokers has none: Embedded, or Apache; "" means Embedded
	Brokers        []string      // none: one of our own
	Pin            bool          // keep this process and its broker to one processor and each arm to another one
	Ways           []Way         // none: Stock, AtLeastOnce and ExactlyOnce, unless something else is asked for
	Rounds         int           // that count; round 0 comes before them. 0 means 5
	Events         int           // of a round; 0 means 1,000,000
	Customers      int           // 0 means a fifth of the events
	Partitions     int32         // 0 means 4
	Rates          []int         // events per second at which latency is measured; none: not at all
	RateTime       time.Duration // how long each; 0 means 10 s
	CommitInterval time.Duration // 0 means 100 ms
	MaxTime        time.Duration // no arm begins that would probably end later; 0 means 30 min
	Seed           uint64        // of events and of the order of arms
	Revision       string        // of this program, for the report
	Restore        bool          // after every run, start the arm again without its files
	Rebalance      bool          // measure how long nothing comes while a second member joins and leaves
	Repeats        int           // of what is measured at rates and of rebalances; 0 means 1
	Profiles       string        // directory for CPU profiles of the arms in Go; "": none
	Command        string        // that brought all this about, for the report
	Progress       func(string)  // told what is under way; may be nil

	// What is measured beside arms, or in place of them.
	Program           []string      // the command of the whole program, for Stores, Freshness and Growth
	ProductPartitions int32         // of its topics; 0 means 12
	Lookups           bool          // its data listener against a bare server
	LookupTime        time.Duration // of each round; 0 means 2 s
	Freshness         bool          // from an event until a lookup shows it
	Stores            bool          // restore, restart, memory, and pauses by snapshots; Stock and ExactlyOnce if no arms are named
	StoreCustomers    []int         // of restarts; none: 1,000,000
	Growth            bool          // more customers, partitions and events
	GrowthMax         int           // most customers of it; 0 means 1,000,000
	Targets           bool          // whatever the table of targets needs

	name  string // prefix of topics and groups
	dir   string // for files
	tries int    // how often an arm is run for a quiet moment

	// For tests.
	spoil   Way           // whose output is made wrong
	cold    bool          // no round 0
	every   bool          // restore and rebalance arms that cannot
	few     bool          // one cell of growth, with a restart
	rest    time.Duration // how long a program has been ready when its memory is looked at; 0 means 2 s
	settled time.Duration // how long things must have been as they should be in a rebalance; 0 means 3 s
}

// OptionError means that Options hold something that cannot be run.
type OptionError struct{ problem string }

func (e *OptionError) Error() string { return e.problem }

func (o Options) withDefaults() (Options, error) {
	o.Rounds = cmp.Or(o.Rounds, 5)
	o.Events = cmp.Or(o.Events, 1_000_000)
	o.Customers = cmp.Or(o.Customers, max(o.Events/5, 1))
	o.Partitions = cmp.Or(o.Partitions, 4)
	o.RateTime = cmp.Or(o.RateTime, 10*time.Second)
	o.CommitInterval = cmp.Or(o.CommitInterval, 100*time.Millisecond)
	o.MaxTime = cmp.Or(o.MaxTime, 30*time.Minute)
	o.tries = cmp.Or(o.tries, maxTries)
	o.settled = cmp.Or(o.settled, 3*time.Second)
	o.rest = cmp.Or(o.rest, 2*time.Second)
	o.name = fmt.Sprintf("bench-%d-%d", os.Getpid(), time.Now().UnixMilli())
	o = o.withSections()
	o.Broker = cmp.Or(o.Broker, Embedded)
	o.Repeats = cmp.Or(o.Repeats, 1)
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	for _, w := range o.Ways {
		if !slices.Contains(Ways(), w) {
			return o, &OptionError{fmt.Sprintf("arm is %q, want one of %v", w, Ways())}
		}
	}
	streams := slices.ContainsFunc(o.Ways, Way.streams)
	switch {
	case o.Broker != Embedded && o.Broker != Apache:
		return o, &OptionError{fmt.Sprintf("broker is %q, want %s or %s", o.Broker, Embedded, Apache)}
	case streams && o.Broker == Embedded && len(o.Brokers) == 0:
		return o, &OptionError{"broker is the embedded one, want Apache Kafka for Kafka Streams"}
	case o.Rounds < 0:
		return o, &OptionError{fmt.Sprintf("rounds are %d, want 1 or more", o.Rounds)}
	case o.Events < 1 || o.Customers < 1:
		return o, &OptionError{fmt.Sprintf("events are %d of %d customers, want 1 or more of each", o.Events, o.Customers)}
	case o.Partitions < 1:
		return o, &OptionError{fmt.Sprintf("partitions are %d, want 1 or more", o.Partitions)}
	case len(o.Brokers) > 0 && (o.Stores || o.Freshness || o.Growth):
		return o, &OptionError{"brokers are given, want none: the program's topics would be written to there"}
	}
	return o, nil
}

// Run compares the arms and returns what was measured. Without a whole round in
// MaxTime, or with a wrong output (ErrWrong), there is no report.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	if o.dir, err = os.MkdirTemp("", "billstream-bench-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	b := &bench{o: o}
	if slices.ContainsFunc(o.Ways, Way.streams) {
		if b.twin, err = kstreams.Command(ctx, "", o.Progress); err != nil {
			return nil, err
		}
	}
	if o.Pin {
		if b.pins, err = pin(ctx); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, b.pins.undo(ctx)) }()
	}
	return b.run(ctx)
}

// run does the measuring: first what takes a known time, then the arms, whose
// rounds end with the time.
func (b *bench) run(ctx context.Context) (report *Report, err error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, b.o.MaxTime+time.Minute)
	defer cancel()
	deadline := began.Add(b.o.MaxTime)
	f, err := b.sections(ctx, deadline)
	if err != nil {
		return nil, b.ended(ctx, err)
	}
	var m measurements
	if len(b.o.Ways) > 0 {
		if m, err = b.arms(ctx, deadline); err != nil {
			return nil, b.ended(ctx, err)
		}
	}
	m.findings = f
	if report, err = b.report(ctx, m, began); err != nil {
		return nil, err
	}
	return report, nil
}

// report sums up what was measured.
func (b *bench) report(ctx context.Context, m measurements, began time.Time) (*Report, error) {
	versions, err := b.versions(ctx)
	if err != nil {
		return nil, err
	}
	r := newReport(b.o, m, began)
	r.Missing, r.Machine.Broker = b.missing, b.where
	maps.Copy(r.Machine.Versions, versions)
	if b.o.Targets {
		r.Targets = r.targets()
	}
	return r, nil
}

// arms runs them all on one broker.
func (b *bench) arms(ctx context.Context, deadline time.Time) (m measurements, err error) {
	kept, err := os.MkdirTemp(brokerHome(b.o), "billstream-bench-")
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(kept)) }()
	if b.broker, err = startBroker(ctx, b.o, kept); err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, b.broker.end()) }()
	b.where = b.broker.where
	if b.lab, err = openLab(ctx, b.broker.addrs, b.o.Partitions); err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, b.lab.Close()) }()
	if m.rounds, err = b.rounds(ctx, deadline); err != nil {
		return m, err
	}
	var left, more int
	if m.rates, left, err = b.rates(ctx, deadline); err != nil {
		return m, err
	}
	m.rebalances, more, err = b.rebalances(ctx, deadline)
	m.left = left + more
	return m, err
}

// ended returns why a run ended: what the end of ctx broke is not the reason.
func (b *bench) ended(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("run is not done a minute after its time of %v, want fewer events or more time", b.o.MaxTime)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

// rounds writes the input and runs every arm over it, round after round, until
// all are done or the time is up. Round 0 warms the broker up and is not among
// those returned; neither is a round that was not finished.
func (b *bench) rounds(ctx context.Context, deadline time.Time) (done [][]Measured, err error) {
	b.input = b.o.name + "-events"
	if err := b.lab.makeTopics(ctx, "", b.input); err != nil {
		return nil, err
	}
	defer b.drop(ctx, b.input)
	b.o.Progress(fmt.Sprintf("writing %d events", b.o.Events))
	if b.want, err = b.lab.fill(ctx, b.input, b.o.Seed, b.o.Events, b.o.Customers); err != nil {
		return nil, err
	}
	if !b.o.Restore {
		b.want.table = nil // it is large
	}
	order := rand.New(rand.NewPCG(b.o.Seed, 2))
	g := newGuard()
	var longest time.Duration
	for round := range b.o.Rounds + 1 {
		if round == 0 && b.o.cold {
			continue
		}
		if round > 1 && time.Now().Add(longest).After(deadline) {
			break
		}
		began := time.Now()
		ways := slices.Clone(b.o.Ways)
		order.Shuffle(len(ways), func(i, j int) { ways[i], ways[j] = ways[j], ways[i] })
		measured := make([]Measured, 0, len(ways))
		for _, w := range ways {
			b.o.Progress(fmt.Sprintf("round %d of %d: %s", round, b.o.Rounds, w))
			m, err := b.quietly(ctx, g, w, round, deadline)
			if err != nil {
				return nil, err
			}
			measured = append(measured, m)
		}
		longest = max(longest, time.Since(began))
		if round > 0 {
			done = append(done, measured)
		}
	}
	return done, nil
}

// drop deletes the topic of an input. Where that does not succeed it costs a
// foreign broker some space; the figures are there.
func (b *bench) drop(ctx context.Context, topic string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanWait)
	defer cancel()
	_ = b.lab.dropTopics(ctx, topic)
}

// quietly runs an arm, again if the machine was busy with something else, and
// marks what no try made better.
func (b *bench) quietly(ctx context.Context, g *guard, w Way, round int, deadline time.Time) (m Measured, err error) {
	for try := range b.o.tries {
		began := time.Now()
		load, before := machineLoad(), g.drift()
		if m, err = b.measure(ctx, w, round); err != nil {
			return m, err
		}
		m.Load, m.Drift = load, max(before, g.drift())
		m.Noisy = m.Drift > maxDrift
		last := try == b.o.tries-1 || round == 0 || time.Now().Add(time.Since(began)).After(deadline)
		if !m.Noisy || last {
			break
		}
		b.o.Progress(fmt.Sprintf("round %d of %d: %s again, the machine drifted by %.0f %%", round, b.o.Rounds, w, 100*m.Drift))
	}
	return m, nil
}
