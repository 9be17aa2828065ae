package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/topics"
)

// need is a right on a topic and what it is for.
type need struct {
	topic, why string
	operation  kmsg.ACLOperation
	status     Status // of its absence
}

// needs are the rights of a process with processor and view.
func needs() []need {
	list := []need{
		{topics.CustomerEvents, "events are read", kmsg.ACLOperationRead, Problem},
		{topics.BillingTable, "recovery reads the table at the next start", kmsg.ACLOperationRead, Problem},
		{topics.BillingTable, "rows are written", kmsg.ACLOperationWrite, Problem},
		{topics.BillingUpdates, "updates are written", kmsg.ACLOperationWrite, Problem},
		{topics.DeadLetters, "bad records are written", kmsg.ACLOperationWrite, Problem},
	}
	for _, name := range topics.Names() {
		list = append(list, need{name, "the start checks settings", kmsg.ACLOperationDescribeConfigs, Warning})
	}
	return list
}

// noOperations is what a broker says that does not tell what we may do.
const noOperations = math.MinInt32

// rights looks at what we may do. Where a broker does not say it of a resource,
// a request that can do nothing shows it: a broker looks at rights first.
func rights(ctx context.Context, e *exam, f *findings) {
	said := map[string]bool{}
	for _, n := range needs() {
		t, err := e.topic(n.topic)
		denied := errors.Is(err, kerr.TopicAuthorizationFailed)
		switch {
		case err != nil && !denied, err == nil && t.AuthorizedOperations == noOperations:
			if err == nil {
				err = errors.New("the broker does not say")
			}
			if !said[n.topic] {
				f.unknown("rights on topic "+n.topic, err)
			}
			said[n.topic] = true
		case denied && n.operation == kmsg.ACLOperationDescribeConfigs && e.shown(n.topic):
		case denied || !may(t.AuthorizedOperations, n.operation):
			f.add(n.status, e.allow(n.operation, "topic", n.topic),
				"right %s on topic %s is missing, want it: %s", n.operation, n.topic, n.why)
		}
	}
	groupRights(ctx, e, f)
	if e.cfg.Guarantee == ExactlyOnce {
		transactionRights(ctx, e, f)
	}
	f.okay("rights are those that a processor needs")
}

// shown reports whether we may see the settings of a topic that is hidden.
func (e *exam) shown(name string) bool {
	configs, err := e.configs()
	return err == nil && configs[name].err == nil
}

func may(operations int32, o kmsg.ACLOperation) bool { return operations&(1<<int32(o)) != 0 }

// allow is the command that gives a right.
func (e *exam) allow(o kmsg.ACLOperation, resource, name string) string {
	return fmt.Sprintf("kafka-acls --bootstrap-server %s --add --allow-principal User:NAME --operation %s --%s %s",
		e.bootstrap(), word(o), resource, name)
}

// word is an operation as kafka-acls takes it.
func word(o kmsg.ACLOperation) string {
	switch o {
	case kmsg.ACLOperationRead:
		return "Read"
	case kmsg.ACLOperationWrite:
		return "Write"
	case kmsg.ACLOperationDescribeConfigs:
		return "DescribeConfigs"
	}
	return o.String()
}

// groupRights looks whether we may join the group. Newer brokers say nothing of
// a group that nobody has joined yet; a heartbeat of no member shows it then.
func groupRights(ctx context.Context, e *exam, f *findings) {
	g, err := e.group()
	if err == nil && g.ErrorCode == 0 && g.AuthorizedOperations != noOperations {
		if !may(g.AuthorizedOperations, kmsg.ACLOperationRead) {
			err = kerr.GroupAuthorizationFailed
		}
	} else if err == nil {
		err = e.heartbeat(ctx)
	}
	switch {
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		f.add(Problem, e.allow(kmsg.ACLOperationRead, "group", e.cfg.Group),
			"right %s on group %s is missing, want it: partitions are shared and offsets committed", kmsg.ACLOperationRead, e.cfg.Group)
	case err != nil:
		f.unknown("rights on group "+e.cfg.Group, err)
	}
}

// heartbeat sends one under the name of no member.
func (e *exam) heartbeat(ctx context.Context) error {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.Generation, req.MemberID = e.cfg.Group, -1, "billstream-doctor"
	resp, err := req.RequestWith(ctx, e.client)
	if err != nil {
		return err
	}
	switch err := kerr.ErrorForCode(resp.ErrorCode); {
	case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.GroupIDNotFound), errors.Is(err, kerr.IllegalGeneration):
		return nil
	default:
		return err
	}
}

// transactionalID is the one that a process with this configuration uses.
func (e *exam) transactionalID() string {
	if e.cfg.InstanceID != "" {
		return e.cfg.Group + "-" + e.cfg.InstanceID
	}
	return e.cfg.Group + "-" + rand.Text()
}

// transactionRights asks to end a transaction of a producer that cannot exist.
// Nothing is ended: who may not write is told so, and who may, that there is no
// such producer.
func transactionRights(ctx context.Context, e *exam, f *findings) {
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID = e.transactionalID(), math.MaxInt64
	resp, err := req.RequestWith(ctx, e.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	prefix := e.cfg.Group + "-"
	switch {
	case errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		f.add(Problem, e.allow(kmsg.ACLOperationWrite, "transactional-id", prefix)+" --resource-pattern-type prefixed",
			"right %s on transactional ids %s* is missing, want it: each commit is a transaction", kmsg.ACLOperationWrite, prefix)
	case errors.Is(err, kerr.InvalidProducerIDMapping), errors.Is(err, kerr.InvalidProducerEpoch), errors.Is(err, kerr.ProducerFenced):
	case err == nil:
		f.unknown("right to write under transactional ids "+prefix+"*", errors.New("the broker ended what was never begun"))
	default:
		f.unknown("right to write under transactional ids "+prefix+"*", err)
	}
}
