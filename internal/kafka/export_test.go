package kafka

import (
	"context"
	"time"
)

// AwaitStable shows the wait of RecoveryEnd with a patience that a test has.
func AwaitStable(a *AdminClient, ctx context.Context, topic string, partition int32, end int64, patience time.Duration) error {
	return a.awaitStable(ctx, topic, partition, end, patience, func(int64) {})
}

// Drain waits until sarama has answered everything, also after Close gave up.
func Drain(p *Producer) { p.drained.Wait() }
