package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"billstream/internal/bench"
)

// benchCommand compares ways of running one small job on Kafka.
type benchCommand struct {
	outputFlag
	progressFlag
	Arms       []string      `placeholder:"stock,alo,eos" help:"What to compare: stock is goka as it comes, alo and eos are this program's engine, at-least-once and exactly-once; eos-unpositioned is eos without position rows, floor a bare loop with the writer of eos. kstreams-alo, kstreams-alo-mem, kstreams-eos and kstreams-eos-mem are Kafka Streams, with RocksDB or in memory; they need Java and Apache Kafka."`
	Rounds     int           `default:"5" help:"Rounds that count; one more goes before them."`
	Events     int           `default:"1000000" help:"Events of a round."`
	Customers  int           `default:"200000" help:"Customers whom the events are about."`
	Partitions int32         `default:"4" help:"Partitions of every topic that is made."`
	Rates      []string      `placeholder:"500" help:"Events per second at which the latency of arms is measured; 0 for none."`
	RateTime   time.Duration `default:"10s" help:"How long every rate is kept up."`
	Lookups    bool          `help:"Compare lookups over HTTP with a bare server that answers as many bytes."`
	Freshness  bool          `help:"Run this program, and measure from an event until a lookup shows it, at 500 events per second."`
	State      bool          `help:"Measure restores, this program's restart with snapshots, its memory, and for how long writers wait for snapshots."`
	Growth     bool          `help:"Run this program with more and more customers, partitions and events, and project a hundred million customers."`
	GrowthMax  count         `default:"1M" help:"Most customers of --growth."`
	Restarted  []count       `name:"state-customers" default:"1M" help:"Customers of the restarts of --state."`
	Targets    bool          `help:"Measure what the table of targets needs, and print it."`
	Restore    bool          `help:"After every run, start the arm again without its files and wait until all partitions answer."`
	Rebalance  bool          `help:"Measure for how long nothing comes while a second member joins and leaves, at 1,000 events per second."`
	Repeats    int           `default:"1" help:"How often to measure at rates, and rebalances."`
	Broker     string        `enum:"embedded,apache" default:"embedded" help:"Which broker to start, as a process of its own: ${enum}. apache needs Java, and Maven at the first time."`
	Brokers    []string      `help:"Kafka to run against, in place of one that is started." placeholder:"HOST:PORT"`
	Pin        bool          `help:"Keep the broker to one processor and the arm to another one; needs taskset."`
	MaxTime    time.Duration `default:"30m" help:"Begin nothing that would probably end later."`
	Seed       int           `default:"1" help:"Of the events and of the order of the arms."`
	Chart      string        `help:"Draw the figures there, as SVG." placeholder:"FILE"`
	Table      bool          `help:"Print the table for a README, in Markdown."`
	From       string        `help:"Measure nothing: print and draw a report that was written with --output json." placeholder:"FILE"`
	Profile    string        `help:"Write CPU profiles of the arms in Go into this directory." placeholder:"DIR"`
	Child      bool          `hidden:"" help:"Be one of the processes that are compared."`
}

// Help is the lower part of the verb's help.
func (*benchCommand) Help() string {
	return `Every arm does the same work on the same events, in a process of its own: one event in, one row read and written, one update out. In each round all arms run in a new order; compare arms by the ratios, which are taken within rounds. An arm whose output is not what the events say ends everything with exit code 1. How fast something is has no influence on the exit code.

CPU time per event is that of the second half of the events, after what warms up has done so; "whole" is that of the whole process. A restore ends when all partitions have answered, and counts only if no row was forgotten.

--lookups, --freshness, --state and --growth are measured in place of the arms, unless --arms names some. All but --lookups start a broker and the whole program on it, with a changelog of customers to begin with; a lookup that shows something else than the events say ends everything. --targets is --lookups, --freshness, --state and four arms, and marks what is below its floor.

With --brokers, topics and groups that begin with bench- are made there, and deleted again.

What --output json has written can be printed and drawn later, with --from.

Examples:

    billstream bench --targets --output json
    billstream bench --broker apache --pin --arms eos,floor,kstreams-eos --restore --rebalance --table --chart bench.svg
`
}

// Run measures and prints the report.
func (b *benchCommand) Run(ctx context.Context, p *program) error {
	if b.Child {
		return bench.Child(ctx, p.stdin, p.stdout)
	}
	report, err := b.report(ctx, p)
	if o, ok := errors.AsType[*bench.OptionError](err); ok {
		return &usage{err: o}
	}
	if err != nil {
		return err
	}
	if b.Chart != "" {
		if err := writeFile(b.Chart, report.Chart); err != nil {
			return fmt.Errorf("draw the chart: %w", err)
		}
	}
	switch {
	case b.json():
		return printJSON(p.stdout, report)
	case b.Table:
		return report.Markdown(p.stdout)
	}
	return report.Print(p.stdout)
}

// report measures, or reads what was measured before.
func (b *benchCommand) report(ctx context.Context, p *program) (*bench.Report, error) {
	if b.From != "" {
		return readReport(b.From)
	}
	if b.Rounds < 1 {
		return nil, &usage{err: fmt.Errorf("rounds are %d, want 1 or more", b.Rounds)}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the program's own file: %w", err)
	}
	rates, err := b.rates()
	if err != nil {
		return nil, err
	}
	o := bench.Options{
		Exe: []string{self, "bench", "--child"}, Broker: b.Broker, Brokers: b.Brokers, Pin: b.Pin,
		Rounds: b.Rounds, Events: b.Events, Customers: b.Customers, Partitions: b.Partitions,
		Rates: rates, RateTime: b.RateTime, Restore: b.Restore, Rebalance: b.Rebalance, Repeats: b.Repeats,
		Program: []string{self}, Lookups: b.Lookups, Freshness: b.Freshness, Stores: b.State,
		Growth: b.Growth, GrowthMax: int(b.GrowthMax), Targets: b.Targets,
		MaxTime: b.MaxTime, Seed: uint64(b.Seed), Revision: readProgramInfo().Revision,
		Profiles: b.Profile, Command: "billstream bench" + b.call(),
	}
	if b.show(p.stderr) {
		o.Progress = p.stderr.status
		defer p.stderr.status("")
	}
	for _, n := range b.Restarted {
		o.StoreCustomers = append(o.StoreCustomers, int(n))
	}
	for _, arm := range b.Arms {
		o.Ways = append(o.Ways, bench.Way(strings.TrimSpace(arm)))
	}
	if b.Profile != "" {
		if err := os.MkdirAll(b.Profile, 0o750); err != nil {
			return nil, err
		}
	}
	return bench.Run(ctx, o)
}

// call is what makes the figures what they are, as flags: without files, hosts
// and how the report is shown.
func (b *benchCommand) call() string {
	call := ""
	if len(b.Arms) > 0 {
		call = " --arms " + strings.Join(b.Arms, ",")
	}
	call += fmt.Sprintf(" --rounds %d --events %d --customers %d --partitions %d --seed %d",
		b.Rounds, b.Events, b.Customers, b.Partitions, b.Seed)
	if len(b.Brokers) == 0 {
		call += " --broker " + b.Broker
	}
	if len(b.Rates) > 0 {
		call += " --rates " + strings.Join(b.Rates, ",")
	}
	call += fmt.Sprintf(" --rate-time %v --repeats %d", b.RateTime, b.Repeats)
	if b.Growth {
		call += " --growth-max " + b.GrowthMax.String()
	}
	if b.State || b.Targets {
		for _, n := range b.Restarted {
			call += " --state-customers " + n.String()
		}
	}
	for _, f := range []struct {
		set  bool
		name string
	}{
		{b.Lookups, "lookups"},
		{b.Freshness, "freshness"},
		{b.State, "state"},
		{b.Growth, "growth"},
		{b.Targets, "targets"},
		{b.Restore, "restore"},
		{b.Rebalance, "rebalance"},
		{b.Pin, "pin"},
	} {
		if f.set {
			call += " --" + f.name
		}
	}
	return call
}

// readReport reads what --output json has written.
func readReport(name string) (*bench.Report, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r := new(bench.Report)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("read the report in %s: %w", name, err)
	}
	return r, nil
}

// writeFile makes a file of what write writes.
func writeFile(name string, write func(io.Writer) error) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return write(f)
}

// rates are the numbers in --rates; 0 stands for none. Arms that nobody asked for
// something else in place of are measured at one.
func (b *benchCommand) rates() ([]int, error) {
	if len(b.Rates) == 0 && !b.Lookups && !b.Freshness && !b.State && !b.Growth && !b.Targets {
		return []int{500}, nil
	}
	var all []int
	for _, text := range b.Rates {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 0 {
			return nil, &usage{err: fmt.Errorf("rate is %q, want a number of events per second, 0 or more", text)}
		}
		if n > 0 {
			all = append(all, n)
		}
	}
	return all, nil
}
