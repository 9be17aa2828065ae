package topics_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"billstream/internal/topics"
)

// asWanted is a cluster that has just what was wanted.
func asWanted(o topics.Options) map[string]topics.Topic {
	found := map[string]topics.Topic{}
	for _, w := range topics.Wanted(o) {
		w.Config = maps.Clone(w.Config)
		found[w.Name] = w
	}
	return found
}

// with returns found after a change of one topic.
func with(found map[string]topics.Topic, name string, change func(*topics.Topic)) map[string]topics.Topic {
	t := found[name]
	t.Config = maps.Clone(t.Config)
	change(&t)
	found = maps.Clone(found)
	found[name] = t
	return found
}

func set(setting, value string) func(*topics.Topic) {
	return func(t *topics.Topic) { t.Config[setting] = value }
}

// describe writes topics as lines, settings in order.
func describe(list []topics.Topic) string {
	var b strings.Builder
	for _, t := range list {
		fmt.Fprintf(&b, "%s %dx%d", t.Name, t.Partitions, t.Replication)
		for _, k := range slices.Sorted(maps.Keys(t.Config)) {
			fmt.Fprintf(&b, " %s=%s", k, t.Config[k])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestWantedTopics(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    topics.Options
		want string
	}{
		{"Kafka", topics.Options{}, `
customer.events 12x3 cleanup.policy=delete message.timestamp.after.max.ms=3600000 min.insync.replicas=2
billing-table 12x3 cleanup.policy=compact delete.retention.ms=604800000 max.compaction.lag.ms=86400000 min.insync.replicas=2 segment.ms=21600000
billing.updates 12x3 cleanup.policy=delete min.insync.replicas=2 retention.ms=7776000000
billing.dlq 12x3 cleanup.policy=delete max.message.bytes=1114124 min.insync.replicas=2 retention.ms=7776000000
`},
		{"embedded", topics.Options{Partitions: 4, Embedded: true}, `
customer.events 4x1 cleanup.policy=delete message.timestamp.after.max.ms=3600000 retention.ms=-1
billing-table 4x1 cleanup.policy=compact delete.retention.ms=604800000 max.compaction.lag.ms=86400000 segment.ms=21600000
billing.updates 4x1 cleanup.policy=delete retention.ms=-1
billing.dlq 4x1 cleanup.policy=delete max.message.bytes=1114124 retention.ms=-1
`},
	} {
		if got := "\n" + describe(topics.Wanted(tt.o)); got != tt.want {
			t.Errorf("%s: topics are%swant%s", tt.name, got, tt.want)
		}
	}
}

func TestCheck(t *testing.T) {
	good := asWanted(topics.Options{})
	without := func(name string) map[string]topics.Topic {
		found := maps.Clone(good)
		delete(found, name)
		return found
	}
	for _, tt := range []struct {
		name  string
		found map[string]topics.Topic
		want  string
	}{
		{"as wanted", good, ""},
		{"missing", without(topics.DeadLetters), "topic billing.dlq is missing, want 12 partitions"},
		{
			"another count", with(good, topics.BillingTable, func(t *topics.Topic) { t.Partitions = 24 }),
			"topic billing-table: partitions is 24, want 12",
		},
		{
			"the count of the events rules", with(good, topics.CustomerEvents, func(t *topics.Topic) { t.Partitions = 6 }),
			"topic billing-table: partitions is 12, want 6\ntopic billing.updates: partitions is 12, want 6\ntopic billing.dlq: partitions is 12, want 6",
		},
		{
			"a table that forgets", with(good, topics.BillingTable, set(topics.CleanupPolicy, "compact,delete")),
			"topic billing-table: cleanup.policy is compact,delete, want compact",
		},
		{
			"events that are compacted", with(good, topics.CustomerEvents, set(topics.CleanupPolicy, "compact")),
			"topic customer.events: cleanup.policy is compact, want delete",
		},
		{
			"less replication than the input", with(good, topics.BillingUpdates, func(t *topics.Topic) { t.Replication = 2 }),
			"topic billing.updates: replication is 2, want 3 as customer.events has",
		},
		{
			"a later time limit", with(good, topics.CustomerEvents, set(topics.TimestampAfter, "9223372036854775807")),
			"topic customer.events: message.timestamp.after.max.ms is unlimited, want 3600000",
		},
		{
			"no time limit", with(good, topics.CustomerEvents, func(t *topics.Topic) { delete(t.Config, topics.TimestampAfter) }),
			"topic customer.events: message.timestamp.after.max.ms is not set, want 3600000",
		},
		{"an earlier time limit", with(good, topics.CustomerEvents, set(topics.TimestampAfter, "60000")), ""},
		{
			"the broker's clock", with(with(good, topics.CustomerEvents, set(topics.TimestampAfter, "9223372036854775807")),
				topics.CustomerEvents, set(topics.TimestampType, "LogAppendTime")), "",
		},
		{
			"letters that do not fit", with(good, topics.CustomerEvents, set(topics.MaxMessage, "2000000")),
			"topic billing.dlq: max.message.bytes is 1114124, want 2065536",
		},
		{"more room for letters", with(good, topics.DeadLetters, set(topics.MaxMessage, "9000000")), ""},
		{"another retention", with(good, topics.BillingUpdates, set(topics.Retention, "1000")), ""},
	} {
		refused, warnings := topics.Check(topics.Options{}, tt.found)
		if len(warnings) != 0 {
			t.Errorf("%s: warnings are %q, want none", tt.name, warnings)
		}
		var lines []string
		for _, m := range refused {
			lines = append(lines, m.Error())
		}
		if got := strings.Join(lines, "\n"); got != tt.want {
			t.Errorf("%s: refused is\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

func TestCheckWarnsOfASingleReplicaOutsideOfTrials(t *testing.T) {
	one := topics.Options{Replication: 1}
	_, warnings := topics.Check(one, asWanted(one))
	want := "topic customer.events: replication is 1, want 3: the loss of one broker loses it"
	if len(warnings) != 4 || warnings[0] != want {
		t.Errorf("warnings are %q, want 4 that begin with %q", warnings, want)
	}
	embedded := topics.Options{Embedded: true}
	if refused, warnings := topics.Check(embedded, asWanted(embedded)); len(refused)+len(warnings) != 0 {
		t.Errorf("embedded broker: refused %v and warned %q, want neither", refused, warnings)
	}
}

func TestMismatchSaysWhatHelps(t *testing.T) {
	for setting, part := range map[string]string{
		"": "topics plan", topics.CleanupPolicy: "topics plan",
		"partitions": "create the topic anew", "replication": "kafka-reassign-partitions",
	} {
		var err error = fmt.Errorf("check topics: %w", &topics.MismatchError{Topic: "t", Setting: setting})
		m, ok := errors.AsType[*topics.MismatchError](err)
		if !ok || !strings.Contains(m.Hint(), part) {
			t.Errorf("hint for %q is %q, want one that names %q", setting, m.Hint(), part)
		}
	}
}

// steps writes a plan as lines.
func steps(plan []topics.Step) string {
	var b strings.Builder
	for _, s := range plan {
		fmt.Fprintf(&b, "%s %s", s.Action, s.Topic.Name)
		if s.Setting != "" {
			fmt.Fprintf(&b, " %s %q -> %q", s.Setting, s.Found, s.Wanted)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestPlan(t *testing.T) {
	good := asWanted(topics.Options{})
	table := topics.BillingTable
	for _, tt := range []struct {
		name  string
		found map[string]topics.Topic
		want  string
	}{
		{"a fresh cluster", nil, "create customer.events\ncreate billing-table\ncreate billing.updates\ncreate billing.dlq\n"},
		{"nothing to do", good, "keep customer.events\nkeep billing-table\nkeep billing.updates\nkeep billing.dlq\n"},
		{
			"two settings", with(with(good, table, set(topics.CleanupPolicy, "delete")), table, set(topics.MinInSync, "1")),
			"keep customer.events\nalter billing-table cleanup.policy \"delete\" -> \"compact\"\n" +
				"alter billing-table min.insync.replicas \"1\" -> \"2\"\nkeep billing.updates\nkeep billing.dlq\n",
		},
		{
			"never a count", with(good, table, func(t *topics.Topic) { t.Partitions = 6 }),
			"keep customer.events\nrefuse billing-table partitions \"6\" -> \"12\"\nkeep billing.updates\nkeep billing.dlq\n",
		},
		{
			"never a replication", with(good, table, func(t *topics.Topic) { t.Replication = 1; delete(t.Config, topics.MinInSync) }),
			"keep customer.events\nrefuse billing-table replication \"1\" -> \"3\"\nkeep billing.updates\nkeep billing.dlq\n",
		},
	} {
		if got := steps(topics.Plan(topics.Options{}, tt.found)); got != tt.want {
			t.Errorf("%s: plan is\n%swant\n%s", tt.name, got, tt.want)
		}
	}
}

func TestPlanFollowsTheEventsTopicThatIsThere(t *testing.T) {
	found := map[string]topics.Topic{topics.CustomerEvents: {
		Name: topics.CustomerEvents, Partitions: 48, Replication: 5,
		Config: map[string]string{
			topics.CleanupPolicy: "delete", topics.TimestampAfter: "3600000",
			topics.MinInSync: "2", topics.MaxMessage: "4000000",
		},
	}}
	var created []topics.Topic
	for _, s := range topics.Plan(topics.Options{Partitions: 12}, found) {
		if s.Changes() {
			created = append(created, s.Topic)
		}
	}
	want := `billing-table 48x5 cleanup.policy=compact delete.retention.ms=604800000 max.compaction.lag.ms=86400000 min.insync.replicas=2 segment.ms=21600000
billing.updates 48x5 cleanup.policy=delete min.insync.replicas=2 retention.ms=7776000000
billing.dlq 48x5 cleanup.policy=delete max.message.bytes=4065536 min.insync.replicas=2 retention.ms=7776000000
`
	if got := describe(created); got != want {
		t.Errorf("created topics are\n%swant\n%s", got, want)
	}
}

// What the plan does satisfies the check: whoever applies it may run.
func TestPlanLeavesNothingToRefuse(t *testing.T) {
	o := topics.Options{}
	found := asWanted(o)
	for _, name := range topics.Names() {
		found = with(found, name, func(t *topics.Topic) { clear(t.Config) })
	}
	for _, s := range topics.Plan(o, found) {
		if s.Action == topics.Alter {
			found = with(found, s.Topic.Name, set(s.Setting, s.Wanted))
		}
	}
	if refused, _ := topics.Check(o, found); len(refused) != 0 {
		t.Errorf("after the plan, refused is %v, want nothing", refused)
	}
	for _, s := range topics.Plan(o, found) {
		if s.Action != topics.Keep {
			t.Errorf("the next plan has %s %s, want only keep", s.Action, s.Topic.Name)
		}
	}
}
