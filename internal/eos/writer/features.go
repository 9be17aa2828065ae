package writer

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/eos"
)

// transactionVersion is the finalised feature from whose level 2 on every
// transaction has an epoch of its own, so that late copies of a commit do no
// harm (KIP-890). Below it a torn transaction is possible.
const (
	transactionVersion = "transaction.version"
	wantedVersion      = 2
)

// CheckFeatures refuses brokers whose transactions can tear.
func CheckFeatures(ctx context.Context, c Config) error {
	client, err := kgo.NewClient(c.withDefaults().options()...)
	if err != nil {
		return fmt.Errorf("ask for %s: %w", transactionVersion, err)
	}
	defer client.Close()
	resp, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("ask for %s: %w", transactionVersion, err)
	}
	level := int16(0)
	for _, f := range resp.FinalizedFeatures {
		if f.Name == transactionVersion {
			level = f.MaxVersionLevel
		}
	}
	if level >= wantedVersion {
		return nil
	}
	return &eos.RefusedError{
		Err:    fmt.Errorf("%s is %d, want at least %d for exactly-once", transactionVersion, level, wantedVersion),
		Advice: fmt.Sprintf("kafka-features.sh --bootstrap-server … upgrade --feature %s=%d, or --guarantee at-least-once", transactionVersion, wantedVersion),
	}
}
