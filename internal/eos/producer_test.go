package eos_test

import (
	"hash"
	"sync"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"billstream/internal/topics"
)

// testProducer is a goka.Producer whose promises follow the brokers' answers.
type testProducer struct {
	m     *member
	async sarama.AsyncProducer
	wg    sync.WaitGroup
}

func (m *member) producer(brokers []string, _ string, _ func() hash.Hash32) (goka.Producer, error) {
	c := config("producer")
	async, err := sarama.NewAsyncProducer(brokers, c)
	if err != nil {
		return nil, err
	}
	p := &testProducer{m: m, async: async}
	p.wg.Go(func() {
		for ok := range async.Successes() {
			ok.Metadata.(goka.PromiseFinisher)(ok, nil)
		}
	})
	p.wg.Go(func() {
		for bad := range async.Errors() {
			bad.Msg.Metadata.(goka.PromiseFinisher)(nil, bad)
		}
	})
	return p, nil
}

func (p *testProducer) Emit(topic, key string, value []byte) *goka.Promise {
	return p.EmitWithHeaders(topic, key, value, nil)
}

func (p *testProducer) EmitWithHeaders(topic, key string, value []byte, _ goka.Headers) *goka.Promise {
	promise, finish := goka.NewPromiseWithFinisher()
	if p.m.failEmit != nil {
		if err := p.m.failEmit(topic, value); err != nil {
			finish(nil, err)
			return promise
		}
	}
	p.async.Input() <- &sarama.ProducerMessage{
		Topic: topic, Partition: topics.Partition([]byte(key), p.m.w.partitions),
		Key: sarama.StringEncoder(key), Value: sarama.ByteEncoder(value), Metadata: finish,
	}
	return promise
}

func (p *testProducer) Close() error {
	p.async.AsyncClose()
	p.wg.Wait()
	return nil
}
