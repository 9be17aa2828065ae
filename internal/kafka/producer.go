package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"billstream/internal/topics"
)

// ProducerOptions says what a producer must know of the topics it writes to.
type ProducerOptions struct {
	Role   Role           // Events, if not said
	Limits map[string]int // max.message.bytes by topic; a topic not named has Kafka's default

	FlushTimeout time.Duration // how long Close waits for acks; 0 means 10 s
}

// Producer writes records and says of each when the brokers have acknowledged
// it. Records to one partition keep the order of the calls.
type Producer struct {
	options ProducerOptions
	lanes   map[int]*lane // by the largest batch, so that each topic keeps its own limit
	drained sync.WaitGroup

	closing chan struct{} // closed first: no call enters any more
	mu      sync.RWMutex  // held for reading while a record enters a lane
	closed  bool

	flight sync.Mutex
	flying map[*delivery]struct{} // what has no answer yet
}

// lane is one sarama producer: its limit holds for records and for batches, so
// topics with different limits cannot share it.
type lane struct {
	limit    int
	producer sarama.AsyncProducer
}

// delivery is a record on its way; done is called exactly once.
type delivery struct {
	done func(*sarama.ProducerMessage, error)
}

// OpenProducer connects a producer. The caller closes it.
func OpenProducer(c Config, o ProducerOptions) (*Producer, error) {
	o.Role = cmp.Or(o.Role, Events)
	o.FlushTimeout = cmp.Or(o.FlushTimeout, 10*time.Second)
	p := &Producer{
		options: o, lanes: map[int]*lane{},
		closing: make(chan struct{}), flying: map[*delivery]struct{}{},
	}
	limits := []int{defaultMaxMessage}
	for _, limit := range o.Limits {
		limits = append(limits, limit)
	}
	for _, limit := range limits {
		if err := p.openLane(c, limit); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	return p, nil
}

func (p *Producer) openLane(c Config, limit int) error {
	if p.lanes[limit] != nil {
		return nil
	}
	config := c.Sarama(p.options.Role)
	config.Producer.MaxMessageBytes = limit - batchOverhead
	config.Producer.Partitioner = newPartitioner
	producer, err := sarama.NewAsyncProducer(c.Brokers, config)
	if err != nil {
		return fmt.Errorf("open the %s producer: %w", p.options.Role, err)
	}
	p.lanes[limit] = &lane{limit: limit, producer: producer}
	p.drained.Go(func() {
		for m := range producer.Successes() {
			p.finish(m, nil)
		}
	})
	p.drained.Go(func() {
		for e := range producer.Errors() {
			p.finish(e.Msg, e.Err)
		}
	})
	return nil
}

func (p *Producer) laneOf(topic string) *lane {
	return p.lanes[cmp.Or(p.options.Limits[topic], defaultMaxMessage)]
}

// Send hands a record over and returns; it blocks while too much is on its way.
// done is called exactly once, also after an error, and not from the caller's
// goroutine once the record was handed over. It must not block.
func (p *Producer) Send(ctx context.Context, topic string, r Record, done func(Position, error)) {
	p.send(ctx, topic, r, func(m *sarama.ProducerMessage, err error) {
		if err != nil {
			done(Position{}, err)
			return
		}
		done(Position{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset}, nil)
	})
}

// Write writes records to a topic and returns when all of them have been
// acknowledged or ctx has ended; what was handed over may be written even then.
// The error is the first by the order of the records.
func (p *Producer) Write(ctx context.Context, topic string, records []Record) error {
	type answer struct {
		i   int
		err error
	}
	answers := make(chan answer, len(records)) // room for all: done must not block
	for i, r := range records {
		p.Send(ctx, topic, r, func(_ Position, err error) { answers <- answer{i, err} })
	}
	errs := make([]error, len(records))
	for range records {
		select {
		case a := <-answers:
			errs[a.i] = a.err
		case <-ctx.Done():
			return fmt.Errorf("write to %s: %w", topic, context.Cause(ctx))
		}
	}
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return fmt.Errorf("write to %s: %w", topic, errs[i])
	}
	return nil
}

// send checks the size, enters the record into its lane and sees to it that
// done is called.
func (p *Producer) send(ctx context.Context, topic string, r Record, done func(*sarama.ProducerMessage, error)) {
	lane := p.laneOf(topic)
	m := r.message(topic)
	if size, limit := m.ByteSize(2), lane.limit-batchOverhead; size > limit {
		done(nil, &TooLargeError{Topic: topic, Size: size, Limit: limit})
		return
	}
	d := &delivery{done: done}
	m.Metadata = d

	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		done(nil, ErrClosed)
		return
	}
	p.begin(d)
	select {
	case lane.producer.Input() <- m:
	case <-p.closing:
		p.resolve(d, nil, ErrClosed)
	case <-ctx.Done():
		p.resolve(d, nil, context.Cause(ctx))
	}
}

func (p *Producer) begin(d *delivery) {
	p.flight.Lock()
	defer p.flight.Unlock()
	p.flying[d] = struct{}{}
}

// finish takes sarama's answer.
func (p *Producer) finish(m *sarama.ProducerMessage, err error) {
	if d, ok := m.Metadata.(*delivery); ok {
		p.resolve(d, m, err)
	}
}

// resolve calls done for whoever comes first: sarama's answer or Close.
func (p *Producer) resolve(d *delivery, m *sarama.ProducerMessage, err error) {
	p.flight.Lock()
	_, ours := p.flying[d]
	delete(p.flying, d)
	p.flight.Unlock()
	if !ours {
		return
	}
	if err != nil {
		m = nil
	}
	d.done(m, err)
}

// Close waits for the acks of what was handed over, at most FlushTimeout, and
// disconnects. What has no answer by then gets ErrClosed: it may have been
// written all the same. A second call does nothing.
func (p *Producer) Close() error {
	// Calls that wait for room hold the lock for reading: they are sent away
	// before the lock is asked for. Only then may sarama close its input.
	p.flight.Lock()
	select {
	case <-p.closing:
		p.flight.Unlock()
		return nil
	default:
		close(p.closing)
	}
	p.flight.Unlock()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()

	for _, l := range p.lanes {
		l.producer.AsyncClose()
	}
	all := make(chan struct{})
	go func() {
		p.drained.Wait()
		close(all)
	}()
	select {
	case <-all:
		return nil
	case <-time.After(p.options.FlushTimeout):
	}
	return p.abandon()
}

// abandon answers what sarama has not: sarama itself goes on trying and ends
// later, or with the process.
func (p *Producer) abandon() error {
	p.flight.Lock()
	left := p.flying
	p.flying = map[*delivery]struct{}{}
	p.flight.Unlock()
	for d := range left {
		d.done(nil, ErrClosed)
	}
	return fmt.Errorf("close the producer: %d records have no acknowledgement within %v, want 0", len(left), p.options.FlushTimeout)
}

// newPartitioner sends a record where it says, else where its key hashes to.
func newPartitioner(string) sarama.Partitioner { return partitioner{} }

type partitioner struct{}

// Partition implements sarama.Partitioner.
func (partitioner) Partition(m *sarama.ProducerMessage, n int32) (int32, error) {
	if m.Partition >= 0 {
		return m.Partition, nil // sarama refuses one beyond n
	}
	var key []byte
	if m.Key != nil {
		var err error
		if key, err = m.Key.Encode(); err != nil {
			return 0, err
		}
	}
	return topics.Partition(key, n), nil
}

// RequiresConsistency keeps a record from moving to another partition while
// one has no leader.
func (partitioner) RequiresConsistency() bool { return true }
