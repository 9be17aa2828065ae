package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/pprof"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"billstream/internal/bench/kstreams"
	"billstream/internal/devbroker"
)

// spec tells a child process what to be. It is the first line of its input; an
// empty Way is the embedded broker.
type spec struct {
	Way        Way           `json:"way"`
	Dir        string        `json:"dir"` // for files; removed by the parent
	Brokers    []string      `json:"brokers"`
	Group      string        `json:"group"`
	Input      string        `json:"input"`
	Output     string        `json:"output"`
	Partitions int32         `json:"partitions"`
	Interval   time.Duration `json:"interval"` // longest time between two commits
	Spoil      bool          `json:"spoil"`    // lose the effect of some events; for tests of the gate
	Instance   string        `json:"instance"` // tells the second member of a group from the first
	Threads    int           `json:"threads"`  // of Kafka Streams; 0 means 1
	Profile    string        `json:"profile"`  // file for a CPU profile, of arms in Go; none: ""

	// Of servers of lookups, and of what measures stores.
	Customers int `json:"customers,omitempty"`
	Events    int `json:"events,omitempty"` // of each customer
	Bytes     int `json:"bytes,omitempty"`  // of an answer
	Snapshots int `json:"snapshots,omitempty"`
}

// table is the changelog of an arm's group, as goka and Kafka Streams name it.
func (s spec) table() string {
	if s.Way.streams() {
		return kstreams.Changelog(s.Group)
	}
	return s.Group + "-table"
}

// Lines of the dialogue with a child, beside the spec: it answers the spec with
// hello and every ask with a sample. The end of its input is the end of its work.
const ask = "sample"

type hello struct {
	Addr   string  `json:"addr"`             // of the embedded broker, or of a server
	Paused *Paused `json:"paused,omitempty"` // what the child has measured by itself
}

// arm is a child at work.
type arm struct {
	spec
	registry  *prometheus.Registry
	processed atomic.Int64 // events whose callback has ended
	commits   atomic.Int64 // of an arm that has no metrics
}

// Child is the other end of Run's processes: the command of Options.Exe calls it
// with its standard input and output. It returns when in has ended or ctx does,
// and with an error when the work ends by itself.
func Child(ctx context.Context, in io.Reader, out io.Writer) (err error) {
	lines := bufio.NewScanner(in)
	var s spec
	if !lines.Scan() {
		return errors.Join(errors.New("first line is missing, want what to be"), lines.Err())
	}
	if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
		return fmt.Errorf("read what to be: %w", err)
	}
	switch s.Way {
	case "":
		return embedded(lines, json.NewEncoder(out), s)
	case Echo:
		return serveEcho(lines, json.NewEncoder(out), s)
	case Bare:
		return serveBare(lines, json.NewEncoder(out), s)
	case Lookup:
		return serveLookups(lines, json.NewEncoder(out), s)
	case pauser:
		return measurePause(ctx, out, s)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	profiled, err := profile(s.Profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, profiled()) }()
	a := &arm{spec: s, registry: prometheus.NewRegistry()}
	go func() {
		defer cancel()
		// A parent that is gone reads no answer: then the input has ended too.
		_ = a.serve(lines, json.NewEncoder(out), hello{})
	}()
	err = a.run(ctx)
	if ctx.Err() == nil {
		return errors.Join(fmt.Errorf("arm %s ended by itself, want it to wait for more events", s.Way), err)
	}
	return nil // what goka says of an interrupted processor does not matter
}

// profile writes a CPU profile to a file until the func that it returns is
// called; "" is none.
func profile(name string) (stop func() error, err error) {
	if name == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// embedded is the embedded broker until the input ends.
func embedded(lines *bufio.Scanner, out *json.Encoder, s spec) error {
	b, err := devbroker.Start(devbroker.Options{Dir: s.Dir, Addr: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	err = (&arm{registry: prometheus.NewRegistry()}).serve(lines, out, hello{Addr: b.Addr()})
	return errors.Join(err, b.Close())
}

// serve answers the parent until it has nothing more to ask.
func (a *arm) serve(lines *bufio.Scanner, out *json.Encoder, first hello) error {
	if err := out.Encode(first); err != nil {
		return err
	}
	for lines.Scan() {
		s, err := takeSample(a.registry, a.processed.Load())
		if err != nil {
			return err
		}
		s.Commits += float64(a.commits.Load())
		if err := out.Encode(s); err != nil {
			return err
		}
	}
	return lines.Err()
}

// run works until ctx ends.
func (a *arm) run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	switch a.Way {
	case Stock:
		return a.runStock(ctx)
	case Floor:
		return a.runFloor(ctx, log)
	}
	return a.runEngine(ctx, log)
}
