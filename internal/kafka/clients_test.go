package kafka_test

import (
	"errors"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"billstream/internal/kafka"
	"billstream/internal/topics"
)

func TestClientsCloseWhatGokaLeavesOpen(t *testing.T) {
	t.Parallel()
	_, c := fake(t, "t")
	clients := kafka.NewClients(c)
	consumer, err := clients.Consumer(kafka.View)(nil, "ignored")
	if err != nil {
		t.Fatal(err)
	}
	manager, err := clients.TopicManager(kafka.View, 1)(nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := manager.Partitions("t"); err != nil || len(n) != 3 {
		t.Fatalf("partitions are %v (%v), want 3", n, err)
	}
	if err := clients.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := manager.Partitions("t"); err == nil {
		t.Error("topic manager answers after the close, want an error")
	}
	if _, err := consumer.ConsumePartition("t", 0, sarama.OffsetOldest); !errors.Is(err, sarama.ErrClosedClient) {
		t.Errorf("consumer after the close says %v, want %v", err, sarama.ErrClosedClient)
	}
	// goka closes those of a processor itself, maybe once more.
	for _, closeAgain := range []func() error{consumer.Close, manager.Close, clients.Close} {
		if err := closeAgain(); err != nil {
			t.Errorf("error of a second close is %v, want nil", err)
		}
	}
	if _, err := clients.Consumer(kafka.Table)(nil, ""); !errors.Is(err, kafka.ErrClosed) {
		t.Errorf("error of a client after the close is %v, want %v", err, kafka.ErrClosed)
	}
}

func TestTopicManagerCreatesNothingAndRefusesWhatDiffers(t *testing.T) {
	t.Parallel()
	_, c := fake(t)
	clients := kafka.NewClients(c)
	defer clients.Close()
	a := openAdmin(t, c)
	table := topics.Wanted(topics.Options{Partitions: 3, Embedded: true})[1]
	if err := a.Create(within(t, 5*time.Second), table); err != nil {
		t.Fatal(err)
	}
	manager, err := clients.TopicManager(kafka.Table, 1)(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := manager.EnsureTableExists(topics.BillingTable, 3); err != nil {
		t.Errorf("error of a table as it should be is %v, want nil", err)
	}
	if err := manager.EnsureTableExists(topics.BillingTable, 4); err == nil {
		t.Error("error of another partition count is nil, want one")
	}
	if err := manager.EnsureTableExists("absent", 3); err == nil {
		t.Error("error of an absent table is nil, want one")
	}
	if found, err := a.Topics(t.Context(), "absent"); err != nil || len(found) != 0 {
		t.Errorf("topics found are %v (%v), want that none was created", found, err)
	}
}
