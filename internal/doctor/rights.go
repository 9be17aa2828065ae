package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/topics"
)

// noOperations is what a broker says that does not tell what we may do.
const noOperations = math.MinInt32

// errSilent is why a right is unknown then.
var errSilent = errors.New("the broker does not say")

// rights looks whether we have those of our role. Where a broker does not say
// it of a resource, a request that can do nothing shows it: a broker looks at
// rights first.
func rights(ctx context.Context, e *exam, f *findings) {
	silent := map[string]bool{}
	for _, a := range topics.ACLs(e.cfg.Role) {
		var err error
		switch a.Resource {
		case topics.TopicResource:
			if silent[a.Name] {
				continue // said once
			}
			err = e.topicRight(a)
			silent[a.Name] = err != nil && !denied(err)
		case topics.GroupResource:
			a.Name = e.cfg.Group
			err = e.groupRight(ctx, a)
		case topics.TransactionalResource:
			if e.cfg.Guarantee != ExactlyOnce {
				continue
			}
			a.Name = topics.TransactionalPrefix(e.cfg.Group)
			_, err = patiently(ctx, e.transactionalRight)
		}
		e.judgeRight(f, a, err)
	}
	f.okay("rights are those that the role %s needs", e.cfg.Role)
}

// judgeRight leaves a finding unless a right is there.
func (e *exam) judgeRight(f *findings, a topics.ACL, err error) {
	what := fmt.Sprintf("%s %s", a.Resource, a.Name)
	if a.Prefix {
		what += "*"
	}
	switch {
	case err == nil:
	case !denied(err):
		f.unknown("rights on "+what, err)
	default:
		status := Problem
		if a.Operation == topics.DescribeConfigs {
			status = Warning
		}
		command := fmt.Sprintf("kafka-acls --bootstrap-server %s %s", e.bootstrap(), strings.Join(a.Command("User:NAME"), " "))
		f.add(status, command, "right %s on %s is missing, want it: without it %s", a.Operation, what, a.Without)
	}
}

// denied is whether an error says that a right is missing.
func denied(err error) bool {
	return errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.GroupAuthorizationFailed) ||
		errors.Is(err, kerr.TransactionalIDAuthorizationFailed)
}

// may reports whether a broker allows an operation.
func may(operations int32, o topics.Operation) bool {
	bit, err := kmsg.ParseACLOperation(string(o))
	return err == nil && operations&(1<<int32(bit)) != 0
}

// topicRight is nil where we have the right, and denied where not.
func (e *exam) topicRight(a topics.ACL) error {
	t, err := e.topic(a.Name)
	switch {
	case denied(err) && a.Operation == topics.DescribeConfigs: // which needs no DESCRIBE
		configs, failed := e.configs()
		return errors.Join(failed, configs[a.Name].err)
	case err != nil:
		return err
	case t.AuthorizedOperations == noOperations:
		return errSilent
	case !may(t.AuthorizedOperations, a.Operation):
		return kerr.TopicAuthorizationFailed
	}
	return nil
}

// groupRight is topicRight for the group. Brokers say nothing of a group that
// nobody has joined yet; a heartbeat of no member shows the right then.
func (e *exam) groupRight(ctx context.Context, a topics.ACL) error {
	g, err := e.group()
	switch {
	case err != nil:
		return err
	case g.ErrorCode != 0, g.AuthorizedOperations == noOperations:
		_, err := patiently(ctx, e.heartbeat)
		return err
	case !may(g.AuthorizedOperations, a.Operation):
		return kerr.GroupAuthorizationFailed
	}
	return nil
}

// nothing is the answer to a question that is asked for its error.
type nothing struct{}

// heartbeat sends one under the name of no member.
func (e *exam) heartbeat(ctx context.Context) (nothing, error) {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.Generation, req.MemberID = e.cfg.Group, -1, "billstream-doctor"
	resp, err := req.RequestWith(ctx, e.client)
	if err != nil {
		return nothing{}, err
	}
	switch err := kerr.ErrorForCode(resp.ErrorCode); {
	case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.GroupIDNotFound), errors.Is(err, kerr.IllegalGeneration):
		return nothing{}, nil
	default:
		return nothing{}, err
	}
}

// transactionalRight asks to end a transaction of a producer that cannot exist.
// Nothing is ended: who may not write is told so, and who may, that there is no
// such producer.
func (e *exam) transactionalRight(ctx context.Context) (nothing, error) {
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID = e.transactionalID(), math.MaxInt64
	resp, err := req.RequestWith(ctx, e.client)
	if err != nil {
		return nothing{}, err
	}
	switch err := kerr.ErrorForCode(resp.ErrorCode); {
	case errors.Is(err, kerr.InvalidProducerIDMapping), errors.Is(err, kerr.InvalidProducerEpoch), errors.Is(err, kerr.ProducerFenced):
		return nothing{}, nil
	case err == nil:
		return nothing{}, errors.New("the broker ended what was never begun")
	default:
		return nothing{}, err
	}
}

// transactionalID is the one that a process with this configuration uses.
func (e *exam) transactionalID() string {
	name := e.cfg.InstanceID
	if name == "" {
		name = rand.Text()
	}
	return topics.TransactionalPrefix(e.cfg.Group) + name
}
