package topics

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// MismatchError is a topic that the group cannot work on.
type MismatchError struct {
	Topic   string
	Setting string // "" when the topic itself is missing
	Got     string
	Want    string
}

func (e *MismatchError) Error() string {
	if e.Setting == "" {
		return fmt.Sprintf("topic %s is %s, want %s", e.Topic, e.Got, e.Want)
	}
	return fmt.Sprintf("topic %s: %s is %s, want %s", e.Topic, e.Setting, e.Got, e.Want)
}

// Hint says what to do about it, in one line.
func (e *MismatchError) Hint() string {
	switch e.Setting {
	case partitionCount:
		return "a partition count never changes under existing records: create the topic anew with the wanted count"
	case replicationFactor:
		return "add replicas with Kafka's own kafka-reassign-partitions"
	}
	return "see what would change: billstream topics plan"
}

// What a topic has beside its settings, as errors and steps call it.
const (
	partitionCount    = "partitions"
	replicationFactor = "replication"
)

// Check compares the topics that were found with what the group needs. It
// returns what must be mended before anything may run, in the order of Names,
// and as sentences what is only unwise.
func Check(o Options, found map[string]Topic) (refused []*MismatchError, warnings []string) {
	input := found[CustomerEvents]
	for _, want := range wanted(o, found) {
		got, ok := found[want.Name]
		if !ok {
			refused = append(refused, missing(want))
			continue
		}
		refused = append(refused, checkShape(want, got, input)...)
		if got.Config == nil {
			warnings = append(warnings, fmt.Sprintf(
				"topic %s: settings are hidden, want the right DESCRIBE_CONFIGS: they were not checked", got.Name))
		} else {
			refused = append(refused, checkConfig(want, got)...)
		}
		if got.Replication == 1 && !o.Embedded {
			warnings = append(warnings, fmt.Sprintf(
				"topic %s: %s is 1, want 3: the loss of one broker loses it", got.Name, replicationFactor))
		}
	}
	return refused, warnings
}

func missing(want Topic) *MismatchError {
	return &MismatchError{Topic: want.Name, Got: "missing", Want: fmt.Sprintf("%d partitions", want.Partitions)}
}

// checkShape compares counts with those of the events topic, which wanted has
// already made the rule.
func checkShape(want, got, input Topic) (refused []*MismatchError) {
	if got.Partitions != want.Partitions {
		refused = append(refused, mismatch(got, partitionCount, fmt.Sprint(got.Partitions), fmt.Sprint(want.Partitions)))
	}
	if got.Replication < input.Replication {
		refused = append(refused, mismatch(got, replicationFactor,
			fmt.Sprint(got.Replication), fmt.Sprintf("%d as %s has", input.Replication, CustomerEvents)))
	}
	return refused
}

// checkConfig looks at the settings that would lose or stall records.
func checkConfig(want, got Topic) (refused []*MismatchError) {
	for _, setting := range []string{CleanupPolicy, TimestampAfter, MaxMessage} {
		w, ok := want.Config[setting]
		if ok && !satisfies(got, setting, w) {
			refused = append(refused, mismatch(got, setting, show(got.Config[setting]), w))
		}
	}
	return refused
}

// satisfies reports whether a topic's setting does what is wanted of it: more
// room for a record or a stricter time limit are no mismatch.
func satisfies(got Topic, setting, want string) bool {
	g := got.Config[setting]
	switch setting {
	case CleanupPolicy:
		return slices.Equal(policies(g), policies(want))
	case MaxMessage:
		return number(g, defaultMaxMessage) >= number(want, 0)
	case TimestampAfter:
		// Under LogAppendTime the broker's own clock is the timestamp.
		return got.Config[TimestampType] == "LogAppendTime" || number(g, math.MaxInt64) <= number(want, 0)
	}
	return g == want
}

// policies splits a list-valued setting, whose order means nothing.
func policies(s string) []string {
	list := strings.Split(strings.ReplaceAll(s, " ", ""), ",")
	slices.Sort(list)
	return list
}

func mismatch(t Topic, setting, got, want string) *MismatchError {
	return &MismatchError{Topic: t.Name, Setting: setting, Got: got, Want: want}
}

// show writes a setting so that a sentence can hold it.
func show(value string) string {
	switch value {
	case "":
		return "not set"
	case strconv.Itoa(math.MaxInt64):
		return "unlimited"
	}
	return value
}
