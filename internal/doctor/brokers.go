package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"billstream/internal/topics"
)

// brokerWait is how long one broker may take to answer.
const brokerWait = 3 * time.Second

// brokers looks whether each broker answers, at the addresses that we were
// given and at those that the brokers give: they may know themselves by names
// that are of no use here.
func brokers(ctx context.Context, e *exam, f *findings) {
	seeds := e.client.SeedBrokers()
	for i, err := range reach(ctx, seeds) {
		if err != nil {
			f.add(Warning, "a process that starts while the others are down finds nobody: mend --brokers",
				"broker %s is not reachable, want an answer: %v", e.cfg.Brokers[i], err)
		}
	}
	m, err := e.metadata()
	if err != nil {
		f.unknown("list of brokers", err)
		return
	}
	named := make([]*kgo.Broker, len(m.Brokers))
	for i, b := range m.Brokers {
		named[i] = e.client.Broker(int(b.NodeID))
	}
	for i, err := range reach(ctx, named) {
		if b := m.Brokers[i]; err != nil {
			f.add(Problem, "advertised.listeners of a broker must name an address that is reachable from here",
				"broker %d is not reachable at %s:%d, which the cluster names, want an answer: %v", b.NodeID, b.Host, b.Port, err)
		}
	}
	f.okay("brokers that answer are %d of %d", len(m.Brokers), len(m.Brokers))
}

// reach asks all brokers at once, so that one that is silent takes no time from
// the others, and returns why each has not answered.
func reach(ctx context.Context, brokers []*kgo.Broker) []error {
	errs := make([]error, len(brokers))
	var all sync.WaitGroup
	for i, b := range brokers {
		all.Go(func() {
			bounded, cancel := context.WithTimeout(ctx, brokerWait)
			defer cancel()
			_, errs[i] = apiVersions(bounded, b)
		})
	}
	all.Wait()
	return errs
}

func apiVersions(ctx context.Context, b *kgo.Broker) (*kmsg.ApiVersionsResponse, error) {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "billstream-doctor", "1"
	resp, err := req.RequestWith(ctx, b)
	if err != nil {
		return nil, err
	}
	return resp, kerr.ErrorForCode(resp.ErrorCode)
}

// describeCluster is the request that Kafka 2.8 brought. What the clients need
// came with it or before.
const describeCluster = int16(kmsg.DescribeCluster)

// versions looks at what each broker can do, which tells how old it is.
func versions(ctx context.Context, e *exam, f *findings) {
	m, err := e.metadata()
	if err != nil {
		f.unknown("version of the brokers", err)
		return
	}
	var all []string
	for _, b := range m.Brokers {
		resp, err := apiVersions(ctx, e.client.Broker(int(b.NodeID)))
		if err != nil {
			f.unknown(fmt.Sprintf("version of broker %d", b.NodeID), err)
			continue
		}
		v := kversion.FromApiVersionsResponse(resp)
		guess := v.VersionGuess()
		if strings.Contains(guess, " and ") || strings.Contains(guess, "custom") {
			guess = "none of Apache Kafka's"
		}
		if !slices.Contains(all, guess) {
			all = append(all, guess)
		}
		if !v.HasKey(describeCluster) {
			f.add(Problem, "upgrade Kafka; exactly-once needs 4.0", "version of broker %d is %s, want v2.8 or newer", b.NodeID, guess)
		}
	}
	if len(all) > 1 {
		slices.Sort(all)
		f.add(Warning, "finish the upgrade", "versions of the brokers are %s, want one", strings.Join(all, ", "))
	}
	f.okay("version of the brokers is %s", strings.Join(all, ", "))
}

// transactionVersion is the feature under which each transaction ends an epoch
// of its producer (KIP-890), so that no late request of one ends the next.
const transactionVersion = "transaction.version"

// features looks at what the cluster as a whole has agreed on.
func features(ctx context.Context, e *exam, f *findings) {
	if e.cfg.Guarantee != ExactlyOnce {
		f.okay("%s is of no matter with %s", transactionVersion, e.cfg.Guarantee)
		return
	}
	var resp *kmsg.ApiVersionsResponse
	m, err := e.metadata()
	if err == nil {
		resp, err = anyVersions(ctx, e, m)
	}
	if err != nil {
		f.unknown(transactionVersion, err)
		return
	}
	level := int16(0)
	for _, feature := range resp.FinalizedFeatures {
		if feature.Name == transactionVersion {
			level = feature.MaxVersionLevel
		}
	}
	if level < 2 {
		f.add(Problem, "kafka-features --bootstrap-server "+e.bootstrap()+" upgrade --feature "+transactionVersion+"=2",
			"%s is %d, want 2 or more for %s", transactionVersion, level, ExactlyOnce)
	}
	f.okay("%s is %d", transactionVersion, level)
}

// anyVersions returns the answer of the first broker that gives one.
func anyVersions(ctx context.Context, e *exam, m *kmsg.MetadataResponse) (*kmsg.ApiVersionsResponse, error) {
	err := errors.New("no broker is known, want one")
	for _, b := range m.Brokers {
		bounded, cancel := context.WithTimeout(ctx, brokerWait)
		resp, failed := apiVersions(bounded, e.client.Broker(int(b.NodeID)))
		cancel()
		if failed == nil {
			return resp, nil
		}
		err = failed
	}
	return nil, err
}

// cluster looks at how many brokers there are and who leads them.
func cluster(_ context.Context, e *exam, f *findings) {
	m, err := e.metadata()
	if err != nil {
		f.unknown("number of brokers", err)
		return
	}
	want := int(e.replication())
	if got := len(m.Brokers); got < want {
		f.add(Problem, "start the brokers that are missing, or want fewer copies with --replication",
			"brokers that are up are %d, want %d or more for %d copies", got, want, want)
	}
	if m.ControllerID < 0 {
		f.add(Problem, "look at the controllers' logs: a majority of them must be up", "controller is missing, want one")
	}
	f.okay("brokers that are up are %d, controller is %d", len(m.Brokers), m.ControllerID)
}

// replication is how many copies of every topic are wanted.
func (e *exam) replication() int16 {
	if e.cfg.Replication > 0 {
		return e.cfg.Replication
	}
	if t, err := e.topic(topics.CustomerEvents); err == nil {
		return copies(t)
	}
	return 3
}

// copies is the smallest number of replicas of a topic's partitions.
func copies(t *kmsg.MetadataResponseTopic) int16 {
	least := 0
	for i, p := range t.Partitions {
		if n := len(p.Replicas); i == 0 || n < least {
			least = n
		}
	}
	return int16(least)
}
