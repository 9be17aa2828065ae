package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alecthomas/kong"
	"github.com/rogpeppe/go-internal/testscript"

	"billstream/internal/app"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"billstream": main})
}

// TestScripts runs the manual: one script per verb. $DATA, $ADMIN and $BROKER
// are addresses that nobody listened at a moment ago.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(90 * time.Second),
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"readme": readme, "snapshot": snapshot, "hold": hold},
		Setup: func(e *testscript.Env) error {
			path, err := readmePath()
			if err != nil {
				return err
			}
			e.Setenv("README", path)
			for _, name := range []string{"DATA", "ADMIN", "BROKER"} {
				addr, err := freeAddress()
				if err != nil {
					return err
				}
				e.Setenv(name, addr)
			}
			return nil
		},
	})
}

// freeAddress returns an address that nothing listens on. It lies below the
// ports that the system gives away, or another test could have it before it is
// used.
func freeAddress() (string, error) {
	for {
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		if l, err := net.Listen("tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
}

var example = regexp.MustCompile(`(?m)^    .*?\bbillstream( [^|)\n]*)?`)

// TestTheHelpOfEveryVerbHasTwoExamplesThatParse keeps the help honest.
func TestTheHelpOfEveryVerbHasTwoExamplesThatParse(t *testing.T) {
	for _, verb := range verbs(t) {
		t.Run(verb.Path(), func(t *testing.T) {
			examples := example.FindAllStringSubmatch(verb.Detail, -1)
			if len(examples) != 2 {
				t.Fatalf("help has %d examples, want 2:\n%s", len(examples), verb.Detail)
			}
			for _, e := range examples {
				args := strings.Fields(e[1])
				for i, arg := range args {
					if arg == "--config" {
						args = append(args[:i:i], args[i+2:]...) // there is no such file
						break
					}
				}
				k, err := parser(new(commands), io.Discard, io.Discard)
				if err != nil {
					t.Fatal(err)
				}
				parsed, err := k.Parse(args)
				if err != nil {
					t.Fatalf("example %q: %v", strings.TrimSpace(e[0]), err)
				}
				if got := parsed.Selected().Path(); got != verb.Path() {
					t.Errorf("example %q is about %s, want %s", strings.TrimSpace(e[0]), got, verb.Path())
				}
			}
		})
	}
}

func TestErrorsBecomeExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("broken"), 1},
		{quiet(1), 1},
		{fmt.Errorf("start: %w", &kong.ParseError{}), 2},
		{&usage{err: errors.New("bad")}, 2},
		{fmt.Errorf("start: %w", app.ErrConfig), 2},
		{fmt.Errorf("start: %w", app.ErrRefused), 3},
		{refusedSteps([]app.TopicStep{{Action: "refuse"}}), 3},
		{fmt.Errorf("run: %w", app.ErrFenced), 4},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("exit code of %v is %d, want %d", c.err, got, c.want)
		}
	}
}

func TestEveryMistakeIsALineAndEveryHintOnce(t *testing.T) {
	hinted := func(text string) error { return &usage{err: errors.New(text), hint: "look there"} }
	var out strings.Builder
	report(&out, fmt.Errorf("check: %w", errors.Join(hinted("a is 1, want 2"), hinted("b is 3, want 4"))))
	want := "billstream: error: check: a is 1, want 2\nbillstream: error: b is 3, want 4\nbillstream: hint: look there\n"
	if out.String() != want {
		t.Errorf("report is\n%s\nwant\n%s", out.String(), want)
	}
}

func TestASignalEndsTheContextAndIsItsCause(t *testing.T) {
	ctx, stop := interruptible(func(code int) { t.Errorf("left with %d after one signal, want to stay for the drain", code) })
	defer stop()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if got := context.Cause(ctx).Error(); got != "interrupt signal received" {
		t.Errorf("cause is %q, want it to name the signal", got)
	}
}

func TestASecondSignalLeavesAtOnce(t *testing.T) {
	for _, c := range []struct {
		name  string
		after []time.Duration // of each signal after the one before
		left  []int
	}{
		{"one", []time.Duration{0}, nil},
		{"one, sent to the process and to its group", []time.Duration{0, time.Millisecond}, nil},
		{"two", []time.Duration{0, time.Second}, []int{exitAbandons}},
		{"two, each sent twice", []time.Duration{0, 0, time.Second, 0}, []int{exitAbandons}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals, done := make(chan os.Signal, 4), make(chan struct{})
				var left []int
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					leaveAtSecond(signals, done, func(code int) { left = append(left, code) })
				}()
				for _, d := range c.after {
					synctest.Wait()
					<-time.After(d)
					signals <- os.Interrupt
				}
				synctest.Wait()
				close(done)
				<-ended
				if !slices.Equal(left, c.left) {
					t.Errorf("left with %v, want %v", left, c.left)
				}
			})
		})
	}
}
