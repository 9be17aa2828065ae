package eos

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/IBM/sarama"
)

// Peer is a member of the group, as its brokers tell.
type Peer struct {
	ID         string  // given by the brokers
	Partitions []int32 // that are assigned to it
}

// successors returns, of each partition, the members that most likely own it
// next, the likeliest first, without its owner. It asks the group's own
// strategy what becomes of the partitions if one of the members leaves: whoever
// follows the owner comes first, then whoever gets the partition because
// another member leaves, and then the others by name. All members that know the
// same group say the same.
func successors(strategy sarama.BalanceStrategy, topic string, peers []Peer, partitions int32) ([][]string, error) {
	owners := make([]string, partitions)
	for _, p := range peers {
		for _, n := range p.Partitions {
			if n < partitions {
				owners[n] = p.ID
			}
		}
	}
	votes := make([]map[string]int, partitions)
	for n := range votes {
		votes[n] = map[string]int{}
	}
	for _, leaver := range peers {
		next, err := without(strategy, topic, peers, leaver.ID, partitions)
		if err != nil {
			return nil, err
		}
		for n, heir := range next {
			if votes[n][heir]++; leaver.ID == owners[n] {
				votes[n][heir] += len(peers)
			}
		}
	}
	all := make([][]string, partitions)
	for n := range all {
		for _, p := range peers {
			if p.ID != owners[n] {
				all[n] = append(all[n], p.ID)
			}
		}
		slices.SortFunc(all[n], func(a, b string) int { return cmp.Or(votes[n][b]-votes[n][a], cmp.Compare(a, b)) })
	}
	return all, nil
}

// without returns the owners of all partitions once a member has left; "" where
// there is nobody.
func without(strategy sarama.BalanceStrategy, topic string, peers []Peer, leaver string, partitions int32) ([]string, error) {
	rest := map[string]sarama.ConsumerGroupMemberMetadata{}
	for _, p := range peers {
		if p.ID != leaver {
			rest[p.ID] = sarama.ConsumerGroupMemberMetadata{Topics: []string{topic}}
		}
	}
	owners := make([]string, partitions)
	if len(rest) == 0 {
		return owners, nil
	}
	all := make([]int32, partitions)
	for n := range all {
		all[n] = int32(n)
	}
	plan, err := strategy.Plan(rest, map[string][]int32{topic: all})
	if err != nil {
		return nil, fmt.Errorf("plan the group without one member: %w", err)
	}
	for id, assigned := range plan {
		for _, n := range assigned[topic] {
			owners[n] = id
		}
	}
	return owners, nil
}
