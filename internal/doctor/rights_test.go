package doctor_test

import (
	"fmt"
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

// grants are all that a processor needs.
func grants() []topics.ACL { return topics.ACLs(topics.Processor) }

// sentence is what is said when one is missing.
func sentence(a topics.ACL) string {
	status, name := "problem", a.Name
	if a.Operation == topics.DescribeConfigs {
		status = "warning"
	}
	if a.Prefix {
		name += "*"
	}
	return fmt.Sprintf("%s: right %s on %s %s is missing, want it: without it %s", status, a.Operation, a.Resource, name, a.Without)
}

// rule is one as an admin client makes it.
func rule(t *testing.T, a topics.ACL, principal string) *kadm.ACLBuilder {
	t.Helper()
	operation, err := kmsg.ParseACLOperation(string(a.Operation))
	if err != nil {
		t.Fatal(err)
	}
	b := kadm.NewACLs().Allow(principal).AllowHosts("*").Operations(operation).ResourcePatternType(kadm.ACLPatternLiteral)
	switch a.Resource {
	case topics.GroupResource:
		return b.Groups(a.Name)
	case topics.TransactionalResource:
		return b.TransactionalIDs(a.Name).ResourcePatternType(kadm.ACLPatternPrefixed)
	}
	return b.Topics(a.Name)
}

// strict is a lab of a broker that lets the user billing do what it is told to.
func strict(t *testing.T, rights []topics.ACL) *lab {
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
func (l *lab) allow(t *testing.T, principal string, rights []topics.ACL) {
	t.Helper()
	for _, g := range rights {
		done, err := l.admin.CreateACLs(t.Context(), rule(t, g, principal))
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
	want(t, r, "rights", "ok: rights are those that the role processor needs")
	want(t, r, "topics", slices.Repeat([]string{"warning: topic …: replication is 1, want 3: the loss of one broker loses it"}, 4)...)
	want(t, r, "transaction-timeout", "unknown: limits of the transaction timeout cannot be told: ask broker 0 for its settings: CLUSTER_AUTHORIZATION_FAILED: …")
	want(t, r, "session-timeout", "unknown: limits of the session timeout cannot be told: ask broker 0 for its settings: CLUSTER_AUTHORIZATION_FAILED: …")
}

func TestEachRightThatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	for i, missing := range grants() {
		t.Run(sentence(missing), func(t *testing.T) {
			t.Parallel()
			l := strict(t, slices.Delete(grants(), i, i+1))
			want(t, l.look(t, nil), "rights", sentence(missing))
		})
	}
}

func TestSettingsThatAreHiddenAreUnknownAndTheShapeIsNot(t *testing.T) {
	t.Parallel()
	l := strict(t, slices.DeleteFunc(grants(), func(a topics.ACL) bool { return a.Operation == topics.DescribeConfigs }))
	var sentences []string
	for _, name := range topics.Names() {
		sentences = append(sentences, "warning: topic "+name+": replication is 1, want 3: the loss of one broker loses it")
	}
	for _, name := range topics.Names() {
		sentences = append(sentences, "unknown: settings of topic "+name+" cannot be told: TOPIC_AUTHORIZATION_FAILED: …")
	}
	want(t, l.look(t, nil), "topics", sentences...)
}

func TestAtLeastOnceNeedsNoTransactionalID(t *testing.T) {
	t.Parallel()
	l := strict(t, slices.DeleteFunc(grants(), func(a topics.ACL) bool { return a.Resource == topics.TransactionalResource }))
	r := l.look(t, func(c *doctor.Config) { c.Guarantee = doctor.AtLeastOnce })
	want(t, r, "rights", "ok: rights are those that the role processor needs")
}

func TestWithoutAnyRightNothingIsOKThatNeedsOne(t *testing.T) {
	t.Parallel()
	r := strict(t, nil).look(t, nil)
	var sentences []string
	for _, s := range []string{"problem", "warning"} {
		for _, g := range grants() {
			if strings.HasPrefix(sentence(g), s) {
				sentences = append(sentences, sentence(g))
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
	for _, name := range []string{topics.CustomerEvents, topics.BillingUpdates, topics.DeadLetters, topics.BillingTable} {
		sentences = append(sentences, "unknown: rights on topic "+name+" cannot be told: the broker does not say")
	}
	want(t, r, "rights", sentences...)
}

func TestAViewNeedsOneRightAlone(t *testing.T) {
	t.Parallel()
	as := func(c *doctor.Config) { c.Role = topics.Viewer }
	want(t, strict(t, topics.ACLs(topics.Viewer)).look(t, as), "rights", "ok: rights are those that the role view needs")
	want(t, strict(t, nil).look(t, as), "rights", "problem: right READ on topic billing-table is missing, want it: without it no account is looked up")
}
