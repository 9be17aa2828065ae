//go:build apache

package kafkatest_test

import (
	"testing"
	"time"

	"billstream/internal/kafkatest"
)

// TestApacheConforms has no differences to declare: the statements are about
// Kafka. What fails here is a statement that is wrong.
func TestApacheConforms(t *testing.T) {
	c := kafkatest.Apache(t, kafkatest.Options{Config: map[string]string{
		"transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
		"log.cleaner.backoff.ms": "200",
	}})
	conforms(t, backend{addr: c.Addrs()[0], cleaning: 25 * time.Second})
}
