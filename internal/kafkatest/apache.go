package kafkatest

import (
	"context"
	"os"
	"strings"
)

// T is what of *testing.T is needed here.
type T interface {
	Helper()
	Cleanup(f func())
	Failed() bool
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
}

// Apache starts a cluster that ends with the test. After a failure its logs
// stay where the test says. With BILLSTREAM_TEST_BROKERS it is that cluster, for
// tests that may run on one that others use; any other refuses.
func Apache(t T, o Options) *Cluster {
	t.Helper()
	if addrs := os.Getenv("BILLSTREAM_TEST_BROKERS"); addrs != "" {
		if !o.Foreign {
			t.Fatalf("BILLSTREAM_TEST_BROKERS is set, want it unset: this test stops brokers, sets them up or makes the product's topics, and needs its own")
		}
		return &Cluster{foreign: strings.Split(addrs, ",")}
	}
	temporary := o.Dir == ""
	if temporary {
		dir, err := os.MkdirTemp("", "billstream-kafka-")
		if err != nil {
			t.Fatalf("make a directory: %v", err)
		}
		o.Dir = dir
	}
	c, err := Start(context.Background(), o)
	if err != nil {
		t.Fatalf("start Apache Kafka: %v (logs are in %s)", err, o.Dir)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("stop Apache Kafka: %v", err)
		}
		switch {
		case t.Failed():
			t.Logf("logs of the brokers are in %s", o.Dir)
		case temporary:
			if err := os.RemoveAll(o.Dir); err != nil {
				t.Errorf("remove the brokers' files: %v", err)
			}
		}
	})
	return c
}
