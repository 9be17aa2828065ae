// Package app is billstream as a process: it joins the domain, the processor
// group, the view and Kafka, starts the parts in order, watches over them and
// stops them in reverse. Nothing else imports all of them, and app decides
// nothing that one of them could.
package app

import (
	"context"
	"io"
	"log/slog"
)

// Options is what the caller of New hands in beside the configuration.
type Options struct {
	Log        slog.Handler // where log lines go; nil: nowhere
	Notice     io.Writer    // lines for people: warnings, the ready line; nil: nowhere
	Version    string       // of the program, for dlq_version, /statusz and build_info
	ConfigHash string       // of the effective configuration without secrets

	// OnRecovery is told how recovery stands, about five times a second while
	// there is some and once with Done at its end. It may be nil.
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

// App is the process as a value.
type App struct{}

// New checks the configuration and builds an App. It opens nothing.
func New(c Config, o Options) (*App, error) { panic("contract: to be built") }

// Run starts the parts, waits until ctx ends or one of them fails, and drains.
// It returns nil after a clean stop. It runs once.
func (a *App) Run(ctx context.Context) error { panic("contract: to be built") }

// Addresses returns where the process listens, once it is ready.
func (a *App) Addresses() Addresses { panic("contract: to be built") }

// Events returns an emitter to the process's own brokers; the caller closes it.
func (a *App) Events(ctx context.Context) (*Events, error) { panic("contract: to be built") }

// CaughtUp waits until every record of customer.events that was there at the
// call has been processed and committed.
func (a *App) CaughtUp(ctx context.Context, progress func(done, target int64)) error {
	panic("contract: to be built")
}
