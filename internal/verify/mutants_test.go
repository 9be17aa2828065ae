package verify_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/internal/topics"
	"billstream/internal/verify"

	billingv1 "billstream/codecs/proto/billing/v1"
)

// world is a history with the servers that tell of it.
type world struct {
	*logs
	stale bool // lookups of one customer show the update before
	lie   bool // one counter is one too high
}

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/metrics" {
		family := ""
		for i, series := range slices.Sorted(maps.Keys(w.outcomes)) {
			n := w.outcomes[series]
			if w.lie && i == 0 {
				n++
			}
			if name, _, _ := strings.Cut(series, "{"); name != family {
				family = name
				fmt.Fprintf(rw, "# TYPE %s counter\n", family)
			}
			fmt.Fprintf(rw, "%s %d\n", series, n)
		}
		return
	}
	id, _ := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/v1/accounts/"))
	row := w.rows[customer.ID(id)]
	switch {
	case row == nil || row.Seq == 0:
		rw.WriteHeader(http.StatusNotFound)
	case row.ErasedAt != nil:
		rw.WriteHeader(http.StatusGone)
	default:
		account := *billing.AccountOf(customer.ID(id), row)
		if w.stale && account.Seq > 1 {
			account.Seq--
		}
		rw.Write(codecs.AppendAccountJSON(nil, &account))
	}
}

// updates returns the visible updates of partition 1 and where they stand.
func (w *world) updates() (part []logged, visible []int) {
	part = w.parts[topics.BillingUpdates][1]
	for i := range part {
		if !part[i].aborted {
			visible = append(visible, i)
		}
	}
	return part, visible
}

func (w *world) drop(i int) {
	part := w.parts[topics.BillingUpdates][1]
	w.parts[topics.BillingUpdates][1] = slices.Delete(slices.Clone(part), i, i+1)
}

// double puts a copy of update i behind update j.
func (w *world) double(i, j int) {
	part := w.parts[topics.BillingUpdates][1]
	w.parts[topics.BillingUpdates][1] = slices.Insert(slices.Clone(part), j+1, part[i])
}

// The checker is worth as much as the defects that it finds.
func TestEveryMutantIsCaughtWithItsClass(t *testing.T) {
	good := history(t, 1000)
	for _, c := range []struct {
		name   string
		mutate func(t *testing.T, w *world)
		want   verify.Class
	}{
		{"the first update dropped", func(_ *testing.T, w *world) { _, v := w.updates(); w.drop(v[0]) }, verify.Lost},
		{"a middle update dropped", func(_ *testing.T, w *world) { _, v := w.updates(); w.drop(v[len(v)/2]) }, verify.Lost},
		{"the last update of a partition dropped", func(_ *testing.T, w *world) { _, v := w.updates(); w.drop(v[len(v)-1]) }, verify.Lost},
		{"the last update of all partitions dropped", func(_ *testing.T, w *world) {
			for p, part := range w.parts[topics.BillingUpdates] {
				w.parts[topics.BillingUpdates][p] = slices.Clone(part[:len(part)-1])
			}
		}, verify.Lost},
		{"an update doubled next to itself", func(_ *testing.T, w *world) { _, v := w.updates(); w.double(v[9], v[9]) }, verify.Duplicate},
		{"an update doubled far away", func(_ *testing.T, w *world) { _, v := w.updates(); w.double(v[9], v[len(v)-3]) }, verify.Duplicate},
		{"two updates swapped", func(_ *testing.T, w *world) {
			part, v := w.updates()
			part[v[20]], part[v[21]] = part[v[21]], part[v[20]]
		}, verify.Reordered},
		{"a value changed", func(t *testing.T, w *world) {
			part, v := w.updates()
			change(t, &part[v[30]], func(u *billingv1.AccountUpdated) { u.Account.UpdatedAtUs++ })
		}, verify.WrongValue},
		{"a key changed", func(_ *testing.T, w *world) {
			part, v := w.updates()
			r := &part[v[40]]
			for i := 0; ; i++ {
				if key := fmt.Appendf(nil, "other-%d", i); topics.Partition(key, partitions) == 1 {
					r.Key = key
					return
				}
			}
		}, verify.WrongValue},
		{"an update on another partition", func(_ *testing.T, w *world) {
			part, v := w.updates()
			r := part[v[50]]
			w.drop(v[50])
			w.parts[topics.BillingUpdates][2] = slices.Insert(w.parts[topics.BillingUpdates][2], 10, r)
		}, verify.WrongPartition},
		{"a row's newest record dropped", func(t *testing.T, w *world) { w.dropNewestRow(t) }, verify.LostRow},
		{"an erased customer's row back", func(t *testing.T, w *world) { w.resurrect(t) }, verify.ResurrectedRow},
		{"an aborted batch shown", func(_ *testing.T, w *world) {
			part := w.parts[topics.BillingUpdates][1]
			i := slices.IndexFunc(part, func(r logged) bool { return r.aborted })
			for ; part[i].aborted; i++ {
				part[i].shown = true
			}
		}, verify.AbortedRead},
		{"a stale view", func(_ *testing.T, w *world) { w.stale = true }, verify.StaleView},
		{"a metric that lies", func(_ *testing.T, w *world) { w.lie = true }, verify.MetricLie},

		{"an update of what was not committed", func(_ *testing.T, w *world) {
			last := w.parts[topics.CustomerEvents][1]
			w.committed[1] = last[len(last)-1].Offset - 60
		}, verify.AbortedRead},
		{"a member that the schema does not have", func(t *testing.T, w *world) {
			part, v := w.updates()
			part[v[30]].Value = append(slices.Clone(part[v[30]].Value), 0xf8, 0x07, 1)
		}, verify.WrongValue},
		{"an update of nothing", func(t *testing.T, w *world) {
			part, v := w.updates()
			change(t, &part[v[60]], func(u *billingv1.AccountUpdated) { u.Cause.Topic = "elsewhere" })
		}, verify.Foreign},
		{"a header changed", func(_ *testing.T, w *world) {
			part, v := w.updates()
			r := &part[v[30]]
			r.Headers = slices.Clone(r.Headers)
			r.Headers[6].Value = []byte("7")
		}, verify.WrongValue},
		{"a dead letter dropped", func(_ *testing.T, w *world) {
			part := w.parts[topics.DeadLetters][1]
			i := slices.IndexFunc(part, func(r logged) bool { return !r.aborted })
			w.parts[topics.DeadLetters][1] = slices.Delete(part, i, i+1)
		}, verify.LetterMissing},
		{"a dead letter with another code", func(_ *testing.T, w *world) {
			part := w.parts[topics.DeadLetters][1]
			r := &part[slices.IndexFunc(part, func(r logged) bool { return !r.aborted })]
			r.Headers = slices.Clone(r.Headers)
			i := slices.IndexFunc(r.Headers, func(h codecs.Header) bool { return h.Key == "dlq_code" })
			r.Headers[i].Value = []byte("bad_key")
		}, verify.LetterWrong},
		{"a dead letter of what was applied", func(_ *testing.T, w *world) { w.accuse() }, verify.DeadLetterApplied},
		{"a row of nobody", func(_ *testing.T, w *world) {
			part := w.parts[topics.BillingTable][1]
			r := part[0]
			for i := 0; ; i++ {
				if r.Key = fmt.Appendf(nil, "nobody-%d", i); topics.Partition(r.Key, partitions) == 1 {
					break
				}
			}
			w.parts[topics.BillingTable][1] = slices.Insert(part, 0, r)
		}, verify.Foreign},
		{"a position row behind", func(_ *testing.T, w *world) {
			part := w.parts[topics.BillingTable][1]
			w.parts[topics.BillingTable][1] = part[:len(part)-1]
		}, verify.WrongValue},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &world{logs: good.clone()}
			server := httptest.NewServer(w)
			defer server.Close()
			cfg := verify.Config{Views: []string{server.URL}, Metrics: []string{server.URL + "/metrics"}}
			if r := w.judge(t, cfg); r.Exit() != verify.ExitGood {
				t.Fatalf("exit code of the good history is %d, want 0: %v %v", r.Exit(), r.Anomalies, r.Problems)
			}
			c.mutate(t, w)
			r := w.judge(t, cfg)
			if r.Classes[c.want] == 0 {
				t.Errorf("classes are %v, want %s among them; problems %v", r.Classes, c.want, r.Problems)
			}
			if code := r.Exit(); code != verify.ExitAnomalies && code != verify.ExitUnprocessed {
				t.Errorf("exit code is %d, want 1, or 3 with unprocessed input", code)
			}
			for _, a := range r.Anomalies {
				if a.Customer != "" && len(a.Customer) != 16 || strings.Contains(a.String(), ".gov") {
					t.Errorf("anomaly is %v, want no customer in it", a)
				}
			}
		})
	}
}

func change(t *testing.T, r *logged, f func(*billingv1.AccountUpdated)) {
	t.Helper()
	var u billingv1.AccountUpdated
	if err := proto.Unmarshal(r.Value, &u); err != nil {
		t.Fatal(err)
	}
	f(&u)
	var err error
	if r.Value, err = proto.Marshal(&u); err != nil {
		t.Fatal(err)
	}
}

// dropNewestRow drops the newest row of a customer who has an older one.
func (w *world) dropNewestRow(t *testing.T) {
	t.Helper()
	part := w.parts[topics.BillingTable][1]
	for i := len(part) - 1; i >= 0; i-- {
		older := func(r logged) bool { return !r.aborted && bytes.Equal(r.Key, part[i].Key) }
		if !part[i].aborted && part[i].Key[0] != '~' && string(part[i].Key) != string(w.erased) && slices.ContainsFunc(part[:i], older) {
			w.parts[topics.BillingTable][1] = slices.Delete(slices.Clone(part), i, i+1)
			return
		}
	}
	t.Fatal("no customer has two rows")
}

func (w *world) resurrect(t *testing.T) {
	t.Helper()
	p := topics.Partition([]byte(w.erased), partitions)
	part := w.parts[topics.BillingTable][p]
	i := slices.IndexFunc(part, func(r logged) bool { return !r.aborted && string(r.Key) == string(w.erased) })
	if i < 0 {
		t.Fatal("nobody was erased")
	}
	r := part[i]
	r.Offset = part[len(part)-1].Offset + 1
	w.parts[topics.BillingTable][p] = append(part, r)
}

// accuse puts a letter of an applied record at the front.
func (w *world) accuse() {
	part := w.parts[topics.DeadLetters][1]
	_, v := w.updates()
	var u billingv1.AccountUpdated
	_ = proto.Unmarshal(w.parts[topics.BillingUpdates][1][v[0]].Value, &u)
	letter := codecs.DeadLetter{Code: customer.BadData, Detail: "x", Topic: topics.CustomerEvents, Partition: 1, Offset: u.Cause.Offset, Key: []byte("k")}
	r := letter.Record()
	w.parts[topics.DeadLetters][1] = slices.Insert(part, 1, logged{Record: verify.Record{Offset: part[0].Offset, Key: r.Key, Value: r.Value, Headers: r.Headers}})
}

func TestRepeatsAreAllowedAtLeastOnceAlone(t *testing.T) {
	w := &world{logs: history(t, 500)}
	part, v := w.updates()
	again := slices.Clone(part[v[3]:v[20]])
	w.parts[topics.BillingUpdates][1] = slices.Insert(slices.Clone(part), v[20], again...)
	if r := w.judge(t, verify.Config{Guarantee: verify.AtLeastOnce}); r.Exit() != verify.ExitGood || r.Counts["repeats"] == 0 {
		t.Errorf("at least once: exit code is %d with %d repeats, want 0 with some: %v", r.Exit(), r.Counts["repeats"], r.Anomalies)
	}
	if r := w.judge(t, verify.Config{}); r.Classes[verify.Duplicate] == 0 {
		t.Errorf("exactly once: classes are %v, want duplicates", r.Classes)
	}
	change(t, &w.parts[topics.BillingUpdates][1][v[20]], func(u *billingv1.AccountUpdated) { u.RecordedAtUs++ })
	if r := w.judge(t, verify.Config{Guarantee: verify.AtLeastOnce}); r.Classes[verify.WrongValue] == 0 {
		t.Errorf("classes are %v, want a wrong value for a repeat that differs", r.Classes)
	}
}

func TestTheChainOfUpdatesHoldsByItself(t *testing.T) {
	cfg := verify.Config{Mode: verify.ModeChain}
	w := &world{logs: history(t, 2000)}
	if r := w.judge(t, cfg); r.Exit() != verify.ExitGood || r.Counts["customers"] == 0 {
		t.Fatalf("exit code is %d for %d customers, want 0 for some: %v", r.Exit(), r.Counts["customers"], r.Anomalies)
	}
	for _, c := range []struct {
		name   string
		mutate func(part []logged, seconds []int) []logged
		want   verify.Class
	}{
		{"dropped", func(part []logged, v []int) []logged { return slices.Delete(part, v[0], v[0]+1) }, verify.Lost},
		{"doubled", func(part []logged, v []int) []logged { return slices.Insert(part, v[0], part[v[0]]) }, verify.Duplicate},
		{"swapped", func(part []logged, v []int) []logged { part[v[0]], part[v[1]] = part[v[1]], part[v[0]]; return part }, verify.Reordered},
		{"changed", func(part []logged, v []int) []logged {
			change(t, &part[v[0]], func(u *billingv1.AccountUpdated) { u.Account.Name = new("other") })
			return part
		}, verify.WrongValue},
	} {
		w := &world{logs: history(t, 2000)}
		part := w.parts[topics.BillingUpdates][1]
		w.parts[topics.BillingUpdates][1] = c.mutate(part, followed(t, part))
		if r := w.judge(t, cfg); r.Classes[c.want] == 0 {
			t.Errorf("%s: classes are %v, want %s", c.name, r.Classes, c.want)
		}
	}
}

// followed returns where visible updates stand that are neither the first nor
// the last of their customer.
func followed(t *testing.T, part []logged) (at []int) {
	t.Helper()
	for i := range part {
		same := func(r logged) bool { return !r.aborted && bytes.Equal(r.Key, part[i].Key) }
		if !part[i].aborted && slices.ContainsFunc(part[:i], same) && slices.ContainsFunc(part[i+1:], same) {
			at = append(at, i)
		}
	}
	if len(at) < 2 {
		t.Fatal("no customer has three updates")
	}
	return at
}
