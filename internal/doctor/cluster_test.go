package doctor_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"billstream/internal/doctor"
	"billstream/internal/topics"
)

func TestAHealthyClusterIsOKInEveryCheck(t *testing.T) {
	t.Parallel()
	l, _ := embedded(t, 3)
	l.healthy(t)
	r := l.look(t, func(c *doctor.Config) { c.InstanceID, c.DataDir = "billing-0", t.TempDir() })
	if got := troubles(r); got != nil {
		t.Errorf("troubles are\n%s\nwant none", strings.Join(got, "\n"))
	}
	var checks []string
	for _, f := range r.Findings {
		checks = append(checks, f.Check)
	}
	all := []string{
		"brokers", "version", "features", "cluster", "topics", "replicas", "rights", "partitioner", "clock", "disk",
		"data-dir", "transaction-timeout", "session-timeout", "instance-id", "transactions", "offsets", "lag",
	}
	if !slices.Equal(checks, all) {
		t.Errorf("checks are %v, want %v", checks, all)
	}
	want(t, r, "brokers", "ok: brokers that answer are 3 of 3")
	want(t, r, "topics", "ok: topics are as wanted, with 4 partitions each")
	want(t, r, "partitioner", "ok: newest records are where their keys belong, all 5")
	want(t, r, "instance-id", "ok: instance id billing-0 is free")
	want(t, r, "lag", "ok: lag of group billing is 0 records")
}

// taken returns an address at which nobody answers.
func taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return addr
}

func TestWithoutABrokerEveryCheckThatNeedsOneIsUnknown(t *testing.T) {
	t.Parallel()
	addr := taken(t)
	l := &lab{cfg: doctor.Config{Brokers: []string{addr}, Wait: 300 * time.Millisecond, DataDir: t.TempDir()}}
	r := l.look(t, nil)
	want(t, r, "brokers", "problem: broker "+addr+" is not reachable, want an answer of at least one within 300ms: …")
	want(t, r, "features", "unknown: features cannot be told: no broker answers")
	if p, u, ok := r.Count(doctor.Problem), r.Count(doctor.Unknown), r.Count(doctor.OK); p != 1 || u != 14 || ok != 2 {
		t.Errorf("findings are %d problems, %d unknown, %d ok, want 1, 14, and 2: disk and data directory", p, u, ok)
	}
	if r.Findings[0].Check != "brokers" {
		t.Errorf("first finding is of %s, want the problem", r.Findings[0].Check)
	}
}

func TestABrokerThatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	l, c := embedded(t, 1)
	gone := taken(t)
	l.cfg.Brokers = append(l.cfg.Brokers, gone)
	want(t, l.look(t, nil), "brokers", "warning: broker "+gone+" is not reachable, want an answer: …")

	l.cfg.Brokers = l.cfg.Brokers[:1]
	host, port := address(t, gone)
	answer(t, c, func(m *kmsg.MetadataResponse) {
		m.Brokers = append(m.Brokers, kmsg.MetadataResponseBroker{NodeID: 7, Host: host, Port: port})
	})
	want(t, l.look(t, nil), "brokers", "problem: broker 7 is not reachable at "+gone+", which the cluster names, want an answer: …")
}

func address(t *testing.T, addr string) (string, int32) {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return a.IP.String(), int32(a.Port)
}

// answer makes up the metadata of a cluster of one: the four topics with one
// partition on broker 0, and a change to that.
func answer(t *testing.T, c *kfake.Cluster, change func(*kmsg.MetadataResponse)) {
	t.Helper()
	host, port := address(t, c.ListenAddrs()[0])
	c.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		m := req.ResponseKind().(*kmsg.MetadataResponse)
		m.Brokers = []kmsg.MetadataResponseBroker{{NodeID: 0, Host: host, Port: port}}
		m.ControllerID = 0
		for _, asked := range req.(*kmsg.MetadataRequest).Topics {
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic = asked.Topic
			p := kmsg.NewMetadataResponseTopicPartition()
			p.Replicas, p.ISR = []int32{0}, []int32{0}
			topic.Partitions = append(topic.Partitions, p)
			m.Topics = append(m.Topics, topic)
		}
		change(m)
		return m, nil, true
	})
}

func TestOldBrokersAreAProblem(t *testing.T) {
	t.Parallel()
	l, _ := embedded(t, 1, kfake.MaxVersions(kversion.V2_7_0()))
	r := l.look(t, nil)
	want(t, r, "version", "problem: version of broker 0 is …, want v2.8 or newer")
	want(t, r, "features", "problem: transaction.version is 0, want 2 or more for exactly-once")
}

func TestTransactionVersion1IsAProblemForExactlyOnceAlone(t *testing.T) {
	t.Parallel()
	l, _ := embedded(t, 1)
	features(t, l, 1, downgrade)
	r := l.look(t, nil)
	want(t, r, "features", "problem: transaction.version is 1, want 2 or more for exactly-once")
	if got := hint(r, "features"); !strings.Contains(got, "upgrade --feature transaction.version=2") {
		t.Errorf("hint is %q, want the command", got)
	}
	r = l.look(t, func(c *doctor.Config) { c.Guarantee = doctor.AtLeastOnce })
	want(t, r, "features", "ok: transaction.version is of no matter with at-least-once")
}

// How a level may change.
const (
	upgrade   = 1
	downgrade = 2 // without loss
)

// features sets transaction.version.
func features(t *testing.T, l *lab, level int16, kind int8) {
	t.Helper()
	done, err := l.admin.UpdateFeatures(t.Context(), false, kadm.FeatureUpdate{
		Feature: "transaction.version", MaxVersionLevel: level, UpgradeType: kind,
	})
	if err == nil {
		err = done["transaction.version"].Err
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestTooFewBrokersForTheCopiesAreAProblem(t *testing.T) {
	t.Parallel()
	l, c := embedded(t, 1)
	r := l.look(t, func(c *doctor.Config) { c.Replication = 3 })
	want(t, r, "cluster", "problem: brokers that are up are 1, want 3 or more for 3 copies")
	answer(t, c, func(m *kmsg.MetadataResponse) { m.ControllerID = -1 })
	want(t, l.look(t, nil), "cluster", "problem: controller is missing, want one")
}

func TestSettingsOfTopicsAreCompared(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	l := newLab(t, c.ListenAddrs()...)
	l.create(t, 1, func(w *topics.Topic) bool {
		if w.Name == topics.BillingUpdates {
			w.Partitions = 3
		}
		return w.Name != topics.DeadLetters
	})
	for _, s := range [][3]string{
		{topics.BillingTable, topics.CleanupPolicy, "compact,delete"},
		{topics.BillingTable, topics.MinInSync, "2"},
		{topics.CustomerEvents, topics.TimestampAfter, "7200000"},
		{topics.CustomerEvents, "unclean.leader.election.enable", "true"},
		{topics.BillingUpdates, topics.Retention, "1000"},
	} {
		l.alter(t, s[0], s[1], s[2])
	}
	alone := ": replication is 1, want 3: the loss of one broker loses it"
	want(t, l.look(t, nil), "topics",
		"problem: topic customer.events: message.timestamp.after.max.ms is 7200000, want 3600000",
		"problem: topic billing-table: cleanup.policy is compact,delete, want compact",
		"problem: topic billing.updates: partitions is 3, want 4",
		"problem: topic billing.dlq is missing, want 4 partitions",
		"problem: topic billing-table: min.insync.replicas is 2, want at most 1, the replication",
		"warning: topic customer.events"+alone, "warning: topic billing-table"+alone, "warning: topic billing.updates"+alone,
		"warning: topic billing.updates: retention.ms is 1000, want 7776000000",
		"warning: topic customer.events: unclean.leader.election.enable is true, want false",
	)
}

func TestFewerCopiesThanAreWantedAreAWarning(t *testing.T) {
	t.Parallel()
	c, err := kfake.NewCluster(kfake.NumBrokers(3))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	l := newLab(t, c.ListenAddrs()...)
	l.create(t, 2, nil)
	want(t, l.look(t, nil), "topics", "ok: topics are as wanted, with 4 partitions each")
	var sentences []string
	for _, name := range topics.Names() {
		sentences = append(sentences, "warning: topic "+name+": replication is 2, want 3")
	}
	want(t, l.look(t, func(c *doctor.Config) { c.Replication = 3 }), "topics", sentences...)
}

func TestCopiesThatAreMissingAreFound(t *testing.T) {
	t.Parallel()
	l, c := embedded(t, 1)
	answer(t, c, func(m *kmsg.MetadataResponse) {
		for i := range m.Topics {
			topic := &m.Topics[i]
			p := &topic.Partitions[0]
			switch *topic.Topic {
			case topics.CustomerEvents:
				p.Leader = -1
			case topics.BillingTable:
				p.ISR = nil
			case topics.BillingUpdates:
				p.Replicas = []int32{0, 1}
			case topics.DeadLetters:
				topic.ErrorCode = kerr.TopicAuthorizationFailed.Code
			}
		}
	})
	want(t, l.look(t, nil), "replicas",
		"problem: topic customer.events: partitions without a leader are 0, want none",
		"problem: topic billing-table: partitions with fewer copies in sync than min.insync.replicas (1) are 0, want none",
		"warning: topic billing.updates: partitions with copies that are not in sync are 0, want none",
		"unknown: copies of topic billing.dlq cannot be told: TOPIC_AUTHORIZATION_FAILED: …",
	)
}
