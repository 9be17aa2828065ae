package app_test

import (
	"strings"
	"testing"
	"time"

	"billstream/internal/app"
	"billstream/internal/auth"
)

// Security is a mistake of the configuration like any other: told with the
// rest, before anything is opened.
func TestMistakesAboutSecurityAreOfTheConfiguration(t *testing.T) {
	c := app.Config{CommitInterval: time.Hour, Auth: auth.Config{TLS: true, Mechanism: auth.Plain}}
	err := c.Validate()
	for _, want := range []string{
		"commit-interval is 1h0m0s", "brokers is empty, want those of a Kafka with --kafka-tls or --sasl-mechanism",
		"sasl-user is not set", "password is not set",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("mistakes are %v, want %q among them", err, want)
		}
	}
}
