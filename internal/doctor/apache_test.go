//go:build apache

package doctor_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"billstream/internal/doctor"
	"billstream/internal/kafkatest"
	"billstream/internal/topics"
)

// alone is what is said of every topic that has one copy.
func alone(name string) string {
	return "warning: topic " + name + ": replication is 1, want 3: the loss of one broker loses it"
}

func TestRealKafkaHasNoProblemUntilOneIsMade(t *testing.T) {
	c := kafkatest.Apache(t, kafkatest.Options{})
	l := newLab(t, c.Addrs()...)
	r := l.look(t, nil)
	want(t, r, "topics", missing()...)
	for _, check := range []string{"replicas", "rights", "partitioner", "clock", "offsets", "lag"} {
		for _, f := range r.Findings {
			if f.Check == check && (f.Status != doctor.Unknown || !strings.HasSuffix(f.Sentence, " cannot be told: the topic is missing")) {
				t.Errorf("%s is %s: %s, want unknown without topics", check, f.Status, f.Sentence)
			}
		}
	}
	l.create(t, 1, nil)
	l.healthy(t)
	began := time.Now()
	r = l.look(t, func(c *doctor.Config) { c.InstanceID, c.DataDir = "billing-0", t.TempDir() })
	t.Logf("looked for %v", time.Since(began))
	one := []string{alone(topics.CustomerEvents), alone(topics.BillingTable), alone(topics.BillingUpdates), alone(topics.DeadLetters)}
	if got := troubles(r); len(got) != len(one) || r.Count(doctor.Warning) != len(one) {
		t.Errorf("troubles are\n%s\nwant the four topics with one copy", strings.Join(got, "\n"))
	}
	want(t, r, "topics", one...)
	want(t, r, "version", "ok: version of the brokers is …v4.…")
	want(t, r, "features", "ok: transaction.version is 2")
	want(t, r, "rights", "ok: rights are those that the role processor needs")
	want(t, r, "transactions", "ok: open transactions on our topics are none")

	// From here on it is ill, in one way after the other.
	l.alter(t, topics.BillingTable, topics.CleanupPolicy, "delete")
	l.alter(t, topics.BillingUpdates, "unclean.leader.election.enable", "true")
	want(t, l.look(t, nil), "topics", slices.Concat([]string{"problem: topic billing-table: cleanup.policy is delete, want compact"}, one,
		[]string{"warning: topic billing.updates: unclean.leader.election.enable is true, want false"})...)

	l.produce(t, topics.CustomerEvents, 2, keyOf(3), time.Time{})
	want(t, l.look(t, nil), "partitioner",
		"problem: records of customer.events in another partition than that of their key are 1 of the newest 5, first customer.events/2@1, whose key belongs to 3, want none")
	want(t, l.look(t, nil), "lag", "warning: lag of group billing is 1 records and no member is at work, want one")

	r = l.look(t, func(c *doctor.Config) { c.TransactionTimeout, c.SessionTimeout = 20*time.Minute, 500*time.Millisecond })
	want(t, r, "transaction-timeout", "problem: transaction timeout is 20m0s, want at most 15m0s, transaction.max.timeout.ms of broker 1")
	want(t, r, "session-timeout", "problem: session timeout is 500ms, want at least 1s, group.min.session.timeout.ms of broker 1")

	l.join(t, "billing-0")
	r = l.look(t, func(c *doctor.Config) { c.InstanceID = "billing-0" })
	want(t, r, "instance-id", "problem: instance id billing-0 is that of a member on host 127.0.0.1, want a free one")

	l.begin(t, "billing-gone", time.Minute)
	want(t, l.look(t, nil), "transactions", "ok: open transactions on our topics are 1, none for longer than 20s")
	eventually(t, "the transaction is too old", func(context.Context) bool {
		r = l.look(t, func(c *doctor.Config) { c.TransactionTimeout = time.Second })
		return r.Count(doctor.Problem) > 2
	})
	want(t, r, "transactions", "problem: transaction of billing-gone (Ongoing) is open for …s from billing-table/1@2 on, want at most 1s")
}

// missing is what is said before there are topics.
func missing() (sentences []string) {
	for _, name := range topics.Names() {
		sentences = append(sentences, "problem: topic "+name+" is missing, want 12 partitions")
	}
	return sentences
}

func TestRealKafkaWithTransactionVersion1IsAProblem(t *testing.T) {
	c := kafkatest.Apache(t, kafkatest.Options{Features: map[string]string{"transaction.version": "1"}})
	l := newLab(t, c.Addrs()...)
	want(t, l.look(t, nil), "features", "problem: transaction.version is 1, want 2 or more for exactly-once")
	features(t, l, 2, upgrade)
	eventually(t, "the broker has the new level", func(context.Context) bool {
		return hint(l.look(t, nil), "features") == ""
	})
}

// plainLogin is a listener on which two users log in with passwords of their
// own. Nobody who has not logged in has a rule against them.
func plainLogin() kafkatest.Options {
	const users = `org.apache.kafka.common.security.plain.PlainLoginModule required user_billing="pass";`
	return kafkatest.Options{
		Listeners: []kafkatest.Listener{{Name: "LOGIN", Protocol: "SASL_PLAINTEXT"}},
		Config: map[string]string{
			"authorizer.class.name":                       "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
			"super.users":                                 "User:ANONYMOUS",
			"sasl.enabled.mechanisms":                     "PLAIN",
			"listener.name.login.sasl.enabled.mechanisms": "PLAIN",
			"listener.name.login.plain.sasl.jaas.config":  users,
		},
	}
}

func TestRealKafkaNamesEachRightThatIsMissing(t *testing.T) {
	c := kafkatest.Apache(t, plainLogin())
	l := newLab(t, c.Addrs()...)
	l.create(t, 1, nil)
	login := func(pass string) func(*doctor.Config) {
		return func(cfg *doctor.Config) {
			cfg.Brokers = c.AddrsOf("LOGIN")
			cfg.Opts = []kgo.Opt{kgo.SASL(plain.Auth{User: "billing", Pass: pass}.AsMechanism())}
		}
	}
	l.look(t, nil) // Kafka's own topics are made
	l.allow(t, "User:billing", grants())
	settled(t, l, login("pass"), "ok: rights are those that the role processor needs")
	for _, missing := range grants() {
		l.forbid(t, "User:billing", missing)
		settled(t, l, login("pass"), sentence(missing))
		l.allow(t, "User:billing", []topics.ACL{missing})
	}
	want(t, l.look(t, login("wrong")), "brokers", "problem: broker … is not reachable, want an answer of at least one within 30s: …SASL_AUTHENTICATION_FAILED…")
}

// settled waits until rules have come to the broker, and compares then.
func settled(t *testing.T, l *lab, login func(*doctor.Config), sentence string) {
	t.Helper()
	var r *doctor.Report
	eventually(t, sentence, func(context.Context) bool {
		r = l.look(t, login)
		for _, f := range r.Findings {
			if f.Check == "rights" && fmt.Sprintf("%s: %s", f.Status, f.Sentence) == sentence {
				return true
			}
		}
		return false
	})
	want(t, r, "rights", sentence)
}

// forbid takes a right away.
func (l *lab) forbid(t *testing.T, principal string, a topics.ACL) {
	t.Helper()
	done, err := l.admin.DeleteACLs(t.Context(), rule(t, a, principal))
	if err == nil && len(done) == 1 {
		err = done[0].Err
	}
	if err != nil || len(done) != 1 || len(done[0].Deleted) != 1 {
		t.Fatalf("rules taken away are %+v (%v), want one", done, err)
	}
}
