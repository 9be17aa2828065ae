package writer

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/auth"
	"billstream/internal/eos"
)

// is tells whether err is one of the targets.
func is(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}

// classify says what an error before the commit means for the caller. What
// needs no person and no patience is Aborted: drop, and go on from the
// committed position.
func classify(err error) eos.Failure {
	switch {
	case is(err, kerr.FencedInstanceID):
		return eos.Fenced
	case is(err, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.RebalanceInProgress):
		return eos.Lost
	case unauthorized(err):
		return eos.Unauthorized
	case is(err, kerr.UnsupportedVersion, kerr.InvalidTransactionTimeout, errUnsupported):
		return eos.Unsupported
	}
	return eos.Aborted
}

// classifyEnd says what an error of the commit itself means. A refusal may
// answer the second copy of a request whose first one was carried out, so only
// what cannot be such an answer says that nothing was committed.
func classifyEnd(err error) eos.Failure {
	switch failure := classify(err); {
	case failure != eos.Aborted:
		return failure
	case is(err, kerr.TransactionAbortable, kerr.OperationNotAttempted):
		return eos.Aborted
	}
	return eos.Unknown
}

func unauthorized(err error) bool {
	_, secret := errors.AsType[*auth.SecretError](err)
	return secret || is(err, kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
		kerr.TransactionalIDAuthorizationFailed, kerr.SaslAuthenticationFailed,
		kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState)
}

// transient tells whether another try of a request may succeed soon.
func transient(err error) bool {
	if k, ok := errors.AsType[*kerr.Error](err); ok {
		return k.Retriable || errors.Is(k, kerr.ConcurrentTransactions)
	}
	return disconnected(err)
}

// disconnected tells whether the network is to blame.
func disconnected(err error) bool {
	if is(err, context.Canceled, context.DeadlineExceeded, kgo.ErrClientClosed) {
		return false
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return is(err, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed)
}
