package topics_test

import (
	"testing"

	"billstream/internal/topics"
)

// Where only the events topic is missing, the others are as they should be: they
// hold state, and nobody must be told to make them anew.
func TestAMissingTopicDoesNotMakeTheOthersWrong(t *testing.T) {
	t.Parallel()
	found := map[string]topics.Topic{}
	for _, w := range topics.Wanted(topics.Options{Partitions: 4, Replication: 1}) {
		found[w.Name] = w
	}
	for _, name := range topics.Names() {
		kept := found[name]
		delete(found, name)
		refused, _ := topics.Check(topics.Options{Partitions: 12, Replication: 1}, found)
		if len(refused) != 1 || refused[0].Topic != name || refused[0].Want != "4 partitions" {
			t.Errorf("without %s refused are %v, want it alone, with 4 partitions", name, refused)
		}
		found[name] = kept
	}
}
