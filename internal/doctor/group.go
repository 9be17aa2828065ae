package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/topics"
)

// limit is a broker's bound on a duration of ours.
type limit struct {
	setting string
	atLeast bool // else at most
}

// transactionTimeout compares ours with what brokers allow.
func transactionTimeout(ctx context.Context, e *exam, f *findings) {
	if e.cfg.Guarantee != ExactlyOnce {
		f.okay("transaction timeout is of no matter with %s", e.cfg.Guarantee)
		return
	}
	within(ctx, e, f, "transaction timeout", "--transaction-timeout", e.cfg.TransactionTimeout,
		limit{setting: "transaction.max.timeout.ms"})
}

// sessionTimeout compares ours with what brokers allow.
func sessionTimeout(ctx context.Context, e *exam, f *findings) {
	within(ctx, e, f, "session timeout", "--session-timeout", e.cfg.SessionTimeout,
		limit{setting: "group.min.session.timeout.ms", atLeast: true}, limit{setting: "group.max.session.timeout.ms"})
}

// within compares a duration with the limits of each broker.
func within(ctx context.Context, e *exam, f *findings, what, flag string, ours time.Duration, limits ...limit) {
	configs, err := e.brokerConfigs(ctx)
	if err != nil {
		f.unknown("limits of the "+what, err)
		return
	}
	for _, broker := range sorted(configs) {
		for _, l := range limits {
			ms, err := strconv.ParseInt(configs[broker][l.setting], 10, 64)
			bound := time.Duration(ms) * time.Millisecond
			switch {
			case err != nil:
				f.unknown(what, fmt.Errorf("broker %s does not say its %s", broker, l.setting))
			case l.atLeast && ours < bound:
				f.add(Problem, "raise "+flag, "%s is %s, want at least %s, %s of broker %s", what, ours, bound, l.setting, broker)
			case !l.atLeast && ours > bound:
				f.add(Problem, "lower "+flag, "%s is %s, want at most %s, %s of broker %s", what, ours, bound, l.setting, broker)
			}
		}
	}
	f.okay("%s is %s, which every broker allows", what, ours)
}

// instanceID looks for a member of the group that has our name already.
func instanceID(_ context.Context, e *exam, f *findings) {
	if e.cfg.InstanceID == "" {
		f.okay("no instance id is to be used")
		return
	}
	g, err := e.group()
	if err != nil {
		f.unknown("members of group "+e.cfg.Group, err)
		return
	}
	for _, m := range g.Members {
		if m.InstanceID != nil && *m.InstanceID == e.cfg.InstanceID {
			f.add(Problem, "right if it runs there, or was stopped a moment ago and is to come back; a second process under this name fences the first",
				"instance id %s is that of a member on host %s, want a free one", e.cfg.InstanceID, host(m.ClientHost))
		}
	}
	f.okay("instance id %s is free", e.cfg.InstanceID)
}

// host is a client's address without what brokers put around it.
func host(addr string) string {
	addr = strings.TrimPrefix(addr, "/")
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}

// positions are the offsets of the events topic, by partition.
type positions struct {
	start, end, committed map[int32]int64
}

// positions asks for them. A partition without a committed offset is not in
// that map.
func (e *exam) positions(ctx context.Context) (*positions, error) {
	if _, err := e.topic(topics.CustomerEvents); err != nil {
		return nil, err
	}
	all := &positions{start: map[int32]int64{}, end: map[int32]int64{}, committed: map[int32]int64{}}
	committed, err := patiently(ctx, func(ctx context.Context) (kadm.OffsetResponses, error) {
		return e.admin.FetchOffsets(ctx, e.cfg.Group)
	})
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("ask for the offsets of group %s: %w", e.cfg.Group, err)
	}
	for p, o := range committed[topics.CustomerEvents] {
		if o.Err != nil {
			return nil, o.Err
		}
		if o.At >= 0 {
			all.committed[p] = o.At
		}
	}
	for _, ask := range []struct {
		list func(context.Context, ...string) (kadm.ListedOffsets, error)
		into map[int32]int64
	}{{e.admin.ListStartOffsets, all.start}, {e.admin.ListEndOffsets, all.end}} {
		listed, err := ask.list(ctx, topics.CustomerEvents)
		if err != nil {
			return nil, err
		}
		for p, o := range listed[topics.CustomerEvents] {
			if o.Err != nil {
				return nil, o.Err
			}
			ask.into[p] = o.Offset
		}
	}
	return all, nil
}

// offsets looks whether what the group has committed is still there.
func offsets(ctx context.Context, e *exam, f *findings) {
	all, err := e.positions(ctx)
	if err != nil {
		f.unknown("offsets of group "+e.cfg.Group, err)
		return
	}
	var gone, ahead, without []int32
	for p, end := range all.end {
		at, ok := all.committed[p]
		switch {
		case !ok && end > all.start[p]:
			without = append(without, p)
		case ok && at < all.start[p]:
			gone = append(gone, p)
		case ok && at > end:
			ahead = append(ahead, p)
		}
	}
	const hint = "run refuses to go on: a person must say from where"
	if len(gone) > 0 {
		f.add(Problem, hint, "committed offsets of %s before the oldest record are those of partitions %s, want none: records expired before they were processed",
			topics.CustomerEvents, few(gone))
	}
	if len(ahead) > 0 {
		f.add(Problem, hint, "committed offsets of %s behind the end are those of partitions %s, want none: the topic was made anew or lost records",
			topics.CustomerEvents, few(ahead))
	}
	if len(without) > 0 && len(all.committed) > 0 {
		f.add(Warning, "they begin at the oldest record; offsets.retention.minutes says how long brokers keep what a group commits",
			"partitions of %s with records and without a committed offset are %s, want none while others have one", topics.CustomerEvents, few(without))
	}
	if len(all.committed) == 0 {
		f.okay("group %s has committed nothing yet: it begins at the oldest record", e.cfg.Group)
	}
	f.okay("committed offsets of %s are where records are", topics.CustomerEvents)
}

// oldest is how long a record may wait before a person should know.
const oldest = time.Minute

// lag looks whether events wait, and for how long.
func lag(ctx context.Context, e *exam, f *findings) {
	all, err := e.positions(ctx)
	if err != nil {
		f.unknown("lag of group "+e.cfg.Group, err)
		return
	}
	records, from := int64(0), map[int32]kgo.Offset{}
	for p, at := range all.committed {
		if n := all.end[p] - at; n > 0 && at >= all.start[p] {
			records += n
			from[p] = kgo.NewOffset().At(at)
		}
	}
	g, err := e.group()
	switch {
	case records == 0:
	case err != nil:
		f.unknown("members of group "+e.cfg.Group, err)
	case len(g.Members) == 0:
		f.add(Warning, "start billstream", "lag of group %s is %d records and no member is at work, want one", e.cfg.Group, records)
	default:
		e.waiting(ctx, f, records, from)
	}
	f.okay("lag of group %s is %d records", e.cfg.Group, records)
}

// waiting judges the oldest record that is not processed.
func (e *exam) waiting(ctx context.Context, f *findings, records int64, from map[int32]kgo.Offset) {
	var first *kgo.Record
	err := e.read(ctx, topics.CustomerEvents, from, func(r *kgo.Record) bool {
		if _, ok := from[r.Partition]; ok && !r.Attrs.IsControl() {
			delete(from, r.Partition)
			if first == nil || r.Timestamp.Before(first.Timestamp) {
				first = r
			}
		}
		return len(from) > 0
	})
	switch {
	case err != nil:
		f.unknown("age of what waits for group "+e.cfg.Group, err)
	case first != nil && time.Since(first.Timestamp) > oldest:
		f.add(Warning, "look at the process that has this partition: billstream health --verbose",
			"lag of group %s is %d records, the oldest written %s ago (%s/%d@%d), want at most %s", e.cfg.Group, records,
			time.Since(first.Timestamp).Round(time.Second), first.Topic, first.Partition, first.Offset, oldest)
	}
}
