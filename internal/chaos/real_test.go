//go:build apache

package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/kafkatest"
	"billstream/internal/topics"
)

// shared are three brokers for all scenarios but those that need their own:
// three Java processes take most of a minute of two cores to start.
var shared struct {
	once    sync.Once
	cluster *kafkatest.Cluster
	err     error
}

// quickly are settings of brokers that let a test wait for seconds instead of
// minutes; none changes what is promised.
func quickly() map[string]string {
	return map[string]string{
		"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000", // how often brokers look for dead transactions
	}
}

// newRealLab is a lab on the shared brokers, with topics and a group of its own.
func newRealLab(t *testing.T) *lab {
	t.Helper()
	shared.once.Do(func() {
		shared.cluster, shared.err = kafkatest.Start(context.Background(), kafkatest.Options{
			Brokers: 3, Dir: filepath.Join(artefacts, "kafka"), Config: quickly(),
		})
		if shared.err == nil {
			closing = append(closing, shared.cluster.Close)
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return onCluster(t, shared.cluster)
}

// onCluster is a lab on a cluster from which the last lab's traces are removed.
func onCluster(t *testing.T, c *kafkatest.Cluster) *lab {
	t.Helper()
	l := bareLab(t, t.Name())
	l.addr, l.copies = strings.Join(c.Addrs(), ","), fmt.Sprint(len(c.Brokers()))
	l.clean()
	l.makeTopics()
	return l
}

// patient sets the lab's timeouts to what people use: a broker that is away for
// seconds must not look like a worker that died.
func (l *lab) patient() *lab {
	l.session, l.patience = "10s", "20s"
	l.env = append(l.env, "BILLSTREAM_LEAVE_ON_STOP=true") // the next lab need not wait for them
	return l
}

// makeTopics makes the product's topics as a user would.
func (l *lab) makeTopics() {
	l.t.Helper()
	made := l.child("topics", nil, "topics", "apply", "--brokers", l.addr, "--partitions", fmt.Sprint(partitions), "--replication", l.copies)
	<-made.ended
	if made.err != nil {
		l.t.Fatalf("topics apply: %v, see %s", made.err, filepath.Join(l.dir, "topics.log"))
	}
}

// admin asks brokers about topics and groups, until the test ends.
func (l *lab) admin() *kadm.Client { return kadm.NewClient(l.client()) }

// client is the suite's own, until the test ends.
func (l *lab) client() *kgo.Client {
	l.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(l.seeds()...), kgo.ClientID(harness), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(c.Close)
	return c
}

// clean deletes topics and group of the lab before: every lab counts from 0.
func (l *lab) clean() {
	l.t.Helper()
	a := l.admin()
	names := []string{topics.CustomerEvents, topics.BillingUpdates, topics.BillingTable, topics.DeadLetters}
	l.eventually(60*time.Second, "topics and group of the lab before are gone", func(ctx context.Context) error {
		deleted, err := a.DeleteTopics(ctx, names...)
		if err != nil {
			return err
		}
		var errs []error
		for _, d := range deleted {
			if d.Err != nil && !errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
				errs = append(errs, d.Err)
			}
		}
		groups, err := a.DeleteGroups(ctx, topics.Group)
		if err != nil {
			return err
		}
		if g := groups[topics.Group]; g.Err != nil && !errors.Is(g.Err, kerr.GroupIDNotFound) {
			errs = append(errs, g.Err) // members that were killed stay for a session
		}
		left, err := a.ListTopics(ctx, names...)
		if err != nil {
			return err
		}
		for _, d := range left {
			if d.Err == nil {
				errs = append(errs, fmt.Errorf("topic %s is still there", d.Topic))
			}
		}
		return errors.Join(errs...)
	})
}

// eventually waits until do has no error any more.
func (l *lab) eventually(most time.Duration, what string, do func(context.Context) error) time.Duration {
	l.t.Helper()
	began := time.Now()
	var last error
	for time.Since(began) < most {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		last = do(ctx)
		cancel()
		if last == nil {
			return time.Since(began)
		}
		<-time.After(100 * time.Millisecond)
	}
	l.t.Fatalf("%s: not within %v: %v", what, most, last)
	return 0
}

// caughtUp waits until the group has committed all that is there now, and
// returns how long that took.
func (l *lab) caughtUp(most time.Duration) time.Duration {
	l.t.Helper()
	a := l.admin()
	want := int64(-1)
	return l.eventually(most, "group has committed what was sent before the heal", func(ctx context.Context) error {
		if want < 0 {
			ends, err := a.ListEndOffsets(ctx, topics.CustomerEvents)
			if err = errors.Join(err, ends.Error()); err != nil {
				return err
			}
			want = 0
			ends.Each(func(o kadm.ListedOffset) { want += o.Offset })
		}
		c, err := kgo.NewClient(kgo.SeedBrokers(l.seeds()...), kgo.ClientID(harness))
		if err != nil {
			return err
		}
		defer c.Close()
		sum, err := committed(ctx, c)
		if err == nil && sum < want {
			err = fmt.Errorf("group stands at %d, want %d", sum, want)
		}
		return err
	})
}

// alive fails the test if one of the workers has ended.
func (l *lab) alive(after string, workers ...*worker) {
	l.t.Helper()
	for _, w := range workers {
		if w.dead() {
			l.t.Fatalf("%s ended with code %d after %s, want it to live on", w.name, w.exitCode(), after)
		}
	}
}
