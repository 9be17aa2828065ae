package views

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"billstream/codecs"
	"billstream/internal/billing"
)

// Partition is one partition of the account view: the rows of billing-table
// whose key hashes to it, ordered by key bytes.
type Partition interface {
	// Get returns the row of key; ok is false when there is none. The bytes
	// must stay as they are after the call: they are read, never changed.
	Get(key string) (value []byte, ok bool, err error)

	// Ascend yields the rows from key from on, in bytewise order, until yield
	// returns false. It must not hold a lock that a writer needs while yield
	// runs: a page of the list keeps one walk open per partition. An error means
	// that rows may be missing.
	Ascend(from string, yield func(key string, value []byte) bool) error
}

// Config is what the data listener answers from. Partitions, Partition, Ready
// and Metrics are required.
type Config struct {
	Partitions int32 // of billing-table, at least 1

	// Partition returns the rows of partition p, 0 to Partitions-1. It is asked
	// before Ready: a recovery that begins must first make Ready false, and then
	// put its empty rows in place.
	Partition func(p int32) Partition

	// Ready reports whether p has recovered completely. If not, remaining is how
	// many records are left, negative while that is unknown.
	Ready func(p int32) (remaining int64, ok bool)

	// Changed returns a channel that is closed when the position row of p is
	// stored the next time, after it can be read. Nil: it never is, and answers
	// that must wait for a position do so in vain.
	Changed func(p int32) <-chan struct{}

	// Emit writes events to customer.events, in this order per customer, and
	// returns their positions, index by index, once all in-sync replicas have
	// them. Its error holds no customer data. Nil: ingest is off.
	Emit func(ctx context.Context, events []codecs.Record) ([]billing.Position, error)

	EmitTimeout time.Duration    // how long Emit may take; 0 means 10 s
	Draining    func() bool      // true: new requests are refused; nil: never
	Now         func() time.Time // stands in for the record timestamp when events are checked; nil: time.Now
	Closing     <-chan struct{}  // closed: who waits for a position is sent away; nil: never
	MaxInflight int              // requests in work; 0 means 512
	MaxWaits    int              // requests that wait for a position; 0 means 256
	Metrics     *Metrics
	Log         *slog.Logger // nil: nowhere
}

// DefaultMaxInflight is how many requests a listener works on at once, if not
// told otherwise.
const DefaultMaxInflight = 512

// DefaultMaxWaits is how many requests may wait for a position at once, if not
// told otherwise.
const DefaultMaxWaits = 256

// New returns the handler of the data listener. Every mistake in c is reported
// at once.
func New(c Config) (http.Handler, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("configure the data listener: %w", err)
	}
	return NewFront(Front{
		Listener:    "data",
		Routes:      routes(c),
		MaxInflight: c.MaxInflight,
		MaxWaits:    c.MaxWaits,
		Draining:    c.Draining,
		Metrics:     c.Metrics,
		Log:         c.Log,
	}), nil
}

// validate fills in the defaults and reports what is missing.
func (c *Config) validate() error {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Changed == nil {
		c.Changed = func(int32) <-chan struct{} { return nil }
	}
	if c.EmitTimeout == 0 {
		c.EmitTimeout = 10 * time.Second
	}
	var errs []error
	if c.Partitions < 1 {
		errs = append(errs, fmt.Errorf("number of partitions is %d, want at least 1", c.Partitions))
	}
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"Partition", c.Partition != nil},
		{"Ready", c.Ready != nil},
		{"Metrics", c.Metrics != nil},
	} {
		if !f.set {
			errs = append(errs, fmt.Errorf("%s is nil, want a value", f.name))
		}
	}
	return errors.Join(errs...)
}
