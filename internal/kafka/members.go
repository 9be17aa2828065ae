package kafka

import (
	"context"
	"fmt"

	"github.com/IBM/sarama"
)

// Member is a member of a consumer group.
type Member struct {
	ID         string  // given by the brokers
	Partitions []int32 // of the topic that was asked for
}

// Members returns the members of a group with what is assigned to them of a
// topic: nothing while the group is on the move.
func (a *AdminClient) Members(ctx context.Context, group, topic string) ([]Member, error) {
	found, err := ask(ctx, func() ([]*sarama.GroupDescription, error) { return a.admin.DescribeConsumerGroups([]string{group}) })
	if err != nil {
		return nil, fmt.Errorf("describe the group %s: %w", group, err)
	}
	var all []Member
	for _, g := range found {
		if g.Err != sarama.ErrNoError {
			return nil, fmt.Errorf("describe the group %s: %w", group, g.Err)
		}
		for id, m := range g.Members {
			assigned, err := m.GetMemberAssignment()
			if err != nil {
				return nil, fmt.Errorf("read the assignment of a member of %s: %w", group, err)
			}
			one := Member{ID: id}
			if assigned != nil {
				one.Partitions = assigned.Topics[topic]
			}
			all = append(all, one)
		}
	}
	return all, nil
}
