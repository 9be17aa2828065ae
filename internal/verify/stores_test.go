package verify_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"billstream/internal/topics"
	"billstream/internal/verify"
)

// dumped is a dump in the hands of a test.
type dumped struct {
	verify.Dump
	rows map[string][]byte
	err  error // behind the rows
}

// dump returns what a process has of partition 1 when it walks through its rows
// while the changelog goes on from one offset to another: of the rows that
// change on the way every second one is new.
func (l *logs) dump(from, through int64) *dumped {
	id := idOf(topics.BillingTable)
	d := &dumped{rows: map[string][]byte{}, Dump: verify.Dump{
		File: "state/billing-table-1.snapshot", Topic: topics.BillingTable, TopicID: base64.RawURLEncoding.EncodeToString(id[:]),
		Partition: 1, Partitions: partitions, From: from, Through: through,
	}}
	for i := range l.parts[topics.BillingTable][1] {
		r := &l.parts[topics.BillingTable][1][i]
		if !r.aborted && (r.Offset <= from || r.Offset <= through && i%2 == 0) {
			d.rows[string(r.Key)] = r.Value
		}
	}
	d.Rows = func(yield func(string, []byte) error) error {
		for _, key := range slices.Sorted(maps.Keys(d.rows)) {
			if err := yield(key, d.rows[key]); err != nil {
				return err
			}
		}
		return d.err
	}
	return d
}

// end is the last offset of partition 1 of the changelog.
func (l *logs) end() int64 {
	part := l.parts[topics.BillingTable][1]
	return part[len(part)-1].Offset
}

// judgeStore judges the history and one store. It returns how often the store
// was let go.
func (l *logs) judgeStore(t *testing.T, d *dumped, err error) (r *verify.Report, released int) {
	t.Helper()
	r = l.judge(t, verify.Config{Stores: []string{"dir"}, OpenStore: func(_ context.Context, dir string) ([]verify.Dump, func() error, error) {
		if dir != "dir" {
			t.Errorf("store is %q, want dir", dir)
		}
		if err != nil {
			return nil, nil, err
		}
		return []verify.Dump{d.Dump}, func() error { released++; return nil }, nil
	}})
	return r, released
}

func TestAGoodStorePasses(t *testing.T) {
	l := history(t, 1000)
	end := l.end()
	under := l.dump(end/3, end-1) // the rows of the last batch were seen before its offset
	under.Through = end / 2
	for name, d := range map[string]*dumped{
		"at the end":                  l.dump(end, end),
		"in the middle":               l.dump(end/2, end/2),
		"walked through while it ran": l.dump(end/3, end-1),
		"while a batch was under way": under,
		"empty":                       l.dump(-1, -1),
	} {
		t.Run(name, func(t *testing.T) {
			r, released := l.judgeStore(t, d, nil)
			if r.Exit() != verify.ExitGood || r.Counts["stores"] != 1 || r.Counts["store rows"] != int64(len(d.rows)) {
				t.Errorf("exit code is %d, counts are %v, want 0 and %d rows: %v %v", r.Exit(), r.Counts, len(d.rows), r.Anomalies, r.Problems)
			}
			if released != 1 {
				t.Errorf("store was let go %d times, want once", released)
			}
		})
	}
}

func TestEveryMutantOfAStoreIsCaught(t *testing.T) {
	l := history(t, 1000)
	end := l.end()
	from := end * 3 / 4
	first, newest := map[string][]byte{}, map[string]logged{}
	for _, r := range l.parts[topics.BillingTable][1] {
		if key := string(r.Key); !r.aborted && key[0] != '~' {
			if first[key] == nil {
				first[key] = r.Value
			}
			newest[key] = r
		}
	}
	// One customer's row has changed, and is older than the walk; the other's is
	// newer.
	var settled, moving string
	for _, key := range slices.Sorted(maps.Keys(newest)) {
		switch {
		case newest[key].Offset > from:
			moving = key
		case !bytes.Equal(first[key], newest[key].Value):
			settled = key
		}
	}
	for _, c := range []struct {
		name   string
		mutate func(d *dumped)
		exit   int
		want   string // in the one anomaly or problem
	}{
		{"a row is missing", func(d *dumped) { delete(d.rows, settled) }, verify.ExitAnomalies, "stale store billing-table/1@"},
		{"a row is an older one", func(d *dumped) { d.rows[settled] = first[settled] }, verify.ExitAnomalies, "row differs from the fold of the input"},
		{"a row is no row", func(d *dumped) { d.rows[settled] = []byte("nonsense") }, verify.ExitAnomalies, "row cannot be decoded"},
		{"a row is empty", func(d *dumped) { d.rows[settled] = nil }, verify.ExitAnomalies, "row differs"},
		{"a row is that of nobody", func(d *dumped) { d.rows[keyOf("nobody", 1)] = d.rows[settled] }, verify.ExitAnomalies, "row is not in the changelog"},
		{"a row is that of another partition", func(d *dumped) { d.rows[keyOf("astray", 2)] = d.rows[settled] }, verify.ExitAnomalies, "key belongs into another partition"},
		{"a key is there twice", func(d *dumped) {
			rows := d.Rows
			d.Rows = func(yield func(string, []byte) error) error {
				return errors.Join(rows(yield), yield(settled, d.rows[settled]))
			}
		}, verify.ExitAnomalies, "row is there twice"},
		{"the walk is said to be later than it was", func(d *dumped) { d.From, d.Through = end, end }, verify.ExitAnomalies, "stale store"},
		{"the position row is another", func(d *dumped) {
			*d = *l.dump(end, end)
			d.rows[string(topics.PositionKey(1, partitions))] = d.rows[settled]
		}, verify.ExitAnomalies, "row differs from the changelog"},
		{"a row that is replaced at the start", func(d *dumped) { d.rows[moving] = []byte("any") }, verify.ExitGood, ""},
		{"another topic", func(d *dumped) { d.Topic = "other" }, verify.ExitOtherTopics, "topic of state/billing-table-1.snapshot is other, want billing-table"},
		{"a topic made anew", func(d *dumped) { d.TopicID = "other" }, verify.ExitOtherTopics, "topic id of state/billing-table-1.snapshot is other, want "},
		{"another partition count", func(d *dumped) { d.Partitions = 7 }, verify.ExitOtherTopics, "is 1 of 7, want one of 3"},
		{"a partition that is not there", func(d *dumped) { d.Partition = 3 }, verify.ExitOtherTopics, "is 3 of 3, want one of 3"},
		{"a changelog that lost its end", func(d *dumped) { d.Through = end + 1 }, verify.ExitOtherTopics, fmt.Sprintf("is %d, want less than %d", end+1, end+1)},
		{"a file that ends early", func(d *dumped) { d.err = errors.New("file is cut off") }, verify.ExitIncomplete, "file is cut off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := l.dump(from, end-1)
			c.mutate(d)
			r, released := l.judgeStore(t, d, nil)
			if r.Exit() != c.exit || released != 1 {
				t.Errorf("exit code is %d, let go %d times, want %d and once: %v %v", r.Exit(), released, c.exit, r.Anomalies, r.Problems)
			}
			said := ""
			for _, a := range r.Anomalies {
				if a.Class != verify.StaleStore || len(a.Customer) != 16 || strings.Contains(a.String(), settled) {
					t.Errorf("anomaly is %+v, want %s without a customer", a, verify.StaleStore)
				}
				said += a.String() + "\n"
			}
			for _, p := range r.Problems {
				said += p.Detail + "\n"
			}
			if c.want == "" && said != "" || !strings.Contains(said, c.want) {
				t.Errorf("report says %q, want %q", said, c.want)
			}
		})
	}
}

func TestADeletedRowInAStoreIsCaught(t *testing.T) {
	l := history(t, 1000).clone()
	part := l.parts[topics.BillingTable][1]
	grave := part[len(part)-1]
	grave.Record = verify.Record{Offset: l.end() + 1, Timestamp: 1, Key: []byte(keyOf("deleted", 1))}
	l.parts[topics.BillingTable][1] = append(part, grave)
	d := l.dump(l.end(), l.end())
	d.rows[string(grave.Key)] = []byte("any")
	if r, _ := l.judgeStore(t, d, nil); r.Classes[verify.StaleStore] != 1 || !strings.Contains(r.Anomalies[0].Detail, "row is deleted in the changelog") {
		t.Errorf("anomalies are %v, want the row that is deleted", r.Anomalies)
	}
	delete(d.rows, string(grave.Key))
	if r, _ := l.judgeStore(t, d, nil); r.Exit() != verify.ExitGood {
		t.Errorf("exit code is %d, want 0 without the row: %v %v", r.Exit(), r.Anomalies, r.Problems)
	}
}

func TestAStoreThatCannotBeOpenedIsNoPass(t *testing.T) {
	l := history(t, 100)
	r, _ := l.judgeStore(t, nil, errors.New("store is in use"))
	if r.Exit() != verify.ExitIncomplete || !strings.Contains(r.Problems[0].Detail, "store is in use") {
		t.Errorf("exit code is %d, problems are %v, want 5 and why", r.Exit(), r.Problems)
	}
}

func TestStoresWantAGroupAtRestAndSomethingThatOpensThem(t *testing.T) {
	l := history(t, 100)
	open := func(context.Context, string) ([]verify.Dump, func() error, error) { return nil, nil, nil }
	for name, cfg := range map[string]verify.Config{
		"online":  {Online: true, Stores: []string{"dir"}, OpenStore: open},
		"chain":   {Mode: verify.ModeChain, Stores: []string{"dir"}, OpenStore: open},
		"nothing": {Stores: []string{"dir"}},
	} {
		if _, err := verify.Check(t.Context(), cfg, l); !errors.Is(err, verify.ErrConfig) {
			t.Errorf("%s: error is %v, want one of configuration", name, err)
		}
	}
}

// keyOf returns a key of a partition.
func keyOf(name string, partition int32) string {
	for i := 0; ; i++ {
		if key := fmt.Sprintf("%s-%d", name, i); topics.Partition([]byte(key), partitions) == partition {
			return key
		}
	}
}
