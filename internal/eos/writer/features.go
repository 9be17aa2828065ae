package writer

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/eos"
)

// With this level of the feature every transaction has an epoch of its own, so
// that a late copy of a request cannot join or end the next one (KIP-890).
const (
	feature      = "transaction.version"
	featureLevel = 2
)

// errUnsupported says that the brokers lack what the guarantee rests on.
var errUnsupported = errors.New("brokers lack a feature")

// CheckFeatures refuses brokers under which a transaction could be torn: the
// feature transaction.version must be finalized at 2 or above. The error is a
// *eos.RefusedError then, a *eos.WriteError if they could not be asked until
// ctx ended or the commit timeout was over.
func CheckFeatures(ctx context.Context, c Config) error {
	c = c.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, c.CommitTimeout)
	defer cancel()
	client, err := kgo.NewClient(c.options()...)
	if err != nil {
		return fail("open", fmt.Errorf("make a client: %w", err))
	}
	defer client.Close()
	err = checkFeatures(ctx, client)
	if errors.Is(err, errUnsupported) {
		return &eos.RefusedError{
			Err:    err,
			Advice: fmt.Sprintf("raise it with kafka-features upgrade --feature %s=%d, or run with --guarantee at-least-once", feature, featureLevel),
		}
	}
	return fail("open", err)
}

// checkFeatures asks one broker: finalized features are the cluster's.
func checkFeatures(ctx context.Context, client *kgo.Client) error {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "billstream", "1"
	var resp *kmsg.ApiVersionsResponse
	err := retry(ctx, transient, func() (err error) {
		if resp, err = req.RequestWith(ctx, client); err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	})
	if err != nil {
		return fmt.Errorf("ask for features: %w", err)
	}
	var level int16
	for _, f := range resp.FinalizedFeatures {
		if f.Name == feature {
			level = f.MaxVersionLevel
		}
	}
	if level < featureLevel {
		return fmt.Errorf("%w: finalized %s is %d, want %d or above", errUnsupported, feature, level, featureLevel)
	}
	for _, k := range resp.ApiKeys {
		if k.ApiKey == int16(kmsg.TxnOffsetCommit) && (k.MaxVersion < maxTxnOffsetCommit || k.MinVersion > maxTxnOffsetCommit) {
			return fmt.Errorf("%w: versions of TxnOffsetCommit are %d to %d, want %d among them",
				errUnsupported, k.MinVersion, k.MaxVersion, maxTxnOffsetCommit)
		}
	}
	return nil
}
