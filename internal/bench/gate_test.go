package bench

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/topics"
)

// written is what an arm would have written about a script.
type written struct{ updates, rows []*kgo.Record }

// correct returns the right output for a script: a row for every event, and
// position rows in between.
func correct(s spec, seed uint64, events, customers int) written {
	var w written
	table := map[string]*account{}
	script := newScript(seed, customers)
	record := func(topic, key string, value []byte) *kgo.Record {
		return &kgo.Record{Topic: topic, Key: []byte(key), Value: value, Partition: topics.Partition([]byte(key), s.Partitions)}
	}
	for n := range events {
		customer, e := script.next(eventTime(n))
		key := customerKey(customer)
		if table[key] == nil {
			table[key] = new(account)
		}
		u := table[key].apply(&e)
		w.updates = append(w.updates, record(s.Output, key, u.append(nil)))
		w.rows = append(w.rows, record(s.table(), key, u.Account.append(nil)))
		if n%10 == 0 {
			position := topics.PositionKey(0, s.Partitions)
			w.rows = append(w.rows, record(s.table(), string(position), []byte("position")))
		}
	}
	return w
}

func TestTheGateKnowsEveryWayToBeWrong(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	l, err := openLab(t.Context(), cluster.ListenAddrs(), 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := l.makeTopics(t.Context(), "", "events"); err != nil {
		t.Fatal(err)
	}
	const seed, events, customers = 3, 50, 10
	want, err := l.fill(t.Context(), "events", seed, events, customers)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		name   string
		change func(*written)
		says   string // "": right
	}{
		{"right", func(*written) {}, ""},
		{"rows of an epoch are combined", func(w *written) { w.rows = lastRows(w.rows) }, ""},
		{"the last update is lost", func(w *written) { w.updates = w.updates[:events-1] }, "count of updates is 49, want 50"},
		{"an update is lost", func(w *written) { w.updates = slices.Delete(w.updates, 0, 1) }, " is 2, want 1"},
		{"an update comes twice", func(w *written) { w.updates = append(w.updates, w.updates[events-1]) }, "seq of gate-"},
		{"two updates changed places", func(w *written) { slices.Reverse(w.updates) }, "seq of gate-"},
		{"an update is of another event", func(w *written) { w.updates[7].Value[9] ^= 1 }, "hash of the updates is "},
		{"an update is cut", func(w *written) { w.updates[7].Value = w.updates[7].Value[:9] }, "decode an update: length of the value is wrong"},
		{"a customer is elsewhere", func(w *written) { move(w.updates, w.updates[0].Key) }, "partition of gate-"},
		{"a row is missing", func(w *written) { w.rows = without(w.rows, w.rows[0].Key) }, "count of rows is "},
		{"a row is old", func(w *written) { w.rows = append(w.rows, w.rows[0]) }, "hash of the rows is "},
	} {
		t.Run(c.name, func(t *testing.T) {
			group := fmt.Sprintf("gate-%d", i) // clients remember the ids of topics that are gone
			s := spec{Way: ExactlyOnce, Group: group, Output: group + "-out", Partitions: l.partitions}
			w := correct(s, seed, events, customers)
			c.change(&w)
			if err := l.makeTopics(t.Context(), s.table(), s.table(), s.Output); err != nil {
				t.Fatal(err)
			}
			for _, r := range slices.Concat(w.updates, w.rows) {
				again := *r // one may stand there twice
				if err := l.client.ProduceSync(t.Context(), &again).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			_, err := l.check(t.Context(), s, want)
			switch {
			case c.says == "" && err != nil:
				t.Errorf("error is %v, want none", err)
			case c.says != "" && (!errors.Is(err, ErrWrong) || !strings.Contains(err.Error(), c.says)):
				t.Errorf("error is %v, want ErrWrong with %q", err, c.says)
			}
		})
	}
}

// lastRows keeps the last record of each key.
func lastRows(rows []*kgo.Record) []*kgo.Record {
	var kept []*kgo.Record
	for i, r := range rows {
		later := slices.ContainsFunc(rows[i+1:], func(l *kgo.Record) bool { return string(l.Key) == string(r.Key) })
		if !later {
			kept = append(kept, r)
		}
	}
	return kept
}

// move puts the records of a key into the other partition.
func move(records []*kgo.Record, key []byte) {
	for _, r := range records {
		if string(r.Key) == string(key) {
			r.Partition ^= 1
		}
	}
}

// without leaves a key out.
func without(rows []*kgo.Record, key []byte) []*kgo.Record {
	return slices.DeleteFunc(slices.Clone(rows), func(r *kgo.Record) bool { return string(r.Key) == string(key) })
}
