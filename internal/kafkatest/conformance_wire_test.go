package kafkatest_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// env is one statement's place on a backend of one broker: a connection and
// names of its own.
type env struct {
	ctx      context.Context
	broker   *kgo.Broker
	suffix   string
	cleaning time.Duration // how long compaction may take
}

func newEnv(ctx context.Context, t *testing.T, b backend) *env {
	t.Helper()
	// These versions are the last that name topics instead of giving their ids.
	v := kversion.Stable()
	for key, version := range map[kmsg.Key]int16{kmsg.Produce: 12, kmsg.Fetch: 12, kmsg.OffsetFetch: 9, kmsg.TxnOffsetCommit: 5} {
		v.SetMaxKeyVersion(key.Int16(), version)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.ClientID("conformance"), kgo.MaxVersions(v), kgo.DisableClientMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &env{ctx: ctx, broker: client.SeedBrokers()[0], suffix: strings.ToLower(rand.Text()), cleaning: b.cleaning}
}

// name is this statement's own topic, group or transactional id.
func (e *env) name(of string) string { return of + "-" + e.suffix }

// ask sends one request, once.
func ask[R kmsg.Response](e *env, req kmsg.Request) (R, error) {
	resp, err := e.broker.Request(e.ctx, req)
	if err != nil {
		var none R
		return none, fmt.Errorf("%s: %w", kmsg.NameForKey(req.Key()), err)
	}
	return resp.(R), nil
}

// until asks again and again until it is so. Time may be up in the middle of a
// question as well as between two.
func (e *env) until(what string, so func() (bool, error)) error {
	for {
		ok, err := so()
		if err != nil && e.ctx.Err() != nil {
			return fmt.Errorf("wait until %s: %w", what, err)
		}
		if ok || err != nil {
			return err
		}
		select {
		case <-e.ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, context.Cause(e.ctx))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// passing are the answers of a broker that is not there yet: with a coordinator
// that loads, a topic that it has not heard of, the markers of the transaction
// before.
var passing = []error{
	kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.ConcurrentTransactions,
	kerr.UnknownTopicOrPartition, kerr.NotLeaderForPartition, kerr.LeaderNotAvailable,
}

// settled is the answer when the passing ones are over.
func (e *env) settled(what string, try func() (code int16, err error)) (answer, err error) {
	err = e.until(what+" is answered", func() (bool, error) {
		code, err := try()
		answer = kerr.ErrorForCode(code)
		return !slices.Contains(passing, answer), err
	})
	return answer, err
}

// coordinators finds both, and so makes the internal topics.
func (e *env) coordinators() error {
	for kind, key := range map[int8]string{0: e.name("group"), 1: e.name("tx")} {
		answer, err := e.settled("coordinator", func() (int16, error) {
			r := kmsg.NewPtrFindCoordinatorRequest()
			r.CoordinatorType, r.CoordinatorKey, r.CoordinatorKeys = kind, key, []string{key}
			resp, err := ask[*kmsg.FindCoordinatorResponse](e, r)
			if err != nil || len(resp.Coordinators) == 0 {
				return -1, err
			}
			return resp.Coordinators[0].ErrorCode, nil
		})
		if err := errors.Join(err, answer); err != nil {
			return err
		}
	}
	return nil
}

// create makes a topic of one partition and returns its id.
func (e *env) create(topic string, settings map[string]string) (id [16]byte, answer, err error) {
	r := kmsg.NewPtrCreateTopicsRequest()
	r.TimeoutMillis = 20_000
	t := kmsg.CreateTopicsRequestTopic{Topic: topic, NumPartitions: 1, ReplicationFactor: 1}
	for name, value := range settings {
		t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: name, Value: &value})
	}
	r.Topics = []kmsg.CreateTopicsRequestTopic{t}
	resp, err := ask[*kmsg.CreateTopicsResponse](e, r)
	if err != nil {
		return id, nil, err
	}
	return resp.Topics[0].TopicID, kerr.ErrorForCode(resp.Topics[0].ErrorCode), nil
}

// topic makes the statement's topic.
func (e *env) topic(settings map[string]string) (string, error) {
	name := e.name("topic")
	_, answer, err := e.create(name, settings)
	return name, errors.Join(err, answer)
}

// row is a record.
type row struct{ key, value string }

// producer is a transactional one, spoken for by hand.
type producer struct {
	e     *env
	txid  string
	id    int64
	epoch int16
	next  int32 // sequence, of the one partition that it writes to
}

// producer takes the transactional id over from whoever has it.
func (e *env) producer(timeout time.Duration) (*producer, error) {
	p := &producer{e: e, txid: e.name("tx")}
	answer, err := e.settled("InitProducerID", func() (int16, error) {
		r := kmsg.NewPtrInitProducerIDRequest()
		r.TransactionalID, r.TransactionTimeoutMillis = &p.txid, int32(timeout.Milliseconds())
		r.ProducerID, r.ProducerEpoch = -1, -1
		resp, err := ask[*kmsg.InitProducerIDResponse](e, r)
		if err != nil {
			return 0, err
		}
		p.id, p.epoch = resp.ProducerID, resp.ProducerEpoch
		return resp.ErrorCode, nil
	})
	return p, errors.Join(err, answer)
}

// opened is a topic, and a producer with a transaction open that has rows there.
func (e *env) opened(timeout time.Duration, rows ...row) (*producer, string, error) {
	topic, err := e.topic(nil)
	if err != nil {
		return nil, "", err
	}
	p, err := e.producer(timeout)
	if err != nil {
		return nil, "", err
	}
	return p, topic, must(p.write(topic, rows...))
}

// must joins what must not be: an answer that refuses, and no answer.
func must(answer, err error) error { return errors.Join(err, answer) }

// write adds rows to the transaction; with Produce v12 that opens it (KIP-890).
func (p *producer) write(topic string, rows ...row) (answer, err error) {
	answer, err = p.e.settled("Produce", func() (int16, error) {
		r := kmsg.NewPtrProduceRequest()
		r.TransactionID, r.Acks, r.TimeoutMillis = &p.txid, -1, 20_000
		r.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: p.batch(rows)}}}}
		resp, err := ask[*kmsg.ProduceResponse](p.e, r)
		if err != nil {
			return 0, err
		}
		return resp.Topics[0].Partitions[0].ErrorCode, nil
	})
	if answer == nil && err == nil {
		p.next += int32(len(rows))
	}
	return answer, err
}

// batch is the rows in record format 2, marked as transactional.
func (p *producer) batch(rows []row) []byte {
	now := time.Now().UnixMilli()
	b := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: 1 << 4,
		LastOffsetDelta: int32(len(rows) - 1), FirstTimestamp: now, MaxTimestamp: now,
		ProducerID: p.id, ProducerEpoch: p.epoch, FirstSequence: p.next, NumRecords: int32(len(rows)),
	}
	for i, r := range rows {
		rec := kmsg.Record{OffsetDelta: int32(i), Key: []byte(r.key), Value: []byte(r.value)}
		rec.Length = int32(len(rec.AppendTo(nil)) - 1) // without the length, which is one byte as 0
		b.Records = rec.AppendTo(b.Records)
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

// end commits or aborts, and goes on under the epoch of the answer.
func (p *producer) end(commit bool) (answer, err error) {
	return p.e.settled("EndTxn", func() (int16, error) {
		r := kmsg.NewPtrEndTxnRequest()
		r.TransactionalID, r.ProducerID, r.ProducerEpoch, r.Commit = p.txid, p.id, p.epoch, commit
		resp, err := ask[*kmsg.EndTxnResponse](p.e, r)
		if err != nil {
			return 0, err
		}
		if resp.ErrorCode == 0 && resp.Version >= 5 {
			p.id, p.epoch, p.next = resp.ProducerID, resp.ProducerEpoch, 0
		}
		return resp.ErrorCode, nil
	})
}

// member is how a member of a group shows itself; alone is none.
type member struct {
	id         string
	instance   *string
	generation int32
}

var alone = member{generation: -1}

// offset adds a group's offset to the transaction.
func (p *producer) offset(m member, topic string, at int64) (answer, err error) {
	return p.e.settled("TxnOffsetCommit", func() (int16, error) {
		r := kmsg.NewPtrTxnOffsetCommitRequest()
		r.TransactionalID, r.Group, r.ProducerID, r.ProducerEpoch = p.txid, p.e.name("group"), p.id, p.epoch
		r.MemberID, r.InstanceID, r.Generation = m.id, m.instance, m.generation
		part := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		part.Offset = at
		r.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: topic, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{part}}}
		resp, err := ask[*kmsg.TxnOffsetCommitResponse](p.e, r)
		if err != nil {
			return 0, err
		}
		return resp.Topics[0].Partitions[0].ErrorCode, nil
	})
}

// join makes a static member of the group, and its only one.
func (e *env) join(instance string) (member, error) {
	protocolType, protocol := "consumer", "one" // Kafka wants them in SyncGroup too
	m := member{instance: &instance}
	answer, err := e.settled("JoinGroup", func() (int16, error) {
		r := kmsg.NewPtrJoinGroupRequest()
		r.Group, r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = e.name("group"), 60_000, 5000
		r.InstanceID, r.ProtocolType = &instance, protocolType
		r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: protocol}}
		resp, err := ask[*kmsg.JoinGroupResponse](e, r)
		if err != nil {
			return 0, err
		}
		m.id, m.generation = resp.MemberID, resp.Generation
		return resp.ErrorCode, nil
	})
	if err := errors.Join(err, answer); err != nil {
		return m, err
	}
	r := kmsg.NewPtrSyncGroupRequest()
	r.Group, r.Generation, r.MemberID, r.InstanceID = e.name("group"), m.generation, m.id, &instance
	r.ProtocolType, r.Protocol = &protocolType, &protocol
	r.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: m.id}}
	resp, err := ask[*kmsg.SyncGroupResponse](e, r)
	if err != nil {
		return m, err
	}
	return m, kerr.ErrorForCode(resp.ErrorCode)
}

func (e *env) heartbeat(m member) (answer, err error) {
	return e.settled("Heartbeat", func() (int16, error) {
		r := kmsg.NewPtrHeartbeatRequest()
		r.Group, r.MemberID, r.InstanceID, r.Generation = e.name("group"), m.id, m.instance, m.generation
		resp, err := ask[*kmsg.HeartbeatResponse](e, r)
		if err != nil {
			return 0, err
		}
		return resp.ErrorCode, nil
	})
}

// offsets is what the group has for a partition; -1 is nothing.
func (e *env) offsets(topic string, stable bool) (at int64, answer, err error) {
	at = -1
	answer, err = e.settled("OffsetFetch", func() (int16, error) {
		r := kmsg.NewPtrOffsetFetchRequest()
		r.RequireStable = stable
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group, g.Topics = e.name("group"), []kmsg.OffsetFetchRequestGroupTopic{{Topic: topic, Partitions: []int32{0}}}
		r.Groups = []kmsg.OffsetFetchRequestGroup{g}
		resp, err := ask[*kmsg.OffsetFetchResponse](e, r)
		if err != nil {
			return 0, err
		}
		of := resp.Groups[0]
		if of.ErrorCode != 0 || len(of.Topics) == 0 {
			return of.ErrorCode, nil
		}
		at = of.Topics[0].Partitions[0].Offset
		return of.Topics[0].Partitions[0].ErrorCode, nil
	})
	return at, answer, err
}

// fetched is what one read-committed fetch gives, control records among them,
// and where the next one begins.
func (e *env) fetched(topic string, from int64) (p kgo.FetchPartition, next int64, err error) {
	answer, err := e.settled("Fetch", func() (int16, error) {
		r := kmsg.NewPtrFetchRequest()
		r.MaxBytes, r.SessionEpoch, r.IsolationLevel = 1<<20, -1, 1
		part := kmsg.NewFetchRequestTopicPartition()
		part.FetchOffset, part.PartitionMaxBytes = from, 1<<20
		r.Topics = []kmsg.FetchRequestTopic{{Topic: topic, Partitions: []kmsg.FetchRequestTopicPartition{part}}}
		resp, err := ask[*kmsg.FetchResponse](e, r)
		if err != nil {
			return 0, err
		}
		if len(resp.Topics) == 0 {
			return resp.ErrorCode, errors.New("fetch answers for no topic, want one")
		}
		o := kgo.ProcessFetchPartitionOpts{KeepControlRecords: true, Offset: from, Topic: topic, IsolationLevel: kgo.ReadCommitted()}
		p, next = kgo.ProcessFetchPartition(o, &resp.Topics[0].Partitions[0], kgo.DefaultDecompressor(), nil)
		return resp.Topics[0].Partitions[0].ErrorCode, nil
	})
	return p, next, errors.Join(err, answer)
}
