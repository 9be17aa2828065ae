package doctor_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"billstream/internal/doctor"
	"billstream/internal/topics"
)

// grant is a right of the processor, and what is said when it is missing.
type grant struct {
	resource  kmsg.ACLResourceType
	name      string
	operation kmsg.ACLOperation
	sentence  string
}

// grants are all that a processor needs.
func grants() []grant {
	const topic = kmsg.ACLResourceTypeTopic
	list := []grant{
		{topic, topics.CustomerEvents, kmsg.ACLOperationRead, "problem: right READ on topic customer.events is missing, want it: events are read"},
		{topic, topics.BillingTable, kmsg.ACLOperationRead, "problem: right READ on topic billing-table is missing, want it: recovery reads the table at the next start"},
		{topic, topics.BillingTable, kmsg.ACLOperationWrite, "problem: right WRITE on topic billing-table is missing, want it: rows are written"},
		{topic, topics.BillingUpdates, kmsg.ACLOperationWrite, "problem: right WRITE on topic billing.updates is missing, want it: updates are written"},
		{topic, topics.DeadLetters, kmsg.ACLOperationWrite, "problem: right WRITE on topic billing.dlq is missing, want it: bad records are written"},
		{kmsg.ACLResourceTypeGroup, topics.Group, kmsg.ACLOperationRead, "problem: right READ on group billing is missing, want it: partitions are shared and offsets committed"},
		{kmsg.ACLResourceTypeTransactionalId, "billing-", kmsg.ACLOperationWrite, "problem: right WRITE on transactional ids billing-* is missing, want it: each commit is a transaction"},
	}
	for _, name := range topics.Names() {
		list = append(list, grant{topic, name, kmsg.ACLOperationDescribeConfigs,
			"warning: right DESCRIBE_CONFIGS on topic " + name + " is missing, want it: the start checks settings"})
	}
	return list
}

// acl is the rule for it.
func (g grant) acl(principal string) *kadm.ACLBuilder {
	b := kadm.NewACLs().Allow(principal).AllowHosts("*").Operations(g.operation)
	switch g.resource {
	case kmsg.ACLResourceTypeGroup:
		return b.Groups(g.name).ResourcePatternType(kadm.ACLPatternLiteral)
	case kmsg.ACLResourceTypeTransactionalId:
		return b.TransactionalIDs(g.name).ResourcePatternType(kadm.ACLPatternPrefixed)
	}
	return b.Topics(g.name).ResourcePatternType(kadm.ACLPatternLiteral)
}

// strict is a lab of a broker that lets the user billing do what it is told to.
func strict(t *testing.T, rights []grant) *lab {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.Superuser("PLAIN", "admin", "admin"), kfake.User("PLAIN", "billing", "pass"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	login := func(user, pass string) kgo.Opt { return kgo.SASL(plain.Auth{User: user, Pass: pass}.AsMechanism()) }
	l := &lab{cfg: doctor.Config{Brokers: c.ListenAddrs()}}
	l.client = l.open(t, login("admin", "admin"))
	l.admin = kadm.NewClient(l.client)
	l.create(t, 1, nil)
	l.allow(t, "User:billing", rights)
	l.cfg.Opts = []kgo.Opt{login("billing", "pass")}
	return l
}

// allow gives rights.
func (l *lab) allow(t *testing.T, principal string, rights []grant) {
	t.Helper()
	for _, g := range rights {
		done, err := l.admin.CreateACLs(t.Context(), g.acl(principal))
		if err == nil && len(done) == 1 {
			err = done[0].Err
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAProcessorsRightsAreEnough(t *testing.T) {
	t.Parallel()
	l := strict(t, grants())
	r := l.look(t, nil)
	want(t, r, "rights", "ok: rights are those that a processor needs")
	want(t, r, "topics", slices.Repeat([]string{"warning: topic …: replication is 1, want 3: the loss of one broker loses it"}, 4)...)
	want(t, r, "transaction-timeout", "unknown: limits of the transaction timeout cannot be told: ask broker 0 for its settings: CLUSTER_AUTHORIZATION_FAILED: …")
	want(t, r, "session-timeout", "unknown: limits of the session timeout cannot be told: ask broker 0 for its settings: CLUSTER_AUTHORIZATION_FAILED: …")
}

func TestEachRightThatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	for i, missing := range grants() {
		t.Run(missing.sentence, func(t *testing.T) {
			t.Parallel()
			l := strict(t, slices.Delete(grants(), i, i+1))
			want(t, l.look(t, nil), "rights", missing.sentence)
		})
	}
}

func TestWithoutAnyRightNothingIsOKThatNeedsOne(t *testing.T) {
	t.Parallel()
	r := strict(t, nil).look(t, nil)
	var sentences []string
	for _, s := range []string{"problem", "warning"} {
		for _, g := range grants() {
			if strings.HasPrefix(g.sentence, s) {
				sentences = append(sentences, g.sentence)
			}
		}
	}
	want(t, r, "rights", sentences...)
	for _, check := range []string{"topics", "replicas", "partitioner", "clock", "transactions", "offsets", "lag"} {
		for _, f := range r.Findings {
			if f.Check == check && f.Status != doctor.Unknown {
				t.Errorf("%s is %s: %s, want unknown", check, f.Status, f.Sentence)
			}
		}
	}
}

// The embedded broker hangs up; Kafka says why.
func TestWithAWrongPasswordNoBrokerAnswers(t *testing.T) {
	t.Parallel()
	l := strict(t, nil)
	l.cfg.Wait = 300 * time.Millisecond
	l.cfg.Opts = []kgo.Opt{kgo.SASL(plain.Auth{User: "billing", Pass: "wrong"}.AsMechanism())}
	r := l.look(t, nil)
	want(t, r, "brokers", "problem: broker … is not reachable, want an answer of at least one within 300ms: …")
}

func TestRightsThatNobodyTellsAreUnknown(t *testing.T) {
	t.Parallel()
	l, _ := embedded(t, 1, kfake.MaxVersions(kversion.V2_2_0()))
	r := l.look(t, func(c *doctor.Config) { c.Guarantee = doctor.AtLeastOnce })
	var sentences []string
	for _, name := range topics.Names() {
		sentences = append(sentences, "unknown: rights on topic "+name+" cannot be told: the broker does not say")
	}
	want(t, r, "rights", sentences...)
}
