package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"billstream/internal/app"
)

// emitCommand writes events from files, with one emitter, so that the events of
// a customer keep the order of the file.
type emitCommand struct {
	brokerFlags
	outputFlag
	progressFlag
	Files      []string `arg:"" name:"file" help:"Files of JSON lines, plain or gzip; - is stdin."`
	OnError    string   `enum:"stop,skip" default:"stop" help:"What to do at a bad line: stop or skip."`
	Rate       float64  `default:"0" help:"Events a second; 0: as fast as it goes."`
	Timestamps string   `enum:"now,event" default:"now" help:"Timestamp of the records: now, or the time of the event. Records with old timestamps fall under the topic's retention at once."`
	DryRun     bool     `negatable:"" help:"Say what would be done, and do nothing."`
}

// Help is the lower part of the verb's help.
func (*emitCommand) Help() string {
	return `Every line is one event as structured CloudEvent in JSON. Events of one customer keep their order. Nothing after a bad line is sent; what was sent stays, and sending it again does no harm. Exit code 1: a line was bad.

The last event of every partition that was written to is printed as a position: with --min-position, get and list answer with what is at or behind it.

Examples:

    billstream emit events.jsonl
    zcat history.jsonl.gz | billstream emit - --on-error skip --rate 1000
`
}

// Run sends the files in the order of their names on the command line.
func (e *emitCommand) Run(ctx context.Context, p *program) error {
	if e.Rate < 0 {
		return &usage{err: fmt.Errorf("rate is %v, want 0 or more", e.Rate)}
	}
	inputs := &inputs{stdin: p.stdin}
	defer inputs.close()
	if err := inputs.open(e.Files); err != nil {
		return err
	}
	m := &meter{screen: p.stderr, show: e.show(p.stderr), now: time.Now, label: "sending events", unit: "events"}
	f := &feed{
		eventTime: e.Timestamps == "event", skip: e.OnError == "skip", rate: e.Rate, now: time.Now, progress: m.update,
		bad: func(line string) { fmt.Fprintln(p.stderr, line) },
	}
	closing := func() error { return nil }
	if e.DryRun {
		m.label = "checking events"
	} else {
		login, err := e.kafkaFlags.open(p.stderr)
		if err != nil {
			return err
		}
		events, err := app.OpenEvents(ctx, e.Brokers, login, forEver(e.BrokerWait))
		if err != nil {
			return err
		}
		f.send, closing = events.Send, events.Close
	}
	start := time.Now()
	err := f.readAll(ctx, inputs.sources)
	err = f.finish(err, closing)
	m.finish()
	return e.conclude(p, f, time.Since(start), err)
}

func (f *feed) readAll(ctx context.Context, sources []source) error {
	for _, s := range sources {
		if err := f.read(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// conclude prints the result. Bad lines have been told of.
func (e *emitCommand) conclude(p *program, f *feed, took time.Duration, err error) error {
	if e.json() {
		result := struct {
			Sent      int64    `json:"sent"`
			Skipped   int64    `json:"skipped"`
			Positions []string `json:"positions"`
			Checked   *int64   `json:"checked,omitempty"` // with --dry-run
		}{Sent: f.sent, Skipped: f.skipped, Positions: f.positions()}
		if e.DryRun {
			result.Checked = &f.checked
		}
		if failed := printJSON(p.stdout, result); failed != nil {
			return errors.Join(err, failed)
		}
	} else {
		what, n := "sent", f.sent
		if e.DryRun {
			what, n = "checked", f.checked
		}
		fmt.Fprintf(p.stdout, "%s %d, skipped %d, in %.1f s\n", what, n, f.skipped, took.Seconds())
		for _, at := range f.positions() {
			fmt.Fprintln(p.stdout, "position", at)
		}
	}
	if errors.Is(err, errBadLine) || err == nil && f.skipped > 0 {
		return quiet(exitFailure)
	}
	return err
}

// inputs are the opened files of the command line.
type inputs struct {
	stdin   io.Reader
	sources []source
	files   []*os.File
}

// open opens all of them, so that a wrong name is found before the first event
// is sent.
func (in *inputs) open(names []string) error {
	for _, name := range names {
		r, size := in.stdin, int64(0)
		if name != "-" {
			file, err := os.Open(name)
			if err != nil {
				return &usage{err: fmt.Errorf("read events: %w", err)}
			}
			in.files, r = append(in.files, file), file
			if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
				size = info.Size()
			}
		} else {
			name = "stdin"
		}
		counted := &counter{r: r}
		plain, err := unpacked(counted)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		in.sources = append(in.sources, source{name: name, r: plain, part: func() float64 {
			if size == 0 || len(names) > 1 {
				return -1
			}
			return float64(counted.n) / float64(size)
		}})
	}
	return nil
}

func (in *inputs) close() {
	for _, f := range in.files {
		f.Close()
	}
}

// unpacked returns r, or what is packed in it if it begins like gzip.
func unpacked(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	if magic, _ := b.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return b, nil
	}
	return gzip.NewReader(b)
}

// counter counts the bytes that are read through it.
type counter struct {
	r io.Reader
	n int64
}

// Read reads and counts.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
