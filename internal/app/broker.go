package app

import (
	"context"
	"io"
)

// BrokerConfig is what `billstream broker` can be told.
type BrokerConfig struct {
	DataDir    string
	Listen     string // address of the Kafka listener
	Partitions int32  // of the topics it makes
	Notice     io.Writer
}

// RunBroker runs the embedded broker as the whole process until ctx ends.
// ready is called once with its address.
func RunBroker(ctx context.Context, c BrokerConfig, ready func(addr string)) error {
	panic("contract: to be built")
}
