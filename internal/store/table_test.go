package store_test

import (
	"testing"

	"billstream/internal/store"
)

func TestATableShowsTheNewestStoreOfAPartition(t *testing.T) {
	t.Parallel()
	table := store.NewTable("t", 2)
	if table.Partitions() != 2 || table.Partition(1).Len() != 0 {
		t.Error("a new table is not of two empty partitions")
	}
	first, err := table.Build("t", 1)
	must(t, err)
	must(t, first.Set("k", []byte("old")))
	if v, _ := table.Partition(1).Get("k"); string(v) != "old" {
		t.Errorf("row is %q, want old", v)
	}
	_, err = table.Build("t", 1)
	must(t, err)
	if n := table.Partition(1).Len(); n != 0 {
		t.Errorf("a rebuilt partition has %d rows, want none", n)
	}
	must(t, first.Set("k", []byte("late")))
	if has, _ := table.Partition(1).Has("k"); has {
		t.Error("a write to the former store is seen")
	}
}

func TestATableRefusesWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	table := store.NewTable("t", 2)
	for _, c := range []struct {
		topic     string
		partition int32
		want      string
	}{
		{"u", 0, "topic is u, want t"},
		{"t", 2, "partition of t is 2, want 0 to 1"},
		{"t", -1, "partition of t is -1, want 0 to 1"},
	} {
		if _, err := table.Build(c.topic, c.partition); err == nil || err.Error() != c.want {
			t.Errorf("Build(%s, %d) says %v, want %s", c.topic, c.partition, err, c.want)
		}
	}
}
