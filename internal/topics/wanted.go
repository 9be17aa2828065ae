package topics

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"
)

// The settings that billstream knows, by Kafka's names.
const (
	CleanupPolicy  = "cleanup.policy"
	Retention      = "retention.ms"
	MaxMessage     = "max.message.bytes"
	MinInSync      = "min.insync.replicas"
	TimestampType  = "message.timestamp.type"
	TimestampAfter = "message.timestamp.after.max.ms"

	compactionLag   = "max.compaction.lag.ms"
	segmentAge      = "segment.ms"
	deleteRetention = "delete.retention.ms"
)

const (
	// defaultMaxMessage is what a broker takes where nothing else was set.
	defaultMaxMessage = 1048588
	// letterRoom is what the headers of a dead letter may add to its record.
	letterRoom = 64 << 10
	// timestampLimit is how far ahead of the broker's clock a record may be.
	timestampLimit = time.Hour
	// keepFor is how long updates and dead letters can be read.
	keepFor = 90 * 24 * time.Hour
	// forever is Kafka's value for no time limit.
	forever = "-1"
)

// Options says what the topics of one installation have in common.
type Options struct {
	Partitions  int32 // of every topic; 0 means 12
	Replication int16 // of every topic; 0 means 3, with Embedded 1
	Embedded    bool  // for the embedded broker: nothing expires
}

func (o Options) partitions() int32 { return cmp.Or(o.Partitions, 12) }

func (o Options) replication() int16 {
	if o.Embedded {
		return cmp.Or(o.Replication, 1)
	}
	return cmp.Or(o.Replication, 3)
}

// Known reports whether a setting is one that Wanted, Check or Plan look at.
func Known(setting string) bool {
	switch setting {
	case CleanupPolicy, Retention, MaxMessage, MinInSync, TimestampType, TimestampAfter,
		compactionLag, segmentAge, deleteRetention:
		return true
	}
	return false
}

// Names lists the topics of the main job, the input first.
func Names() []string {
	return []string{CustomerEvents, BillingTable, BillingUpdates, DeadLetters}
}

// Wanted returns the topics as a fresh cluster should have them, in the order
// of Names.
func Wanted(o Options) []Topic { return wanted(o, nil) }

// wanted is Wanted beside what is already there: the partition count, the
// replication and the record size of the events topic, which belongs to the
// customer system, rule the others.
func wanted(o Options, found map[string]Topic) []Topic {
	count, replication, limit := o.partitions(), o.replication(), int64(defaultMaxMessage)
	if input, ok := found[CustomerEvents]; ok {
		replication = max(replication, input.Replication)
		limit = number(input.Config[MaxMessage], defaultMaxMessage)
	}
	// The first topic that exists rules the count. Without the events topic that
	// is the table: it must not be made anew because something else is missing.
	for _, name := range Names() {
		if t, ok := found[name]; ok {
			count = t.Partitions
			break
		}
	}
	want := make([]Topic, 0, len(Names()))
	for _, name := range Names() {
		t := Topic{Name: name, Partitions: count, Replication: replication, Config: settings(name, o.Embedded, limit)}
		if effective := cmp.Or(found[name].Replication, replication); effective >= 3 {
			t.Config[MinInSync] = "2"
		}
		want = append(want, t)
	}
	return want
}

// settings returns what a topic needs, whatever its replication.
func settings(name string, embedded bool, inputLimit int64) map[string]string {
	switch name {
	case BillingTable:
		return map[string]string{
			CleanupPolicy:   "compact",
			compactionLag:   millis(24 * time.Hour),
			segmentAge:      millis(6 * time.Hour), // the active segment is not compacted
			deleteRetention: millis(7 * 24 * time.Hour),
		}
	case CustomerEvents:
		s := map[string]string{CleanupPolicy: "delete", TimestampAfter: millis(timestampLimit)}
		if embedded {
			s[Retention] = forever
		}
		return s
	}
	s := map[string]string{CleanupPolicy: "delete", Retention: millis(keepFor)}
	if embedded {
		s[Retention] = forever
	}
	if name == DeadLetters {
		s[MaxMessage] = strconv.FormatInt(inputLimit+letterRoom, 10)
	}
	return s
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// number reads a setting; what cannot be read is missing.
func number(s string, missing int64) int64 {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	return missing
}

// sorted returns the names of settings in a stable order.
func sorted(config map[string]string) []string { return slices.Sorted(maps.Keys(config)) }
