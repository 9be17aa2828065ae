package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// pins says which processors belong to whom. The zero value pins nothing.
type pins struct {
	driver string // of this process and of the broker, as taskset takes them
	arm    string
	before string // where this process was allowed to run
}

// pin moves this process, and with it the broker that it will start, to the
// first processor, and keeps the second one for the arms. Their runtimes take
// what they find for the whole machine.
func pin(ctx context.Context) (pins, error) {
	if _, err := exec.LookPath("taskset"); err != nil {
		return pins{}, errors.New("taskset is missing, want util-linux in PATH")
	}
	list, cores, err := allowed()
	if err != nil {
		return pins{}, err
	}
	if len(cores) < 2 {
		return pins{}, fmt.Errorf("processors are %d, want 2 to pin the broker and the arms to", len(cores))
	}
	p := pins{driver: strconv.Itoa(cores[0]), arm: strconv.Itoa(cores[1]), before: list}
	return p, allow(ctx, p.driver)
}

// undo lets this process run where it was allowed to. ctx may have ended.
func (p pins) undo(ctx context.Context) error {
	if p.before == "" {
		return nil
	}
	return allow(context.WithoutCancel(ctx), p.before)
}

// command is how to start an arm.
func (p pins) command(c []string) []string {
	if p.arm == "" {
		return c
	}
	return append([]string{"taskset", "-c", p.arm}, c...)
}

// allow moves every thread of this process; those that are made later follow.
func allow(ctx context.Context, to string) error {
	out, err := exec.CommandContext(ctx, "taskset", "-a", "-c", "-p", to, strconv.Itoa(os.Getpid())).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pin to processors %s: %w: %s", to, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// allowed returns the processors on which this process may run, as a list of
// ranges and one by one.
func allowed() (list string, cores []int, err error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "", nil, fmt.Errorf("look for processors: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
			list = strings.TrimSpace(rest)
		}
	}
	for part := range strings.SplitSeq(list, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err := errors.Join(err1, err2); err != nil {
			return "", nil, fmt.Errorf("list of processors is %q, want numbers: %w", list, err)
		}
		for n := from; n <= to; n++ {
			cores = append(cores, n)
		}
	}
	return list, cores, nil
}
