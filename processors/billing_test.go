package processors_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/tester"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"billstream/codecs"
	"billstream/internal/topics"
	"billstream/processors"
)

// kept is a context that keeps the consumed record, as the group's wrapper does.
type kept struct {
	inner
	value []byte
}

type inner = goka.Context

func (k kept) RecordKey() []byte   { return []byte(k.Key()) }
func (k kept) RecordValue() []byte { return k.value }
func (k kept) RecordHeaders(yield func(key, value []byte) bool) {
	for name, v := range k.Headers() {
		if !yield([]byte(name), v) {
			return
		}
	}
}

// group runs the callback under goka's tester, which has one partition.
type group struct {
	t       *testing.T
	tester  *tester.Tester
	billing *processors.Billing
	reg     *prometheus.Registry
	next    []byte // value of the record being consumed
	updates *tester.QueueTracker
	letters *tester.QueueTracker
}

func newGroup(t *testing.T, c processors.Config) *group {
	t.Helper()
	g := &group{t: t, tester: tester.New(t), reg: prometheus.NewRegistry()}
	c.Partitions, c.Version, c.Registerer = 1, "test", g.reg
	c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	g.billing = processors.NewBilling(c)
	p, err := goka.NewProcessor(nil, g.billing.Graph(), goka.WithTester(g.tester),
		goka.WithHasher(topics.NewHasher), goka.WithNilHandling(goka.NilProcess),
		goka.WithContextWrapper(func(ctx goka.Context) goka.Context { return kept{ctx, g.next} }))
	if err != nil {
		t.Fatal(err)
	}
	g.updates = g.tester.NewQueueTracker(topics.BillingUpdates)
	g.letters = g.tester.NewQueueTracker(topics.DeadLetters)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return g
}

func (g *group) consume(key, value string) {
	g.next = []byte(value)
	g.tester.Consume(topics.CustomerEvents, key, []byte(value), tester.WithTime(time.Now()))
}

// take returns the next record of a queue; nil when there is none.
func (g *group) take(q *tester.QueueTracker) *codecs.Record {
	g.t.Helper()
	_, v, ok := q.Next()
	if !ok {
		return nil
	}
	return v.(*codecs.Record)
}

func renamed(id, customer, name string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/test","type":"customer.renamed.v1","subject":%q,"time":"2026-01-01T00:00:00Z","data":{"name":%q}}`, id, customer, name)
}

func TestAnEventBecomesARowAndAnUpdate(t *testing.T) {
	g := newGroup(t, processors.Config{})
	g.consume("c-1", renamed("e-1", "c-1", "Acme"))
	r := g.take(g.updates)
	u, err := codecs.ParseUpdate(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	if u.Seq != 1 || u.Account == nil || *u.Account.Name != "Acme" || string(r.Key) != "c-1" {
		t.Errorf("update is %+v, want seq 1 with the account", u)
	}
	row, ok := g.tester.TableValue(topics.BillingTable, "c-1").(*codecs.RowRecord)
	if !ok || row.Err != nil || row.Row.Seq != 1 {
		t.Errorf("row is %+v, want seq 1", row)
	}
	if l := g.take(g.letters); l != nil {
		t.Errorf("dead letter %v, want none", l.Headers)
	}
}

func TestUpdatesTakeTheAskedForm(t *testing.T) {
	g := newGroup(t, processors.Config{JSONUpdates: true, WithoutAccount: true})
	g.consume("c-1", renamed("e-1", "c-1", "Acme"))
	r := g.take(g.updates)
	if got := string(r.Value); !strings.HasPrefix(got, `{"customer_id":"c-1","seq":1,`) || strings.Contains(got, `"account"`) {
		t.Errorf("update is %s, want JSON without the account", got)
	}
}

// Counters of business facts are those of committed records alone: they stand
// still until the commit, and what is revoked never counts.
func TestCountersAdvanceAtTheCommit(t *testing.T) {
	g := newGroup(t, processors.Config{})
	g.consume("c-1", renamed("e-1", "c-1", "Acme"))
	g.consume("c-1", "no event")
	if got := g.counted("billstream_records_processed_total"); got != 0 {
		t.Errorf("records before the commit are %v, want 0", got)
	}
	if got := g.billing.Uncommitted(); got != 2 {
		t.Errorf("uncommitted records are %d, want 2", got)
	}
	g.billing.Committed(0, 1)
	if got := g.counted("billstream_records_processed_total"); got != 1 {
		t.Errorf("records after the first commit are %v, want 1", got)
	}
	g.billing.Revoked(0)
	g.billing.Committed(0, 2)
	if got := g.counted("billstream_dead_letters_total"); got != 0 {
		t.Errorf("dead letters after the revocation are %v, want 0", got)
	}
}

// counted adds up the series of a counter.
func (g *group) counted(name string) (total float64) {
	g.t.Helper()
	families, err := g.reg.Gather()
	if err != nil {
		g.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			total += m.GetCounter().GetValue()
		}
	}
	return total
}

func TestMetricsKeepTheRules(t *testing.T) {
	reg := prometheus.NewRegistry()
	processors.NewBilling(processors.Config{Partitions: 1, Registerer: reg})
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("problems are %v, %v, want none", problems, err)
	}
}
