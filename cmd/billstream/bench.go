package main

import (
	"context"
	"errors"
	"fmt"
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
	Arms       []string      `default:"stock,alo,eos" help:"What to compare: stock is goka as it comes, alo and eos are this program's engine, at-least-once and exactly-once; eos-unpositioned is eos without position rows."`
	Rounds     int           `default:"5" help:"Rounds that count; one more goes before them."`
	Events     int           `default:"1000000" help:"Events of a round."`
	Customers  int           `default:"200000" help:"Customers whom the events are about."`
	Partitions int32         `default:"4" help:"Partitions of every topic that is made."`
	Rates      []string      `default:"500" help:"Events per second at which latency is measured; 0 for none."`
	RateTime   time.Duration `default:"10s" help:"How long every rate is kept up."`
	Brokers    []string      `help:"Kafka to run against; none for the embedded broker, as a process of its own." placeholder:"HOST:PORT"`
	MaxTime    time.Duration `default:"30m" help:"Begin nothing that would probably end later."`
	Seed       int           `default:"1" help:"Of the events and of the order of the arms."`
	Child      bool          `hidden:"" help:"Be one of the processes that are compared."`
}

// Help is the lower part of the verb's help.
func (*benchCommand) Help() string {
	return `Every arm does the same work on the same events, in a process of its own: one event in, one row read and written, one update out. In each round all arms run in a new order; compare arms by the ratios, which are taken within rounds. An arm whose output is not what the events say ends everything with exit code 1. How fast something is has no influence on the exit code.

With --brokers, topics and groups that begin with bench- are made there, and deleted again.

Examples:

    billstream bench --rounds 2 --events 200000 --max-time 5m
    billstream bench --arms alo,eos --rates 50,500,5000 --output json
`
}

// Run measures and prints the report.
func (b *benchCommand) Run(ctx context.Context, p *program) error {
	if b.Child {
		return bench.Child(ctx, p.stdin, p.stdout)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program's own file: %w", err)
	}
	rates, err := b.rates()
	if err != nil {
		return err
	}
	o := bench.Options{
		Exe: []string{self, "bench", "--child"}, Brokers: b.Brokers,
		Rounds: b.Rounds, Events: b.Events, Customers: b.Customers, Partitions: b.Partitions,
		Rates: rates, RateTime: b.RateTime, MaxTime: b.MaxTime, Seed: uint64(b.Seed),
		Revision: readProgramInfo().Revision,
	}
	if b.show(p.stderr) {
		o.Progress = p.stderr.status
		defer p.stderr.status("")
	}
	for _, arm := range b.Arms {
		o.Ways = append(o.Ways, bench.Way(strings.TrimSpace(arm)))
	}
	report, err := bench.Run(ctx, o)
	if o, ok := errors.AsType[*bench.OptionError](err); ok {
		return &usage{err: o}
	}
	if err != nil {
		return err
	}
	if b.json() {
		return printJSON(p.stdout, report)
	}
	return report.Print(p.stdout)
}

// rates are the numbers in --rates; 0 stands for none.
func (b *benchCommand) rates() ([]int, error) {
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
