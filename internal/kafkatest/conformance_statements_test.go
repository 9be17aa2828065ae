package kafkatest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// statement is something that the project builds on. hold says what is
// otherwise.
type statement struct {
	sentence string
	hold     func(e *env) error
}

var statements = []statement{
	{"a read-committed reader stops before an open transaction", stopsBeforeOpen},
	{"offsets in an open transaction are unstable", openOffsetsAreUnstable},
	{"a second producer with a transactional id fences the first", producerIsFenced},
	{"the end of a transaction whose producer is fenced is refused as that", endIsFenced},
	{"the end of a transaction raises the epoch of its producer", endRaisesEpoch},
	{"a transaction older than its timeout is aborted and its producer refused", oldIsAborted},
	{"offsets from an unknown member of the group are refused", unknownMember},
	{"offsets from an old generation of the group are refused", oldGeneration},
	{"offsets without a member and a generation are taken", withoutMember},
	{"a second static member with an instance id fences the first", staticIsFenced},
	{"offsets of an unknown group are empty without an error", unknownGroup},
	{"an unknown setting of a topic is refused", unknownSetting},
	{"an unknown value of a topic's setting is refused", unknownValue},
	{"a topic that was deleted and made again has another id", anotherID},
	{"an open transaction is named by its partition", producersAreDescribed},
	{"an open transaction is described by its coordinator", transactionsAreDescribed},
	{"the end of a log that ends in a marker is behind the marker", markerIsLast},
	{"compaction keeps the newest row of each key when the log ends in markers", newestIsKept},
	{"rows for a topic that was just made are taken after retries", justMade},
}

const (
	long  = time.Minute
	brief = time.Second
)

// one compares an answer with the only ones that are right.
func one(of string, got error, err error, want ...error) error {
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", of, err)
	case !slices.Contains(want, got):
		return fmt.Errorf("answer to %s is %v, want one of %v", of, got, want)
	}
	return nil
}

func equal[V comparable](of string, got, want V) error {
	if got != want {
		return fmt.Errorf("%s is %v, want %v", of, got, want)
	}
	return nil
}

// steps tries one after the other, to the first that does not hold.
func steps(of ...func() error) error {
	for _, s := range of {
		if err := s(); err != nil {
			return err
		}
	}
	return nil
}

func stopsBeforeOpen(e *env) error {
	p, topic, err := e.opened(long, row{"a", "1"}, row{"b", "2"})
	if err != nil {
		return err
	}
	return steps(
		func() error {
			f, _, err := e.fetched(topic, 0)
			return errors.Join(err, equal("high watermark", f.HighWatermark, 2), equal("last stable offset", f.LastStableOffset, 0), equal("number of records", len(f.Records), 0))
		},
		func() error { return must(p.end(true)) },
		func() error { return e.stable(topic, 3) },
		func() error {
			f, _, err := e.fetched(topic, 0)
			if err != nil || len(f.Records) != 3 {
				return errors.Join(err, equal("number of records with the marker", len(f.Records), 3))
			}
			return equal("first value", string(f.Records[0].Value), "1")
		},
	)
}

// stable waits until nothing is open below the end, and compares the end.
func (e *env) stable(topic string, end int64) error {
	return e.until("the last stable offset is the end", func() (bool, error) {
		f, _, err := e.fetched(topic, 0)
		if err != nil || f.LastStableOffset < f.HighWatermark {
			return false, err
		}
		return true, equal("high watermark", f.HighWatermark, end)
	})
}

func openOffsetsAreUnstable(e *env) error {
	p, topic, err := e.opened(long, row{"a", "1"})
	if err != nil {
		return err
	}
	offset := func(stable bool, want int64, answer error) func() error {
		return func() error {
			at, got, err := e.offsets(topic, stable)
			if err := one("offsets", got, err, answer); err != nil || answer != nil {
				return err
			}
			return equal("offset", at, want)
		}
	}
	return steps(
		func() error { return must(p.offset(alone, topic, 7)) },
		func() error { return must(p.end(true)) },
		func() error {
			return e.until("the offset is stable", func() (bool, error) {
				_, got, err := e.offsets(topic, true)
				return got == nil, err
			})
		},
		offset(true, 7, nil),
		func() error { return must(p.write(topic, row{"a", "2"})) },
		func() error { return must(p.offset(alone, topic, 8)) },
		offset(true, 0, kerr.UnstableOffsetCommit),
		offset(false, 7, nil),
		func() error { return must(p.end(false)) },
	)
}

// fenced are the answers to a producer whose transactional id has been taken.
var fenced = []error{kerr.InvalidProducerEpoch, kerr.ProducerFenced}

func producerIsFenced(e *env) error {
	first, topic, err := e.opened(long, row{"a", "1"})
	if err != nil {
		return err
	}
	second, err := e.producer(long)
	if err != nil {
		return err
	}
	offset, err1 := first.offset(alone, topic, 1)
	write, err2 := first.write(topic, row{"a", "late"})
	return errors.Join(
		one("TxnOffsetCommit", offset, err1, fenced...),
		one("Produce", write, err2, fenced...),
		equal("producer id of the second", second.id, first.id),
		must(second.write(topic, row{"a", "3"})),
		must(second.end(true)),
	)
}

func endIsFenced(e *env) error {
	first, _, err := e.opened(long, row{"a", "1"})
	if err != nil {
		return err
	}
	if _, err := e.producer(long); err != nil {
		return err
	}
	answer, err := first.end(true)
	return one("EndTxn", answer, err, fenced...)
}

// See KIP-890: an epoch is one transaction, so that nothing of the last one can
// slip into the next.
func endRaisesEpoch(e *env) error {
	p, topic, err := e.opened(long, row{"a", "1"})
	if err != nil {
		return err
	}
	end := int64(2) // a row and its marker
	for _, commit := range []bool{true, false} {
		before := *p
		if err := must(p.end(commit)); err != nil {
			return err
		}
		if err := errors.Join(equal("epoch", p.epoch, before.epoch+1), equal("producer id", p.id, before.id)); err != nil {
			return err
		}
		// Until the marker is there, a late row goes into the transaction that ends.
		if err := e.stable(topic, end); err != nil {
			return err
		}
		late, err := before.write(topic, row{"a", "late"})
		if err := one("Produce with the old epoch", late, err, fenced...); err != nil {
			return err
		}
		if err := must(p.write(topic, row{"a", "2"})); err != nil {
			return err
		}
		end += 2
	}
	return nil
}

func oldIsAborted(e *env) error {
	p, topic, err := e.opened(brief, row{"a", "1"})
	if err != nil {
		return err
	}
	return steps(
		func() error { return e.stable(topic, 2) },
		func() error {
			f, _, err := e.fetched(topic, 0)
			if err != nil || len(f.Records) == 0 {
				return errors.Join(err, equal("number of records", len(f.Records), 1))
			}
			return errors.Join(equal("number of records", len(f.Records), 1), equal("record is a marker", f.Records[0].Attrs.IsControl(), true))
		},
		func() error {
			offset, err1 := p.offset(alone, topic, 1)
			end, err2 := p.end(true)
			write, err3 := p.write(topic, row{"a", "late"})
			return errors.Join(
				one("TxnOffsetCommit", offset, err1, fenced...),
				one("EndTxn", end, err2, kerr.InvalidTxnState), // nobody has taken its place
				one("Produce", write, err3, fenced...),
			)
		},
	)
}

// members has a producer with a transaction open, and a member of its group.
func (e *env) members() (*producer, string, member, error) {
	p, topic, err := e.opened(long, row{"a", "1"})
	if err != nil {
		return nil, "", member{}, err
	}
	m, err := e.join("instance-0")
	if err != nil {
		return nil, "", m, err
	}
	return p, topic, m, must(p.offset(m, topic, 1))
}

func unknownMember(e *env) error {
	p, topic, m, err := e.members()
	if err != nil {
		return err
	}
	answer, err := p.offset(member{id: "nobody", generation: m.generation}, topic, 2)
	return one("TxnOffsetCommit", answer, err, kerr.UnknownMemberID)
}

func oldGeneration(e *env) error {
	p, topic, m, err := e.members()
	if err != nil {
		return err
	}
	m.generation--
	answer, err := p.offset(m, topic, 2)
	return one("TxnOffsetCommit", answer, err, kerr.IllegalGeneration)
}

// withoutMember is why a transactional client must send its member: nothing
// else fences it.
func withoutMember(e *env) error {
	p, topic, _, err := e.members()
	if err != nil {
		return err
	}
	if err := errors.Join(must(p.offset(alone, topic, 3)), must(p.end(true))); err != nil {
		return err
	}
	return e.until("the offset is stable", func() (bool, error) {
		at, got, err := e.offsets(topic, true)
		if err != nil || got != nil {
			return false, err
		}
		return true, equal("offset", at, 3)
	})
}

func staticIsFenced(e *env) error {
	first, err := e.join("instance-0")
	if err != nil {
		return err
	}
	second, err := e.join("instance-0")
	if err != nil {
		return err
	}
	answer, err := e.heartbeat(first)
	return errors.Join(one("Heartbeat of the first", answer, err, kerr.FencedInstanceID), must(e.heartbeat(second)))
}

func unknownGroup(e *env) error {
	topic, err := e.topic(nil)
	if err != nil {
		return err
	}
	for _, stable := range []bool{false, true} {
		at, answer, err := e.offsets(topic, stable)
		if err := errors.Join(one("OffsetFetch", answer, err, nil), equal("offset", at, -1)); err != nil {
			return err
		}
	}
	return nil
}

func unknownSetting(e *env) error { return e.notMade(map[string]string{"no.such.setting": "1"}) }

func unknownValue(e *env) error {
	return e.notMade(map[string]string{"cleanup.policy": "sometimes"})
}

func (e *env) notMade(settings map[string]string) error {
	_, answer, err := e.create(e.name("topic"), settings)
	return one("CreateTopics", answer, err, kerr.InvalidConfig)
}

func anotherID(e *env) error {
	name := e.name("topic")
	first, answer, err := e.create(name, nil)
	if err := must(answer, err); err != nil {
		return err
	}
	if err := e.remove(name); err != nil {
		return err
	}
	return e.until("the topic is made again", func() (bool, error) {
		second, answer, err := e.create(name, nil)
		switch {
		case err != nil || errors.Is(answer, kerr.TopicAlreadyExists):
			return false, err
		case answer != nil:
			return false, answer
		case second == first || second == [16]byte{}:
			return false, fmt.Errorf("id of the second topic is %x, want another than %x", second, first)
		}
		return true, nil
	})
}

func (e *env) remove(topic string) error {
	r := kmsg.NewPtrDeleteTopicsRequest()
	r.TimeoutMillis, r.TopicNames = 20_000, []string{topic}
	r.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: &topic}}
	resp, err := ask[*kmsg.DeleteTopicsResponse](e, r)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].ErrorCode)
}

func producersAreDescribed(e *env) error {
	p, topic, err := e.opened(long, row{"a", "1"})
	if err != nil {
		return err
	}
	r := kmsg.NewPtrDescribeProducersRequest()
	r.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: topic, Partitions: []int32{0}}}
	resp, err := ask[*kmsg.DescribeProducersResponse](e, r)
	if err != nil {
		return err
	}
	of := resp.Topics[0].Partitions[0]
	if of.ErrorCode != 0 || len(of.ActiveProducers) != 1 {
		return fmt.Errorf("producers are %v (%v), want one", of.ActiveProducers, kerr.ErrorForCode(of.ErrorCode))
	}
	got := of.ActiveProducers[0]
	return errors.Join(
		equal("producer id", got.ProducerID, p.id),
		equal("epoch", got.ProducerEpoch, int32(p.epoch)),
		equal("start of the transaction", got.CurrentTxnStartOffset, 0),
	)
}

func transactionsAreDescribed(e *env) error {
	p, topic, err := e.opened(long, row{"a", "1"})
	if err != nil {
		return err
	}
	r := kmsg.NewPtrDescribeTransactionsRequest()
	r.TransactionalIDs = []string{p.txid}
	resp, err := ask[*kmsg.DescribeTransactionsResponse](e, r)
	if err != nil {
		return err
	}
	got := resp.TransactionStates[0]
	if len(got.Topics) != 1 {
		return fmt.Errorf("topics of the transaction are %v, want one", got.Topics)
	}
	return errors.Join(
		kerr.ErrorForCode(got.ErrorCode),
		equal("state", got.State, "Ongoing"),
		equal("transactional id", got.TransactionalID, p.txid),
		equal("producer id", got.ProducerID, p.id),
		equal("epoch", got.ProducerEpoch, p.epoch),
		equal("timeout in ms", got.TimeoutMillis, int32(long.Milliseconds())),
		equal("topic", got.Topics[0].Topic, topic),
	)
}

// markerIsLast is why a reader must not wait for a record at the end minus one.
func markerIsLast(e *env) error {
	p, topic, err := e.opened(long, row{"a", "1"}, row{"b", "2"})
	if err != nil {
		return err
	}
	return steps(
		func() error { return must(p.end(true)) },
		func() error { return e.stable(topic, 3) },
		func() error {
			end, err := e.end(topic)
			return errors.Join(err, equal("end offset", end, 3))
		},
		func() error {
			f, _, err := e.fetched(topic, 2)
			if err != nil || len(f.Records) != 1 {
				return errors.Join(err, equal("number of records at the end", len(f.Records), 1))
			}
			return equal("last record is a marker", f.Records[0].Attrs.IsControl(), true)
		},
		func() error {
			f, _, err := e.fetched(topic, 1)
			if err != nil || len(f.Records) != 2 {
				return errors.Join(err, equal("number of records below the end", len(f.Records), 2))
			}
			return errors.Join(equal("last value", string(f.Records[0].Value), "2"), equal("its offset", f.Records[0].Offset, 1))
		},
	)
}

func (e *env) end(topic string) (int64, error) {
	r := kmsg.NewPtrListOffsetsRequest()
	part := kmsg.NewListOffsetsRequestTopicPartition()
	part.Timestamp = -1
	r.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{part}}}
	resp, err := ask[*kmsg.ListOffsetsResponse](e, r)
	if err != nil {
		return 0, err
	}
	of := resp.Topics[0].Partitions[0]
	return of.Offset, kerr.ErrorForCode(of.ErrorCode)
}

// newestIsKept ends the log in a row that was aborted and its marker, rolls a
// segment at each batch, and reads all that is left when the cleaner has been
// there.
func newestIsKept(e *env) error {
	topic, err := e.topic(map[string]string{
		"cleanup.policy": "compact", "segment.ms": "1", "min.cleanable.dirty.ratio": "0.01", "min.compaction.lag.ms": "0", "delete.retention.ms": "0",
	})
	if err != nil {
		return err
	}
	p, err := e.producer(long)
	if err != nil {
		return err
	}
	const rounds = 6
	for n := range rounds + 1 {
		if err := must(p.write(topic, row{"a", fmt.Sprint("a", n)}, row{"b", fmt.Sprint("b", n)})); err != nil {
			return err
		}
		if err := must(p.end(n < rounds)); err != nil {
			return err
		}
	}
	const end = 3 * (rounds + 1)
	if err := e.stable(topic, end); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(e.ctx, e.cleaning)
	defer cancel()
	cleaned := *e
	cleaned.ctx = ctx
	return cleaned.until("old rows are gone", func() (bool, error) {
		rows, seen, err := cleaned.read(topic, end)
		if err != nil {
			return false, err
		}
		return seen == 2, errors.Join( // nothing may be lost on the way there either
			equal("number of keys", len(rows), 2),
			equal("newest row of a", rows["a"], fmt.Sprint("a", rounds-1)),
			equal("newest row of b", rows["b"], fmt.Sprint("b", rounds-1)),
		)
	})
}

// read is the newest value of each key that is committed, over the whole log
// with the markers at its end, and how many rows there were.
func (e *env) read(topic string, end int64) (rows map[string]string, seen int, err error) {
	rows = map[string]string{}
	var at int64
	err = e.until("the log is read to its end", func() (bool, error) {
		f, next, err := e.fetched(topic, at)
		if err != nil {
			return false, err
		}
		at = next // not behind the last record: compaction leaves batches without any
		for _, r := range f.Records {
			if !r.Attrs.IsControl() {
				rows[string(r.Key)] = string(r.Value)
				seen++
			}
		}
		return at == end, nil
	})
	return rows, seen, err
}

func justMade(e *env) error {
	p, err := e.producer(long)
	if err != nil {
		return err
	}
	topic, err := e.topic(nil)
	if err != nil {
		return err
	}
	return steps(
		func() error { return must(p.write(topic, row{"a", "1"})) },
		func() error { return must(p.end(true)) },
		func() error { return e.stable(topic, 2) },
	)
}
