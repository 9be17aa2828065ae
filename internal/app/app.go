// Package app is billstream as a process: it joins the domain, the processor
// group, the view and Kafka, starts the parts in order, watches over them and
// stops them in reverse. Nothing else imports all of them, and app decides
// nothing that one of them could.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"billstream/internal/auth"
	"billstream/internal/kafka"
	"billstream/internal/topics"
	"billstream/views"
)

// Options is what the caller of New hands in beside the configuration.
type Options struct {
	Log        slog.Handler // where log lines go; nil: nowhere
	Notice     io.Writer    // lines for people: warnings, the ready line; nil: nowhere
	Version    string       // of the program, for dlq_version, /statusz and build_info
	ConfigHash string       // of the effective configuration without secrets
	OwnProcess bool         // this is all that the process does: the garbage collector is set up for it

	// OnRecovery is told how the first recovery stands, five times a second,
	// and once with Finished at its end. It may be nil.
	OnRecovery func(Progress)
	// OnReady is called once, in a goroutine of its own, when the process first
	// got ready. Its error ends the process. It may be nil.
	OnReady func(context.Context, *App) error
}

// Progress is how far the recovery of a table has come.
type Progress struct {
	Table             string
	Done, Target      int64   // records
	Rate              float64 // records a second; 0 while unknown
	ETASeconds        float64 // negative while unknown
	Partitions, Ready int     // how many there are, and how many are running
	Finished          bool
}

// Addresses are where the process can be reached; "" is not opened.
type Addresses struct {
	Data, Admin, Broker string
}

// App is the process as a value: parts in start order, stopped in reverse.
type App struct {
	cfg      Config
	opt      Options
	log      *slog.Logger
	registry *prometheus.Registry
	life     *lifecycle
	health   *health
	began    time.Time

	parts  []part
	work   sync.WaitGroup // goroutines of the parts
	cancel context.CancelCauseFunc

	auth      *auth.Auth
	kafka     kafka.Config
	admin     *kafka.AdminClient
	input     topics.Topic // customer.events as it was found
	table     topics.Topic // billing-table as it was found
	limits    map[string]int
	state     *tableState
	group     *group // nil without the role
	view      *view  // nil without the role
	lag       *kafka.LagMonitor
	broker    *brokerCheck
	mu        sync.Mutex
	addresses Addresses
	handler   *switchable // of the data listener

	built atomic.Bool   // everything above is set: checks and status may look
	ready chan struct{} // closed when the process first got ready

	closing atomic.Bool // the shutdown delay is over: lookups are refused

	httpMetrics *views.Metrics
	httpEvents  *Events // of POST /v1/events; nil while ingest is off
}

// part is something that was started and must be stopped.
type part struct {
	name string
	stop func(context.Context) error
}

// New checks the configuration and builds an App. It opens nothing.
func New(c Config, o Options) (*App, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.DiscardHandler
	}
	if o.Notice == nil {
		o.Notice = io.Discard
	}
	reg := prometheus.NewRegistry()
	a := &App{cfg: c, opt: o, registry: reg, handler: newSwitchable(), broker: &brokerCheck{now: time.Now, denials: newDenials(time.Now)}, ready: make(chan struct{})}
	a.log = slog.New(newLogHandler(o.Log, reg, time.Now))
	a.life = newLifecycle(reg, time.Now)
	a.health = newHealth(reg, time.Now, a.log, a.checks())
	describe(reg, c, o)
	c.Auth.Log = a.log
	var err error
	if a.auth, err = auth.New(c.Auth); err != nil {
		return nil, misconfigured(err, "")
	}
	return a, nil
}

// Run starts the parts, waits until ctx ends or one of them fails, and drains.
// It returns nil after a clean stop. It runs once.
func (a *App) Run(ctx context.Context) error {
	a.began = time.Now()
	outer := ctx
	ctx, a.cancel = context.WithCancelCause(ctx)
	defer a.cancel(nil)
	a.log.Info("starting", "version", a.opt.Version)
	err := a.start(ctx)
	if err == nil {
		<-ctx.Done()
		err = context.Cause(ctx)
	}
	if outer.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(outer))) {
		err = nil // stopped as asked
	}
	ready := a.life.state() == running
	if err != nil {
		a.life.enter(failed)
	}
	a.life.enter(draining)
	return errors.Join(err, a.drain(ready && err == nil))
}

// start starts the parts in order. What it started before an error is stopped
// by drain.
func (a *App) start(ctx context.Context) error {
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"listen for operators", a.startAdmin},
		{"listen for lookups", a.startData},
		{"start the embedded broker", a.startBroker},
		{"lock the state", a.lockState},
		{"check the topics", a.preflight},
		{"open the emitter", a.startEvents},
		{"open the state", a.openState},
		{"tell the garbage collector", a.startCollector},
		{"start the view", a.startView},
		{"start the group", a.startGroup},
		{"start the standbys", a.startStandby},
		{"watch the lag", a.startLag},
		{"watch over readiness", a.startWatch},
	} {
		if err := step.run(ctx); err != nil {
			return classify(step.name, err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// started notes a part that drain must stop.
func (a *App) started(name string, stop func(context.Context) error) {
	a.parts = append(a.parts, part{name, stop})
}

// background runs f until its context ends; its error ends the process. The
// returned func asks it to end and waits.
func (a *App) background(name string, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	a.work.Go(func() {
		defer close(ended)
		if err := f(ctx); err != nil && ctx.Err() == nil {
			a.fail(name, err)
		}
	})
	a.started(name, func(drain context.Context) error {
		cancel()
		select {
		case <-ended:
			return nil
		case <-drain.Done():
			return fmt.Errorf("%s is not done, want it done within the drain timeout", name)
		}
	})
}

// fail ends the process because of a part.
func (a *App) fail(name string, err error) {
	err = classify(name, err)
	a.log.Error("part failed", "part", name, "err", err)
	a.cancel(err)
}

// Addresses returns where the process listens, once it is ready.
func (a *App) Addresses() Addresses {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.addresses
}

func (a *App) setAddress(set func(*Addresses)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	set(&a.addresses)
}

// notice writes a line for people.
func (a *App) notice(format string, args ...any) {
	fmt.Fprintf(a.opt.Notice, format+"\n", args...)
}
