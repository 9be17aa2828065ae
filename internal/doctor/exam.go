package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/topics"
)

// Kafka's own topics, which hold the group's offsets and the transactions.
const (
	groupOffsets     = "__consumer_offsets"
	transactionState = "__transaction_state"
)

// exam is what the checks share: a client, and answers that several of them
// need. An answer is asked for once, by whoever needs it first.
type exam struct {
	cfg    Config
	client *kgo.Client
	admin  *kadm.Client

	metadata func() (*kmsg.MetadataResponse, error)
	configs  func() (map[string]described, error)
	group    func() (*kmsg.DescribeGroupsResponseGroup, error)
	samples  map[string]func() (sample, error)
}

// described are the settings of one resource.
type described struct {
	values map[string]string
	err    error
}

// probePause lies between two times of asking for what may not be there yet.
const probePause = 250 * time.Millisecond

// open makes the client. It connects to nothing.
func open(ctx context.Context, c Config) (*exam, error) {
	client, err := kgo.NewClient(options(c)...)
	if err != nil {
		return nil, err
	}
	e := &exam{cfg: c, client: client, admin: kadm.NewClient(client), samples: map[string]func() (sample, error){}}
	e.metadata = once(ctx, e.askMetadata)
	e.configs = once(ctx, e.askConfigs)
	e.group = once(ctx, func(ctx context.Context) (*kmsg.DescribeGroupsResponseGroup, error) {
		return patiently(ctx, e.askGroup)
	})
	for _, name := range []string{topics.CustomerEvents, topics.BillingTable} {
		e.samples[name] = once(ctx, func(ctx context.Context) (sample, error) { return e.newest(ctx, name) })
	}
	return e, nil
}

// options are those of every client.
func options(c Config, more ...kgo.Opt) []kgo.Opt {
	opts := []kgo.Opt{kgo.SeedBrokers(c.Brokers...), kgo.ClientID("billstream-doctor"), kgo.RetryTimeout(askTime)}
	return slices.Concat(opts, c.Opts, more)
}

// once asks a question at most once, and at most for askTime.
func once[T any](ctx context.Context, ask func(context.Context) (T, error)) func() (T, error) {
	return sync.OnceValues(func() (T, error) {
		bounded, cancel := context.WithTimeout(ctx, askTime)
		defer cancel()
		return ask(bounded)
	})
}

// patiently asks again while there is no coordinator: brokers make their topics
// for groups and transactions at the first question.
func patiently[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	for {
		answer, err := ask(ctx)
		passing := errors.Is(err, kerr.CoordinatorNotAvailable) || errors.Is(err, kerr.CoordinatorLoadInProgress) || errors.Is(err, kerr.NotCoordinator)
		if !passing {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return answer, err
		case <-time.After(probePause):
		}
	}
}

func (e *exam) close() { e.client.Close() }

// reach waits until a broker answers. A wrong login will not become right.
func (e *exam) reach(ctx context.Context) error {
	bounded, cancel := ctx, context.CancelFunc(func() {})
	if e.cfg.Wait > 0 {
		bounded, cancel = context.WithTimeout(ctx, e.cfg.Wait)
	}
	defer cancel()
	var last error
	for {
		err := e.client.Ping(bounded)
		if err == nil {
			return nil
		}
		if last == nil || bounded.Err() == nil {
			last = err // not the one that the end of the wait caused
		}
		if !errors.Is(err, kerr.SaslAuthenticationFailed) {
			select {
			case <-bounded.Done():
			case <-time.After(probePause):
				continue
			}
		}
		return fmt.Errorf("broker %s is not reachable, want an answer of at least one within %s: %w",
			strings.Join(e.cfg.Brokers, ", "), e.cfg.Wait, last)
	}
}

// askMetadata asks for brokers, for the topics, and for what we may do.
func (e *exam) askMetadata(ctx context.Context) (*kmsg.MetadataResponse, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.IncludeTopicAuthorizedOperations = true
	for _, name := range append(topics.Names(), groupOffsets, transactionState) {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	return req.RequestWith(ctx, e.client)
}

// topic returns what the brokers say about a topic. An error is theirs.
func (e *exam) topic(name string) (*kmsg.MetadataResponseTopic, error) {
	m, err := e.metadata()
	if err != nil {
		return nil, err
	}
	for i, t := range m.Topics {
		if t.Topic != nil && *t.Topic == name {
			return &m.Topics[i], kerr.ErrorForCode(t.ErrorCode)
		}
	}
	return nil, kerr.UnknownTopicOrPartition
}

// askConfigs asks for the settings of the topics that exist, or may.
func (e *exam) askConfigs(ctx context.Context) (map[string]described, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	for _, name := range topics.Names() {
		if _, err := e.topic(name); !errors.Is(err, kerr.UnknownTopicOrPartition) {
			r := kmsg.NewDescribeConfigsRequestResource()
			r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, name
			req.Resources = append(req.Resources, r)
		}
	}
	found := map[string]described{}
	if len(req.Resources) == 0 {
		return found, nil
	}
	resp, err := req.RequestWith(ctx, e.client)
	if err != nil {
		return nil, err
	}
	for _, r := range resp.Resources {
		found[r.ResourceName] = described{values: values(r.Configs), err: kerr.ErrorForCode(r.ErrorCode)}
	}
	return found, nil
}

func values(configs []kmsg.DescribeConfigsResponseResourceConfig) map[string]string {
	all := map[string]string{}
	for _, c := range configs {
		if c.Value != nil {
			all[c.Name] = *c.Value
		}
	}
	return all
}

// brokerConfigs asks every broker for its settings.
func (e *exam) brokerConfigs(ctx context.Context) (map[string]map[string]string, error) {
	m, err := e.metadata()
	if err != nil {
		return nil, err
	}
	found := map[string]map[string]string{}
	for _, b := range m.Brokers {
		id := fmt.Sprint(b.NodeID)
		req := kmsg.NewPtrDescribeConfigsRequest()
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeBroker, id
		req.Resources = append(req.Resources, r)
		resp, err := req.RequestWith(ctx, e.client.Broker(int(b.NodeID)))
		if err != nil {
			return nil, fmt.Errorf("ask broker %s for its settings: %w", id, err)
		}
		for _, r := range resp.Resources {
			if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
				return nil, fmt.Errorf("ask broker %s for its settings: %w", id, err)
			}
			found[id] = values(r.Configs)
		}
	}
	return found, nil
}

// askGroup describes the group. One that nobody has joined has no members.
func (e *exam) askGroup(ctx context.Context) (*kmsg.DescribeGroupsResponseGroup, error) {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{e.cfg.Group}
	req.IncludeAuthorizedOperations = true
	resp, err := req.RequestWith(ctx, e.client)
	if err != nil {
		return nil, err
	}
	if len(resp.Groups) != 1 {
		return nil, fmt.Errorf("groups in the answer are %d, want 1", len(resp.Groups))
	}
	g := &resp.Groups[0]
	if err := kerr.ErrorForCode(g.ErrorCode); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, err
	}
	return g, nil
}

// bootstrap is a broker for the commands of hints.
func (e *exam) bootstrap() string { return e.cfg.Brokers[0] }

// sorted returns the keys of a map in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
