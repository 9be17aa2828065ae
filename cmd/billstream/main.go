// Command billstream turns customer events into billing accounts. One file per
// verb; what the verbs do is done by internal/app and what lies below it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"billstream/internal/app"
)

// Exit codes. A supervisor restarts after 1 and 4, and not after 2 and 3.
const (
	exitFailure  = 1   // something failed; trying again may help
	exitUsage    = 2   // flag, variable, file, data directory or address in use
	exitRefused  = 3   // topics or state that a person must mend
	exitFenced   = 4   // another process runs under this instance id
	exitAbandons = 130 // a second signal during the drain
)

// sameStop is how far apart two signals can be that mean one stop.
const sameStop = 100 * time.Millisecond

// errUsage marks mistakes in how the program was called.
var errUsage = errors.New("usage")

// quiet is an error that the user has been told already: only its exit code is
// left to do.
type quiet int

// Error names the exit code; nobody gets to see it.
func (q quiet) Error() string { return fmt.Sprintf("exit code is %d, want 0", int(q)) }

// usage is a mistake in how the program was called, with what to do about it.
type usage struct {
	err  error
	hint string
}

func (u *usage) Error() string   { return u.err.Error() }
func (u *usage) Hint() string    { return u.hint }
func (u *usage) Unwrap() []error { return []error{errUsage, u.err} }

// program is what the verbs share: the streams of the process.
type program struct {
	stdin  io.Reader
	stdout io.Writer
	stderr *screen
	file   *configFile // of --config; nil without one
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main with its surroundings as arguments; it returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: newScreen(stderr)}
	err := p.run(args)
	p.stderr.status("")
	report(p.stderr, err)
	return exitCode(err)
}

func (p *program) run(args []string) error {
	k, err := parser(new(commands), p.stdout, p.stderr)
	if err != nil {
		return err
	}
	registerCompletion(k)
	if p.file, err = openConfig(configPath(args, os.LookupEnv), k.Model.Node); err != nil {
		return err
	}
	if err := kong.Resolvers(p.file.resolver()).Apply(k); err != nil {
		return err
	}
	parsed, err := k.Parse(args)
	if err != nil {
		return err
	}
	warnUnknownVariables(p.stderr, os.Environ(), k.Model.Node)
	ctx, stop := interruptible(func(code int) {
		fmt.Fprintln(p.stderr, "second signal: left at once; an embedded broker will set its data aside at the next start")
		os.Exit(code)
	})
	defer stop()
	parsed.BindTo(ctx, (*context.Context)(nil))
	parsed.Bind(p)
	return parsed.Run()
}

// interruptible returns a context that ends with the first SIGINT or SIGTERM;
// its cause names the signal. A second one leaves at once.
func interruptible(exit func(int)) (context.Context, func()) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A channel of its own: it has room for both, so the second signal is not
	// missed when it follows on the heels of the first.
	both := make(chan os.Signal, 2)
	signal.Notify(both, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	context.AfterFunc(ctx, func() { leaveAtSecond(both, done, exit) })
	return ctx, func() {
		close(done)
		signal.Stop(both)
		stop()
	}
}

// leaveAtSecond leaves when a second signal comes, unless done is closed first.
// What follows within sameStop is the first signal once more: timeout(1) and
// some supervisors signal both a process and its group.
func leaveAtSecond(signals <-chan os.Signal, done <-chan struct{}, exit func(int)) {
	var first time.Time
	for {
		select {
		case <-done:
			return
		case <-signals:
		}
		switch {
		case first.IsZero():
			first = time.Now()
		case time.Since(first) >= sameStop:
			exit(exitAbandons)
			return
		}
	}
}

// exitCode is the one place where errors become exit codes.
func exitCode(err error) int {
	if q, ok := errors.AsType[quiet](err); ok {
		return int(q)
	}
	_, misused := errors.AsType[*kong.ParseError](err) // kong itself would say 80
	switch {
	case err == nil:
		return 0
	case misused, errors.Is(err, errUsage), errors.Is(err, app.ErrConfig):
		return exitUsage
	case errors.Is(err, app.ErrRefused):
		return exitRefused
	case errors.Is(err, app.ErrFenced):
		return exitFenced
	}
	return exitFailure
}

// report writes what went wrong, one line for each mistake, and what can be
// done about it.
func report(w io.Writer, err error) {
	if _, ok := errors.AsType[quiet](err); err == nil || ok {
		return
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(w, "billstream: error: %s\n", strings.TrimRight(line, "\n"))
	}
	hints := hintsOf(err, nil)
	if e, ok := errors.AsType[*kong.ParseError](err); ok && e.Context != nil {
		hints = append(hints, "see what is possible: "+helpCommand(e.Context))
	}
	for _, hint := range hints {
		fmt.Fprintf(w, "billstream: hint: %s\n", hint)
	}
}

func helpCommand(c *kong.Context) string {
	if verb := c.Selected(); verb != nil {
		return verb.FullPath() + " --help"
	}
	return "billstream --help"
}

// hintsOf adds the hints of err and of all that it wraps, each once.
func hintsOf(err error, hints []string) []string {
	if h, ok := err.(interface{ Hint() string }); ok {
		if hint := h.Hint(); hint != "" && !slices.Contains(hints, hint) {
			hints = append(hints, hint)
		}
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return hintsOf(e.Unwrap(), hints)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			hints = hintsOf(inner, hints)
		}
	}
	return hints
}
