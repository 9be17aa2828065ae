package kafka_test

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestMembersAreThoseOfTheGroup(t *testing.T) {
	t.Parallel()
	_, c := fake(t, "t", "other")
	a := openAdmin(t, c)
	if got, err := a.Members(t.Context(), "g", "t"); err != nil || len(got) > 0 {
		t.Errorf("members of a group that does not exist are %v, %v, want none", got, err)
	}
	for range 2 {
		cl := client(t, c, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t", "other"), kgo.Balancers(kgo.RangeBalancer()))
		go cl.PollFetches(within(t, 20*time.Second))
	}
	ctx := within(t, 20*time.Second)
	for {
		got, err := a.Members(ctx, "g", "t")
		if err != nil {
			t.Fatal(err)
		}
		var all []int32
		for _, m := range got {
			all = append(all, m.Partitions...)
		}
		slices.Sort(all)
		if len(got) == 2 && got[0].ID != got[1].ID && slices.Equal(all, []int32{0, 1, 2}) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("members are %v, want two that share partitions 0 to 2", got)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
