package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"billstream/internal/devbroker"
	"billstream/internal/kafka"
	"billstream/internal/topics"
)

// BrokerConfig is what `billstream broker` can be told.
type BrokerConfig struct {
	DataDir    string
	Listen     string        // address of the Kafka listener
	Partitions int32         // of the topics it makes
	Nodes      int           // brokers in the process; 0: 1
	MinSession time.Duration // the shortest session of a group's member; 0: 1 s
	Notice     io.Writer
}

// RunBroker runs the embedded broker as the whole process until ctx ends.
// ready is called once with its address.
func RunBroker(ctx context.Context, c BrokerConfig, ready func(addr string)) (err error) {
	fmt.Fprintln(c.Notice, "warning: "+devbroker.Warning)
	b, err := devbroker.Start(devbroker.Options{Dir: c.DataDir, Addr: c.Listen, Nodes: c.Nodes, MinSession: c.MinSession})
	if err != nil {
		return classify("start the embedded broker", err)
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	if dir := b.SetAside(); dir != "" {
		fmt.Fprintf(c.Notice, "warning: the last end was unclean: broker data and state were set aside together in %s\n", dir)
	}
	if err := makeTopics(ctx, b.Addr(), c.Partitions); err != nil {
		return err
	}
	ready(b.Addr())
	<-ctx.Done()
	return nil
}

func makeTopics(ctx context.Context, addr string, partitions int32) error {
	admin, err := kafka.OpenAdmin(ctx, kafka.Config{Brokers: []string{addr}}, 10*time.Second)
	if err != nil {
		return err
	}
	defer admin.Close()
	_, err = applyTopics(ctx, admin, topics.Options{Partitions: partitions, Embedded: true})
	return err
}
