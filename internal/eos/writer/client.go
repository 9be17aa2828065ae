package writer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"billstream/internal/eos"
)

// The versions above which the offset requests name topics by id, which we do
// not know.
const (
	maxOffsetCommit    = 9
	maxTxnOffsetCommit = 5
)

// Waits between tries, inside a call.
const (
	minBackoff = 2 * time.Millisecond
	maxBackoff = 200 * time.Millisecond
)

// backoff is the wait after the n-th try, from 1.
func backoff(n int) time.Duration {
	if n > 8 {
		return maxBackoff
	}
	return min(minBackoff<<max(n-1, 0), maxBackoff)
}

// options are what both writers have in common.
func (c Config) options() []kgo.Opt {
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.OffsetCommit), maxOffsetCommit)
	versions.SetMaxKeyVersion(int16(kmsg.TxnOffsetCommit), maxTxnOffsetCommit)
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.ClientID),
		kgo.MaxVersions(versions),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.SnappyCompression()),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytesFn(func(topic string) int32 { return int32(c.limit(topic)) }),
		// An epoch is bounded by what may be staged, and handing it over must not wait.
		kgo.MaxBufferedRecords(math.MaxInt32),
		kgo.MetadataMinAge(50 * time.Millisecond),
		kgo.RequestTimeoutOverhead(5 * time.Second),
		kgo.RetryTimeout(c.CommitTimeout),
		kgo.RequestRetries(math.MaxInt32), // the timeout bounds them
		kgo.RetryBackoffFn(backoff),
		kgo.DisableClientMetrics(),
	}
	opts = append(opts, c.Auth.KgoOpts()...)
	if c.Dial != nil {
		opts = append(opts, kgo.Dialer(c.Auth.Dialer(c.Dial)))
	}
	return opts
}

// slot holds the client while there is one. Close may come from another
// goroutine than the rest.
type slot struct {
	mu     sync.Mutex
	client *kgo.Client
	closed bool
}

var (
	errClosed  = errors.New("writer is closed, want it open")
	errNotOpen = errors.New("writer holds no identity, want Open first")
)

func (s *slot) get() (*kgo.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, errClosed
	case s.client == nil:
		return nil, errNotOpen
	}
	return s.client, nil
}

// put keeps the client, unless the writer was closed meanwhile.
func (s *slot) put(client *kgo.Client) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		client.Close()
		return errClosed
	}
	s.client = client
	return nil
}

// drop closes the client; for good, if it is said so.
func (s *slot) drop(forGood bool) {
	s.mu.Lock()
	client := s.client
	s.client, s.closed = nil, s.closed || forGood
	s.mu.Unlock()
	if client != nil {
		client.Close()
	}
}

// open makes a client and has it say what ready wants to hear.
func (s *slot) open(ctx context.Context, limit time.Duration, opts []kgo.Opt, ready func(context.Context, *kgo.Client) error) error {
	if _, err := s.get(); !errors.Is(err, errNotOpen) {
		return fail("open", err)
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return fail("open", fmt.Errorf("make a client: %w", err))
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// Ping loads what the brokers can do. Without it the first transaction
	// runs under the rules of old brokers.
	err = retry(ctx, transient, func() error { return client.Ping(ctx) })
	if err == nil {
		err = ready(ctx, client)
	}
	if err != nil {
		client.Close()
		return fail("open", err)
	}
	return fail("open", s.put(client))
}

// retry calls do until it succeeds, until its error is none that passes, or
// until ctx ends; the error is the last one of do then.
func retry(ctx context.Context, passes func(error) bool, do func() error) error {
	for n := 1; ; n++ {
		err := do()
		if err == nil || !passes(err) {
			return err
		}
		wait := time.NewTimer(backoff(n))
		select {
		case <-ctx.Done():
			wait.Stop()
			return fmt.Errorf("%w (last: %w)", context.Cause(ctx), err)
		case <-wait.C:
		}
	}
}

// fail makes a *eos.WriteError of err, unless there is none or it is one.
func fail(step string, err error) error {
	if err == nil {
		return nil
	}
	if w, ok := errors.AsType[*eos.WriteError](err); ok {
		return w
	}
	return &eos.WriteError{Failure: classify(err), Step: step, Err: err}
}
