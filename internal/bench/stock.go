package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"

	"billstream/internal/topics"
)

// graph is the job: one row and one update for each event.
func (a *arm) graph(f form) *goka.GroupGraph {
	output := goka.Stream(a.Output)
	fold := func(ctx goka.Context, message any) {
		var row account
		if v := ctx.Value(); v != nil {
			row = *v.(*account)
		}
		e := message.(*event)
		u := row.apply(e)
		if a.Spoil && e.Amount%100 == 0 {
			u.Account.Balance++
		}
		ctx.SetValue(&row)
		ctx.Emit(output, ctx.Key(), &u)
		a.processed.Add(1)
	}
	return goka.DefineGroup(goka.Group(a.Group),
		goka.Input(goka.Stream(a.Input), eventCodec(), fold),
		goka.Output(output, f.update),
		goka.Persist(f.account),
	)
}

// runStock runs the job on goka as it comes, until ctx ends. The hasher is
// Kafka's, since the input is partitioned by it.
func (a *arm) runStock(ctx context.Context) error {
	manager := stockConfig()
	manager.ClientID = "goka-topic-manager"
	p, err := goka.NewProcessor(a.Brokers, a.graph(formOf(Stock)),
		goka.WithConsumerGroupBuilder(goka.ConsumerGroupBuilderWithConfig(stockConfig())),
		goka.WithConsumerSaramaBuilder(goka.SaramaConsumerBuilderWithConfig(stockConfig())),
		goka.WithProducerBuilder(goka.ProducerBuilderWithConfig(stockConfig())),
		goka.WithTopicManagerBuilder(goka.TopicManagerBuilderWithConfig(manager, goka.NewTopicManagerConfig())),
		goka.WithStorageBuilder(storage.DefaultBuilder(filepath.Join(a.Dir, "leveldb"))),
		goka.WithHasher(topics.NewHasher),
	)
	if err != nil {
		return fmt.Errorf("build goka's processor: %w", err)
	}
	return p.Run(ctx)
}

// stockConfig is what goka gives to its clients (goka v1.1.16, config.go), but
// that the group starts at the oldest record. goka's own copy is a global one.
func stockConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V2_0_0_0
	c.Consumer.Return.Errors = true
	c.Consumer.MaxProcessingTime = time.Second
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{goka.CopartitioningStrategy}
	c.Producer.RequiredAcks = sarama.WaitForLocal
	c.Producer.Compression = sarama.CompressionSnappy
	c.Producer.Flush.Frequency = 100 * time.Millisecond
	c.Producer.Flush.Bytes = 64 << 10
	c.Producer.Return.Successes = true
	c.Producer.Return.Errors = true
	c.Producer.Retry.Max = 10
	return c
}
