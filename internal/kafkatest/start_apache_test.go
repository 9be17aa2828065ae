//go:build apache

package kafkatest_test

import (
	"context"
	"testing"
	"time"

	"billstream/internal/kafkatest"
)

func TestABrokerStartsAndComesBackAtItsAddress(t *testing.T) {
	began := time.Now()
	c := kafkatest.Apache(t, kafkatest.Options{})
	t.Logf("one broker was up after %v", time.Since(began))
	bounce(t, c, 1, (*kafkatest.Broker).Stop)
	bounce(t, c, 1, (*kafkatest.Broker).Kill)
}

func TestThreeBrokersStart(t *testing.T) {
	began := time.Now()
	c := kafkatest.Apache(t, kafkatest.Options{Brokers: 3})
	t.Logf("three brokers were up after %v", time.Since(began))
	bounce(t, c, 2, (*kafkatest.Broker).Kill)
}

func bounce(t *testing.T, c *kafkatest.Cluster, id int, end func(*kafkatest.Broker) error) {
	t.Helper()
	b := c.Broker(id)
	addr, pid := b.Addr(), b.PID()
	if err := end(b); err != nil {
		t.Fatal(err)
	}
	if b.PID() != 0 {
		t.Errorf("broker has process %d after its end, want none", b.PID())
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	began := time.Now()
	if err := c.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("broker was back after %v", time.Since(began))
	if b.PID() == pid || b.Addr() != addr {
		t.Errorf("broker is process %d at %s, want another than %d at %s", b.PID(), b.Addr(), pid, addr)
	}
}
