package eos

import (
	"fmt"
	"slices"
	"testing"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
)

// grouped are members with what goka's strategy assigns to them.
func grouped(t *testing.T, names []string, partitions int32) []Peer {
	t.Helper()
	var peers []Peer
	for _, name := range append(slices.Clone(names), "nobody") { // who leaves at once
		peers = append(peers, Peer{ID: name})
	}
	owners, err := without(goka.CopartitioningStrategy, "in", peers, "nobody", partitions)
	if err != nil {
		t.Fatal(err)
	}
	peers = peers[:len(names)]
	for n, owner := range owners {
		i := slices.Index(names, owner)
		peers[i].Partitions = append(peers[i].Partitions, int32(n))
	}
	return peers
}

func TestTheFirstSuccessorIsWhoFollowsTheOwner(t *testing.T) {
	t.Parallel()
	for members := 1; members <= 5; members++ {
		for partitions := int32(1); partitions <= 13; partitions++ {
			t.Run(fmt.Sprintf("%d members of %d partitions", members, partitions), func(t *testing.T) {
				var names []string
				for i := range members {
					names = append(names, fmt.Sprintf("m%d", i))
				}
				peers := grouped(t, names, partitions)
				next, err := successors(goka.CopartitioningStrategy, "in", peers, partitions)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range peers {
					heirs, err := without(goka.CopartitioningStrategy, "in", peers, p.ID, partitions)
					if err != nil {
						t.Fatal(err)
					}
					for _, n := range p.Partitions {
						if members > 1 && next[n][0] != heirs[n] {
							t.Errorf("first successor of partition %d is %s, want %s, who gets it from %s", n, next[n][0], heirs[n], p.ID)
						}
						all := append(slices.Clone(next[n]), p.ID)
						slices.Sort(all)
						if !slices.Equal(all, names) {
							t.Errorf("successors and owner of partition %d are %v, want each member once", n, all)
						}
					}
				}
			})
		}
	}
}

func TestAStrategyThatFailsIsNamed(t *testing.T) {
	t.Parallel()
	_, err := successors(broken{}, "in", []Peer{{ID: "a"}, {ID: "b"}}, 1)
	if err == nil || err.Error() != "plan the group without one member: no plan" {
		t.Errorf("error is %v, want that there is no plan", err)
	}
}

type broken struct{ sarama.BalanceStrategy }

// Plan implements sarama.BalanceStrategy.
func (broken) Plan(map[string]sarama.ConsumerGroupMemberMetadata, map[string][]int32) (sarama.BalanceStrategyPlan, error) {
	return nil, fmt.Errorf("no plan")
}
