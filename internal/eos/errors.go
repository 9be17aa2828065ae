package eos

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// RefusedError says that topics or state do not fit together and that a person
// must mend them: going on would bill wrongly. It ends the processor.
type RefusedError struct {
	Err    error
	Advice string // "" takes Err's hint
}

// Error implements error.
func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *RefusedError) Unwrap() error { return e.Err }

// Hint says what to do about it, in one line; "" when there is nothing to say.
func (e *RefusedError) Hint() string {
	h, _ := errors.AsType[interface {
		error
		Hint() string
	}](e.Err)
	if h == nil {
		return e.Advice
	}
	return cmp.Or(e.Advice, h.Hint())
}

// refused makes a RefusedError of err, unless it is one.
func refused(err error) error {
	if _, ok := errors.AsType[*RefusedError](err); ok {
		return err
	}
	return &RefusedError{Err: err}
}

// FencedError says that another live process is a member of the group under
// our instance id. It ends the process: two twins must not fence each other
// for ever.
type FencedError struct {
	Group, InstanceID string
	Err               error
}

// Error implements error.
func (e *FencedError) Error() string {
	return fmt.Sprintf("instance id %q is taken by another member of group %s, want it to ourselves", e.InstanceID, e.Group)
}

// Unwrap returns the coordinator's answer.
func (e *FencedError) Unwrap() error { return e.Err }

// Hint says what to do about it, in one line.
func (e *FencedError) Hint() string { return "give every process an instance id of its own" }

// ProcessingError says that goka gave up a session: a callback failed, panicked
// or stood still, or a table did not recover. A new processor
// may go on from the last commit.
type ProcessingError struct {
	Stage string // setup, process, store
	Err   error
}

// Error implements error. It holds no key and no value.
func (e *ProcessingError) Error() string {
	return fmt.Sprintf("%s: %v", e.Stage, e.Err)
}

// Unwrap returns the cause.
func (e *ProcessingError) Unwrap() error { return e.Err }

// ErrPanic stands for a panic of a callback. Its value stays unsaid: it may
// hold a customer's data.
var ErrPanic = errors.New("callback panicked")

// errUnsaid stands for an error of goka that has no cause of ours: its text may
// hold a key.
var errUnsaid = errors.New("goka stopped the partition")

// strip makes an error of goka fit to be shown. The cause that we saw
// ourselves, if any, says best what happened.
func strip(stage string, err, seen error) error {
	switch {
	case seen != nil:
		return seen
	case strings.Contains(err.Error(), "panic in callback"):
		return &ProcessingError{Stage: "process", Err: ErrPanic}
	}
	return &ProcessingError{Stage: stage, Err: errUnsaid}
}

// frame matches a line of goka's stack traces: a place in the source.
var frame = regexp.MustCompile(`(?m)^\t(\S+\.go:\d+)$`)

// places returns the places in the source that goka's error names.
func places(err error) []string {
	var found []string
	for _, m := range frame.FindAllStringSubmatch(err.Error(), 16) {
		found = append(found, m[1])
	}
	return found
}
