package eos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// Offsets is a commit of offsets in the name of a session.
type Offsets struct {
	Group      string
	Member     string
	Generation int32
	InstanceID string // "" for a dynamic member
	Marks      []PositionMark
}

// coordinator commits offsets and reports what became of them. sarama's own
// session reports a failed commit on a channel at best, long after Commit has
// returned: no ground for counting anything.
type coordinator struct {
	brokers []string
	config  *sarama.Config

	mu     sync.Mutex
	client sarama.Client // nil until the first commit
	tries  sync.WaitGroup
}

func newCoordinator(brokers []string, config *sarama.Config) *coordinator {
	c := &coordinator{brokers: brokers}
	if config != nil {
		own := *config
		c.config = &own
	}
	return c
}

// commitOffsets commits o and returns nil only if all of it was accepted.
func (e *Engine) commitOffsets(ctx context.Context, o Offsets) error {
	if e.cfg.CommitOffsets != nil {
		return e.cfg.CommitOffsets(ctx, o)
	}
	return e.offsets.commit(ctx, o)
}

// Close disconnects the engine's own client. The processors must have ended.
func (e *Engine) Close() error { return e.offsets.close() }

// commit tries until the coordinator has answered or ctx ends. A late answer is
// lost with ctx, so the outcome is then unknown.
func (c *coordinator) commit(ctx context.Context, o Offsets) error {
	for {
		answer := make(chan error, 1)
		c.tries.Go(func() { answer <- c.try(o) })
		select {
		case <-ctx.Done():
			return fmt.Errorf("coordinator of group %s has not answered: %w", o.Group, ctx.Err())
		case err := <-answer:
			if err == nil || !moving(err) {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("coordinator of group %s is not found: %w", o.Group, ctx.Err())
		case <-time.After(retryCommit):
		}
	}
}

// retryCommit is the pause before another try at a coordinator that moves.
const retryCommit = 50 * time.Millisecond

// moving reports whether the coordinator changes or loads, or is out of reach.
func moving(err error) bool {
	if _, answered := errors.AsType[sarama.KError](err); !answered {
		return true
	}
	return errors.Is(err, sarama.ErrNotCoordinatorForConsumer) ||
		errors.Is(err, sarama.ErrConsumerCoordinatorNotAvailable) ||
		errors.Is(err, sarama.ErrOffsetsLoadInProgress) ||
		errors.Is(err, sarama.ErrRequestTimedOut)
}

// try asks the coordinator once.
func (c *coordinator) try(o Offsets) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	broker, err := client.Coordinator(o.Group)
	if err != nil {
		return err
	}
	resp, err := broker.CommitOffset(c.request(o))
	if err != nil {
		_ = broker.Close()
		_ = client.RefreshCoordinator(o.Group)
		return err
	}
	err = check(resp, o.Marks)
	if err != nil && moving(err) {
		_ = client.RefreshCoordinator(o.Group)
	}
	return err
}

func (c *coordinator) request(o Offsets) *sarama.OffsetCommitRequest {
	r := sarama.NewOffsetCommitRequest(c.config, o.Group)
	r.ConsumerID, r.ConsumerGroupGeneration = o.Member, o.Generation
	if o.InstanceID != "" {
		r.GroupInstanceId = &o.InstanceID
	}
	for _, m := range o.Marks {
		r.AddBlockWithLeaderEpoch(m.Topic, m.Partition, m.Next, unknownEpoch, 0, "")
	}
	return r
}

// unknownEpoch stands where a leader epoch could: the offset counts alone.
const unknownEpoch = -1

// check finds the first partition that was not accepted.
func check(resp *sarama.OffsetCommitResponse, marks []PositionMark) error {
	for _, m := range marks {
		code, ok := resp.Errors[m.Topic][m.Partition]
		switch {
		case !ok:
			return fmt.Errorf("offset of %s/%d: %w", m.Topic, m.Partition, sarama.ErrIncompleteResponse)
		case code != sarama.ErrNoError:
			return fmt.Errorf("offset of %s/%d: %w", m.Topic, m.Partition, code)
		}
	}
	return nil
}

func (c *coordinator) connect() (sarama.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client != nil {
		return c.client, nil
	}
	client, err := sarama.NewClient(c.brokers, c.config)
	if err != nil {
		return nil, err
	}
	c.client = client
	return client, nil
}

func (c *coordinator) close() error {
	c.mu.Lock()
	client := c.client
	c.client = nil
	c.mu.Unlock()
	if client == nil {
		return nil
	}
	err := client.Close()
	c.tries.Wait()
	return err
}
