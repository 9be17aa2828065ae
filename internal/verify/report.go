package verify

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"time"
)

// Class says in what way a record is wrong.
type Class string

// The classes of anomalies.
const (
	Lost              Class = "lost"                // due, and not there
	Duplicate         Class = "duplicate"           // there once more
	Reordered         Class = "reordered"           // behind a later one
	WrongValue        Class = "wrong value"         // in its place, with other contents
	WrongPartition    Class = "wrong partition"     // not where the hash of its key says
	Foreign           Class = "foreign"             // nothing in the input is its cause
	AbortedRead       Class = "aborted read"        // of an epoch that was not committed
	LostRow           Class = "lost row"            // the table has no row, or an older one
	ResurrectedRow    Class = "resurrected row"     // the table has a row of an erased customer
	StaleView         Class = "stale view"          // a lookup is answered with something else
	StaleStore        Class = "stale store"         // a stopped process would start with something else
	MetricLie         Class = "metric lie"          // a counter differs from what the topics hold
	LetterMissing     Class = "dead letter missing" // refused, and no letter says so
	LetterWrong       Class = "dead letter wrong"   // the letter's code or its copy of the record
	DeadLetterApplied Class = "dead letter applied" // a letter for a record that was applied
)

// Anomaly is one thing that is not as it should be. It names no customer and
// no value.
type Anomaly struct {
	Class     Class  `json:"class"`
	Topic     string `json:"topic,omitempty"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"` // of the record, or of the one that should be there
	Field     string `json:"field,omitempty"`
	Detail    string `json:"detail"`
	Customer  string `json:"customer_hash,omitempty"`
}

// String is the anomaly in one line.
func (a Anomaly) String() string {
	at := ""
	if a.Topic != "" {
		at = fmt.Sprintf(" %s/%d@%d", a.Topic, a.Partition, a.Offset)
	}
	return string(a.Class) + at + ": " + a.Detail
}

// Problem is why the judgement is not complete.
type Problem struct {
	Exit   int    `json:"exit"`
	Detail string `json:"detail"`
}

// The exit codes of a report.
const (
	ExitGood        = 0
	ExitAnomalies   = 1
	ExitUsage       = 2
	ExitUnprocessed = 3 // the group has input before it
	ExitHanging     = 4 // a transaction is open
	ExitIncomplete  = 5 // something could not be read to its end
	ExitOtherTopics = 6 // the topics are not those of the manifest
)

// Report is the verdict.
type Report struct {
	Mode      string            `json:"mode"`
	Online    bool              `json:"online,omitempty"`
	Guarantee string            `json:"guarantee"`
	Seed      string            `json:"seed,omitempty"`
	Commit    string            `json:"commit,omitempty"`
	Versions  map[string]string `json:"versions,omitempty"`
	Topics    map[string]string `json:"topics"` // topic ids; a manifest has this form
	Counts    map[string]int64  `json:"counts"`
	Classes   map[Class]int64   `json:"classes"` // anomalies, all of them
	Anomalies []Anomaly         `json:"anomalies"`
	Problems  []Problem         `json:"problems"`
	Wall      time.Duration     `json:"wall_ns"`

	most int
}

// Exit returns the exit code. A judgement that could not be completed outweighs
// what it found.
func (r *Report) Exit() int {
	for _, code := range []int{ExitUsage, ExitOtherTopics, ExitIncomplete, ExitHanging, ExitUnprocessed} {
		if slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Exit == code }) {
			return code
		}
	}
	if len(r.Classes) > 0 {
		return ExitAnomalies
	}
	return ExitGood
}

func (r *Report) anomaly(a Anomaly) {
	r.Classes[a.Class]++
	if len(r.Anomalies) < r.most {
		r.Anomalies = append(r.Anomalies, a)
	}
}

func (r *Report) problem(exit int, format string, args ...any) {
	r.Problems = append(r.Problems, Problem{exit, fmt.Sprintf(format, args...)})
}

// sort brings what was found into an order that repeats.
func (r *Report) sort() {
	slices.SortStableFunc(r.Problems, func(a, b Problem) int { return cmp.Compare(b.Exit, a.Exit) })
}

// hashOf names a customer without saying who it is.
func hashOf(key []byte) string {
	h := fnv.New64a()
	h.Write(key)
	return fmt.Sprintf("%016x", h.Sum64())
}
