//go:build apache

package kstreams_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"billstream/internal/bench"
	"billstream/internal/bench/kstreams"
)

// spec is what a child is told to be.
type spec struct {
	Way        string   `json:"way"`
	Dir        string   `json:"dir"`
	Brokers    []string `json:"brokers"`
	Group      string   `json:"group"`
	Input      string   `json:"input"`
	Output     string   `json:"output"`
	Partitions int32    `json:"partitions"`
	Interval   int64    `json:"interval"`
	Spoil      bool     `json:"spoil"`
	Threads    int      `json:"threads"`
	Instance   string   `json:"instance"`
}

// sample is what a child must say of itself.
type sample struct {
	At         time.Time          `json:"at"`
	CPU        time.Duration      `json:"cpu"`
	PeakRSS    int64              `json:"peak_rss"`
	Allocs     *uint64            `json:"allocs"`
	AllocBytes *uint64            `json:"alloc_bytes"`
	Commits    float64            `json:"commits"`
	Phases     map[string]float64 `json:"phases"`
	Processed  int64              `json:"processed"`
}

// child is a dialogue: with the twin, or with an arm in Go within this process.
type child struct {
	t     *testing.T
	in    *os.File
	out   *bufio.Scanner
	ended chan error
}

// dialogue has a child run until its input ends, and tells it what to be.
func dialogue(t *testing.T, s spec, run func(ctx context.Context, in, out *os.File) error) *child {
	t.Helper()
	in, write := pipe(t)
	read, out := pipe(t)
	c := &child{t: t, in: write, out: bufio.NewScanner(read), ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() {
		err := run(ctx, in, out)
		_ = in.Close()
		_ = out.Close() // who reads comes to an end
		c.ended <- err
	}()
	line, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var hello struct {
		Addr *string `json:"addr"`
	}
	if err := json.Unmarshal([]byte(c.ask(string(line))), &hello); err != nil {
		t.Fatalf("hello is no JSON: %v", err)
	}
	return c
}

// pipe is one of the system: Wait would not return before a reader of another
// kind has.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

// ask sends a line and returns the answer.
func (c *child) ask(line string) string {
	c.t.Helper()
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		c.t.Fatalf("child has ended: %v", <-c.ended)
	}
	if !c.out.Scan() {
		c.t.Fatalf("child does not answer: %v", <-c.ended)
	}
	return c.out.Text()
}

func (c *child) sample() (s sample) {
	c.t.Helper()
	d := json.NewDecoder(strings.NewReader(c.ask("sample")))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		c.t.Fatal(err)
	}
	return s
}

// stop ends the input and waits for the end of the child.
func (c *child) stop() {
	c.t.Helper()
	_ = c.in.Close()
	select {
	case err := <-c.ended:
		if err != nil {
			c.t.Fatalf("child ends with %v, want no error", err)
		}
	case <-time.After(30 * time.Second):
		c.t.Fatal("child has not ended after 30 s")
	}
}

// twin starts the Java program, built in a cache that outlives the tests.
func twin(t *testing.T, s spec) *child {
	t.Helper()
	command := built(t)
	return dialogue(t, s, func(ctx context.Context, in, out *os.File) error {
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		var words strings.Builder
		cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = in, out, &words, time.Second
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%w: %s", err, words.String())
		}
		return nil
	})
}

func built(t *testing.T) []string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	command, err := kstreams.Command(t.Context(), filepath.Join(cache, "billstream"), func(s string) { t.Log(s) })
	if err != nil {
		t.Fatal(err)
	}
	return command
}

// arm starts an arm of the bench in this process.
func arm(t *testing.T, s spec) *child {
	t.Helper()
	return dialogue(t, s, func(ctx context.Context, in, out *os.File) error { return bench.Child(ctx, in, out) })
}
