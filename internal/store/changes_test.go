package store_test

import (
	"testing"

	"billstream/internal/store"
)

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestAChangeWakesAllWhoWaitForThatPartition(t *testing.T) {
	t.Parallel()
	c := store.NewChanges(2)
	c.Announce(1) // nobody waits
	first, second, other := c.Next(1), c.Next(1), c.Next(0)
	if closed(first) || closed(second) {
		t.Fatal("a change is seen before it is announced")
	}
	c.Announce(1)
	if !closed(first) || !closed(second) {
		t.Error("a change wakes not all, want both")
	}
	if closed(other) || closed(c.Next(1)) {
		t.Error("a change wakes who waits for another partition, or for the next change")
	}
}
