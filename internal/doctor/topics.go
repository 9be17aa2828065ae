package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/topics"
)

// uncleanElection is the setting that prefers a broker that lost records to no
// broker.
const uncleanElection = "unclean.leader.election.enable"

// reassign is how copies are added.
const reassign = "add replicas with Kafka's own kafka-reassign-partitions"

// settings compares the topics with what the group needs.
func settings(_ context.Context, e *exam, f *findings) {
	found, hidden, err := e.found()
	if err != nil {
		f.unknown("settings of the topics", err)
		return
	}
	for _, name := range topics.Names() {
		if err := hidden[name]; err != nil {
			f.unknown("settings of topic "+name, err)
		}
	}
	o := topics.Options{Partitions: e.cfg.Partitions, Replication: e.replication()}
	refused, warnings := topics.Check(o, found)
	told := map[string]bool{}
	for _, r := range refused {
		if hidden[r.Topic] != nil && (r.Setting == "" || topics.Known(r.Setting)) {
			continue // whether it is missing or set otherwise, nobody tells us
		}
		told[r.Topic+" "+r.Setting] = true
		f.add(Problem, r.Hint(), "%v", r)
	}
	for _, w := range warnings {
		f.add(Warning, reassign, "%s", w)
	}
	for _, step := range topics.Plan(o, found) {
		if step.Action != topics.Alter || told[step.Topic.Name+" "+step.Setting] || hidden[step.Topic.Name] != nil {
			continue
		}
		got := step.Found
		if got == "" {
			got = "not set"
		}
		f.add(Warning, "billstream topics apply", "topic %s: %s is %s, want %s", step.Topic.Name, step.Setting, got, step.Wanted)
	}
	dangers(f, found, e.cfg.Replication)
	f.okay("topics are as wanted, with %d partitions each", found[topics.CustomerEvents].Partitions)
}

// dangers looks for settings that Check leaves to their owner.
func dangers(f *findings, found map[string]topics.Topic, replication int16) {
	for _, name := range topics.Names() {
		t, ok := found[name]
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(t.Config[topics.MinInSync]); err == nil && n > int(t.Replication) {
			f.add(Problem, "lower it: nothing can be written",
				"topic %s: %s is %d, want at most %d, the replication", name, topics.MinInSync, n, t.Replication)
		}
		if t.Replication > 1 && t.Replication < replication { // of 1, Check warns
			f.add(Warning, reassign, "topic %s: replication is %d, want %d", name, t.Replication, replication)
		}
		if t.Config[uncleanElection] == "true" {
			f.add(Warning, "a broker that comes back empty would become leader, and committed records be gone",
				"topic %s: %s is true, want false", name, uncleanElection)
		}
	}
}

// found returns the topics that exist. Those whose settings we may not see are
// hidden, with the reason: of them only the shape is known, or nothing at all.
func (e *exam) found() (map[string]topics.Topic, map[string]error, error) {
	configs, err := e.configs()
	if err != nil {
		return nil, nil, err
	}
	found, hidden := map[string]topics.Topic{}, map[string]error{}
	for _, name := range topics.Names() {
		t, err := e.topic(name)
		switch {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			continue
		case err != nil:
			hidden[name] = err
			continue
		}
		config := configs[name]
		if config.err != nil {
			hidden[name] = config.err
		}
		if config.values == nil {
			config.values = map[string]string{}
		}
		found[name] = topics.Topic{Name: name, Partitions: int32(len(t.Partitions)), Replication: copies(t), Config: config.values}
	}
	return found, hidden, nil
}

// replicas looks at the copies of each partition, ours and Kafka's own.
func replicas(_ context.Context, e *exam, f *findings) {
	configs, err := e.configs()
	if err != nil {
		configs = map[string]described{}
	}
	looked := false
	for _, name := range append(topics.Names(), groupOffsets, transactionState) {
		t, err := e.topic(name)
		looked = looked || err == nil && !t.IsInternal
		switch {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			continue // said elsewhere, or not made yet
		case err != nil:
			f.unknown(fmt.Sprintf("copies of topic %s", name), err)
			continue
		}
		minimum, _ := strconv.Atoi(configs[name].values[topics.MinInSync])
		copiesOf(f, t, max(minimum, 1))
		if got, want := copies(t), e.replication(); t.IsInternal && got < want {
			f.add(Warning, reassign+": without this topic the group stands still",
				"topic %s: replication is %d, want %d", name, got, want)
		}
	}
	if !looked && f.none() {
		f.unknown("copies", kerr.UnknownTopicOrPartition)
	}
	f.okay("every copy of every partition is in sync")
}

// copiesOf looks at the partitions of one topic; minimum copies must be in sync
// for a record to be taken.
func copiesOf(f *findings, t *kmsg.MetadataResponseTopic, minimum int) {
	var headless, readOnly, behind []int32
	for _, p := range t.Partitions {
		switch {
		case p.Leader < 0:
			headless = append(headless, p.Partition)
		case len(p.ISR) < minimum:
			readOnly = append(readOnly, p.Partition)
		case len(p.ISR) < len(p.Replicas):
			behind = append(behind, p.Partition)
		}
	}
	const hint = "start the brokers that are missing"
	if len(headless) > 0 {
		f.add(Problem, hint, "topic %s: partitions without a leader are %s, want none", *t.Topic, few(headless))
	}
	if len(readOnly) > 0 {
		f.add(Problem, hint, "topic %s: partitions with fewer copies in sync than %s (%d) are %s, want none",
			*t.Topic, topics.MinInSync, minimum, few(readOnly))
	}
	if len(behind) > 0 {
		f.add(Warning, hint, "topic %s: partitions with copies that are not in sync are %s, want none", *t.Topic, few(behind))
	}
}

// few names partitions, not too many of them.
func few(partitions []int32) string {
	slices.Sort(partitions)
	const most = 5
	text := ""
	for i, p := range partitions {
		if i == most {
			return fmt.Sprintf("%s and %d more", text, len(partitions)-most)
		}
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprint(p)
	}
	return text
}
