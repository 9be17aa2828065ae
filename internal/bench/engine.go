package bench

import (
	"context"
	"errors"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// positionPrefix begins the keys of position rows, and of no customer.
const positionPrefix = "~"

func isPosition(key []byte) bool { return strings.HasPrefix(string(key), positionPrefix) }

func (s spec) runEngine(context.Context, *prometheus.Registry) error {
	return errors.New("engine is not wired")
}
