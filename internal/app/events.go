package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"billstream/codecs"
	"billstream/internal/auth"
	"billstream/internal/billing"
	"billstream/internal/kafka"
	"billstream/internal/topics"
)

// Events emits customer events: the way in for emit, demo and POST /v1/events.
// One customer's events keep the order of the calls to Send.
type Events struct {
	producer *kafka.Producer
}

// OpenEvents connects to the brokers, waiting at most wait for one to answer
// (negative: for ever). It refuses when there is no topic of customer events. a
// secures connections and logs in; nil does neither.
func OpenEvents(ctx context.Context, brokers []string, a *auth.Auth, wait time.Duration) (*Events, error) {
	c := kafka.Config{Brokers: brokers, Auth: a}
	admin, err := kafka.OpenAdmin(ctx, c, wait)
	if err != nil {
		return nil, err
	}
	found, err := admin.Topics(ctx, topics.CustomerEvents)
	if err = errors.Join(err, admin.Close()); err != nil {
		return nil, err
	}
	if _, ok := found[topics.CustomerEvents]; !ok {
		return nil, refuse(fmt.Errorf("topic %s is missing, want it made", topics.CustomerEvents), "make it: billstream topics apply")
	}
	return openEvents(c)
}

func openEvents(c kafka.Config) (*Events, error) {
	p, err := kafka.OpenProducer(c, kafka.ProducerOptions{Role: kafka.Events})
	if err != nil {
		return nil, err
	}
	return &Events{producer: p}, nil
}

// Send hands r to the emitter and returns; it blocks while too much is on its
// way. done is called once, from another goroutine, with the position
// ("customer.events/3@188") or with the error.
func (e *Events) Send(ctx context.Context, r codecs.Record, done func(position string, err error)) error {
	e.producer.Send(ctx, topics.CustomerEvents, written(r), func(at kafka.Position, err error) {
		if err != nil {
			done("", err)
			return
		}
		done(at.String(), nil)
	})
	return ctx.Err()
}

// write sends several events and returns their positions, index by index, once
// all are acknowledged.
func (e *Events) write(ctx context.Context, records []codecs.Record) ([]billing.Position, error) {
	type answer struct {
		i   int
		at  kafka.Position
		err error
	}
	answers := make(chan answer, len(records))
	for i, r := range records {
		e.producer.Send(ctx, topics.CustomerEvents, written(r), func(at kafka.Position, err error) { answers <- answer{i, at, err} })
	}
	positions := make([]billing.Position, len(records))
	var failure error
	for range records {
		select {
		case a := <-answers:
			failure = errors.Join(failure, a.err)
			positions[a.i] = billing.Position{Topic: a.at.Topic, Partition: a.at.Partition, Offset: a.at.Offset}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return positions, failure
}

// Close waits for what was sent and disconnects.
func (e *Events) Close() error { return e.producer.Close() }

// written translates a record for the producer: codecs and kafka do not know
// each other.
func written(r codecs.Record) kafka.Record {
	out := kafka.Record{Partition: r.Partition, Timestamp: r.Timestamp, Key: r.Key, Value: r.Value}
	if len(r.Headers) > 0 {
		out.Headers = make([]kafka.Header, len(r.Headers))
		for i, h := range r.Headers {
			out.Headers[i] = kafka.Header(h)
		}
	}
	return out
}

// startEvents opens the emitter behind POST /v1/events.
func (a *App) startEvents(context.Context) error {
	if !a.cfg.ingest() {
		return nil
	}
	e, err := openEvents(a.kafka)
	if err != nil {
		return err
	}
	a.httpEvents = e
	a.started("emitter", func(context.Context) error { return e.Close() })
	return nil
}

// Events returns an emitter to the process's own brokers; the caller closes it.
func (a *App) Events(context.Context) (*Events, error) { return openEvents(a.kafka) }
