package writer

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/eos"
)

func isAny(err error, targets ...error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

// retriable reports whether the same request may succeed in a moment. The first
// is what a coordinator answers while the markers of the former transaction are
// being written; kgo does not count it in.
func retriable(err error) bool {
	return isAny(err, kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable,
		kerr.NotCoordinator, kerr.RequestTimedOut, kerr.UnstableOffsetCommit) || isNetwork(err)
}

func isNetwork(err error) bool {
	if isAny(err, context.Canceled, context.DeadlineExceeded) {
		return false
	}
	_, network := errors.AsType[net.Error](err)
	return network || isAny(err, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed)
}

// failureOf says what an error means for the caller.
func failureOf(err error) eos.Failure {
	switch {
	case isAny(err, kerr.ProducerFenced, kerr.FencedInstanceID, kerr.InvalidProducerIDMapping):
		return eos.Fenced
	case isAny(err, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.RebalanceInProgress):
		return eos.Lost
	case isAny(err, kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
		kerr.TransactionalIDAuthorizationFailed, kerr.SaslAuthenticationFailed):
		return eos.Unauthorized
	case isAny(err, kerr.UnsupportedVersion):
		return eos.Unsupported
	}
	return eos.Aborted
}

func failed(step string, err error) *eos.WriteError {
	return &eos.WriteError{Failure: failureOf(err), Step: step, Err: err}
}

// The reasons why a record was not written; a closed list of label values.
const (
	tooLarge     = "too_large"
	timedOut     = "timeout"
	unauthorized = "unauthorized"
	unavailable  = "unavailable"
	fenced       = "fenced"
	other        = "other"
)

// reasonOf sorts a record's error into the closed list.
func reasonOf(err error) string {
	switch {
	case isAny(err, kerr.MessageTooLarge, kerr.RecordListTooLarge):
		return tooLarge
	case isAny(err, kerr.RequestTimedOut, context.DeadlineExceeded, kgo.ErrRecordTimeout):
		return timedOut
	case isAny(err, kerr.TopicAuthorizationFailed, kerr.ClusterAuthorizationFailed,
		kerr.TransactionalIDAuthorizationFailed, kerr.SaslAuthenticationFailed):
		return unauthorized
	case isAny(err, kerr.ProducerFenced, kerr.InvalidProducerEpoch):
		return fenced
	case isAny(err, kerr.BrokerNotAvailable, kerr.LeaderNotAvailable, kerr.NotLeaderForPartition, kerr.NotEnoughReplicas,
		kerr.NotEnoughReplicasAfterAppend, kerr.UnknownTopicOrPartition, kgo.ErrRecordRetries), isNetwork(err):
		return unavailable
	}
	return other
}
