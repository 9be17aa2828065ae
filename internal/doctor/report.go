package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Status is what a check came to.
type Status string

// The statuses, the worst first.
const (
	Problem Status = "problem" // it does not work, or loses something
	Warning Status = "warning" // it works, and a person should know
	Unknown Status = "unknown" // the check could not be made
	OK      Status = "ok"
)

// Statuses lists all, in the order of a report.
func Statuses() []Status { return []Status{Problem, Warning, Unknown, OK} }

func (s Status) rank() int { return slices.Index(Statuses(), s) }

// Finding is one sentence about the cluster or this machine.
type Finding struct {
	Check    string `json:"check"` // such as features; one word or several with hyphens
	Status   Status `json:"status"`
	Sentence string `json:"sentence"`
	Hint     string `json:"hint,omitempty"` // what to do about it
}

// Report is what the checks found, the worst first. Every check has at least
// one finding.
type Report struct {
	Findings []Finding `json:"findings"`
}

// Count returns how many findings have a status.
func (r *Report) Count(s Status) int {
	n := 0
	for _, f := range r.Findings {
		if f.Status == s {
			n++
		}
	}
	return n
}

// findings are those of one check.
type findings struct {
	check string
	list  []Finding
}

func (f *findings) add(s Status, hint, format string, args ...any) {
	f.list = append(f.list, Finding{Check: f.check, Status: s, Sentence: fmt.Sprintf(format, args...), Hint: hint})
}

// unknown says what could not be found out, and why.
func (f *findings) unknown(what string, err error) {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err = errors.New("no answer in time")
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		err = errors.New("the topic is missing")
	}
	f.add(Unknown, "", "%s cannot be told: %v", what, err)
}

// none reports whether nothing is wrong so far.
func (f *findings) none() bool { return len(f.list) == 0 }

// okay leaves a sentence unless another one was left before.
func (f *findings) okay(format string, args ...any) {
	if f.none() {
		f.add(OK, "", format, args...)
	}
}

// unreachable is the finding of a check that needs a broker and has none.
func (f *findings) unreachable(name string, err error) {
	if name == "brokers" {
		f.add(Problem, "check --brokers, the login, and that Kafka runs there", "%v", err)
		return
	}
	f.unknown(name, errors.New("no broker answers"))
}
