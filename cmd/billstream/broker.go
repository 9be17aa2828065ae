package main

import (
	"context"
	"fmt"
	"time"

	"billstream/internal/app"
)

// brokerCommand is the embedded broker without the rest: it outlives the
// processes that use it.
type brokerCommand struct {
	DataDir           string        `default:"./billstream-data" help:"Where state and the embedded broker keep their files."`
	EmbeddedListen    string        `default:"127.0.0.1:9092" help:"Address of the embedded broker."`
	Partitions        int32         `default:"12" help:"Partitions of every topic that is made."`
	Nodes             int           `default:"1" help:"Brokers in the process; the first has the address, the others any port."`
	MinSessionTimeout time.Duration `default:"1s" help:"Shortest session that a member of a group may ask for."`
}

// Help is the lower part of the verb's help.
func (*brokerCommand) Help() string {
	return `The broker that run and demo bring along, as a process of its own: for trials and tests, with several instances of run, or to see what restarts do. A crash can lose its data.

Examples:

    billstream broker
    billstream broker --embedded-listen 127.0.0.1:0 --data-dir trial
`
}

// Run runs the broker until it is told to stop.
func (b *brokerCommand) Run(ctx context.Context, p *program) error {
	return app.RunBroker(ctx, app.BrokerConfig{
		DataDir: b.DataDir, Listen: b.EmbeddedListen, Partitions: b.Partitions,
		Nodes: b.Nodes, MinSession: b.MinSessionTimeout, Notice: p.stderr,
	}, func(addr string) {
		fmt.Fprintf(p.stdout, "broker ready on %s\n", addr)
	})
}
