package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/alecthomas/kong"

	"billstream/cmd/billstream/corpus"
	"billstream/internal/app"
	"billstream/internal/kafka"
)

// exampleCustomer is one of the corpus with a history worth looking at.
const exampleCustomer = "cisa.gov"

// demoCommand is run with the embedded broker and something to look at. It has
// no --brokers: a demonstration must not write into somebody's Kafka.
type demoCommand struct {
	localFlags
	logFlags
	progressFlag
}

// Help is the lower part of the verb's help.
func (*demoCommand) Help() string {
	return `Starts everything in this process, replays seven years of changes of a real registry (93,217 events of 17,454 customers), and stays up. A second start in the same data directory finds the history there.

Examples:

    billstream demo
    billstream demo --data-dir trial --listen 127.0.0.1:0
`
}

// Run runs the process and replays the history into it.
func (d *demoCommand) Run(ctx context.Context, p *program, k *kong.Context) error {
	show, config := d.show(p.stderr), d.config()
	logs := d.handler(p.stderr)
	kafka.SetLogger(logs)
	a, err := app.New(config, app.Options{
		OwnProcess: true,
		Log:        logs,
		Notice:     p.stderr,
		Version:    programVersion(),
		ConfigHash: configHash(settingsOf(k, config, p.file)),
		OnRecovery: recoveryBar(p.stderr, show),
		OnReady:    func(ctx context.Context, a *app.App) error { return d.play(ctx, a, p, show) },
	})
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// play replays the history once per data directory, waits until it is
// processed, and says what to try.
func (d *demoCommand) play(ctx context.Context, a *app.App, p *program, show bool) error {
	m := marker(d.DataDir)
	switch held, err := m.held(); {
	case err != nil:
		return err
	case held:
		fmt.Fprintln(p.stderr, "the history is there already")
	default:
		if err := d.replay(ctx, a, p, show); err != nil {
			return fmt.Errorf("replay the history: %w", err)
		}
		if err := m.hold(); err != nil {
			return err
		}
	}
	d.suggest(a, p)
	return nil
}

// replay sends the corpus and waits until it is processed.
func (d *demoCommand) replay(ctx context.Context, a *app.App, p *program, show bool) error {
	history, err := corpus.Open()
	if err != nil {
		return err
	}
	defer history.Close()
	events, err := a.Events(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	m := &meter{screen: p.stderr, show: show, now: time.Now, label: "replaying the history", unit: "events", total: corpus.Events}
	f := &feed{
		send: events.Send, now: time.Now, progress: m.update,
		bad: func(line string) { fmt.Fprintln(p.stderr, line) },
	}
	err = f.read(ctx, source{name: "history", r: history, part: func() float64 { return -1 }})
	err = f.finish(err, events.Close)
	m.finish()
	if err != nil {
		return err
	}
	waiting := &meter{screen: p.stderr, show: show, now: time.Now, label: "processing the history", unit: "events"}
	err = a.CaughtUp(ctx, func(done, target int64) {
		waiting.total = target
		waiting.update(done, 0)
	})
	waiting.finish()
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "replayed %d events of %d customers in %.1f s\n", f.sent, corpus.Customers, time.Since(start).Seconds())
	return nil
}

// suggest says what to try next. The commands fit the addresses in use.
func (d *demoCommand) suggest(a *app.App, p *program) {
	at := a.Addresses()
	server := ""
	if at.Data != "127.0.0.1:8080" {
		server = " --server http://" + at.Data
	}
	fmt.Fprint(p.stdout, "try, in another terminal:\n")
	if at.Data != "" {
		fmt.Fprintf(p.stdout, "    billstream get %s%s\n", exampleCustomer, server)
		fmt.Fprintf(p.stdout, "    billstream list --limit 20%s\n", server)
	}
	if at.Admin != "" {
		fmt.Fprintf(p.stdout, "    curl -s http://%s/metrics\n", at.Admin)
	}
	fmt.Fprint(p.stdout, "a dashboard for Grafana: dashboards/overview.json\n")
}

// marker is the file that says that the broker's data holds the whole history.
// It lies among that data, so that the two are set aside together after an
// unclean end.
type marker string

func (dir marker) path() string {
	return filepath.Join(string(dir), "broker", "data", "demo-history")
}

// held reports whether this history was replayed to its end.
func (dir marker) held() (bool, error) {
	switch sum, err := os.ReadFile(dir.path()); {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for the history: %w", err)
	default:
		return string(sum) == corpus.SHA256, nil
	}
}

// hold notes that it was.
func (dir marker) hold() error {
	if err := os.WriteFile(dir.path(), []byte(corpus.SHA256), 0o640); err != nil {
		return fmt.Errorf("note the history: %w", err)
	}
	return nil
}
