package app

import (
	"context"
	"time"

	"billstream/codecs"
)

// Events emits customer events: the way in for emit, demo and POST /v1/events.
// One customer's events keep the order of the calls to Send.
type Events struct{}

// OpenEvents connects to the brokers, waiting at most wait for one to answer.
func OpenEvents(ctx context.Context, brokers []string, wait time.Duration) (*Events, error) {
	panic("contract: to be built")
}

// Send hands r to the emitter and returns; it blocks while too much is on its
// way. done is called once, from another goroutine, with the position
// ("customer.events/3@188") or with the error.
func (e *Events) Send(ctx context.Context, r codecs.Record, done func(position string, err error)) error {
	panic("contract: to be built")
}

// Close waits for what was sent and disconnects.
func (e *Events) Close() error { panic("contract: to be built") }
