package kafkatest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// node is a broker's place: it returns there after each of its deaths.
type node struct {
	id         int
	plain      string   // HOST:PORT of the listener without security
	controller string   // and of the controller
	more       []string // and of the further listeners, in their order
}

// Ports that no system hands out by itself: another process would sit there by
// the time a broker is back.
const (
	lowest  = 14_000
	highest = 30_000
)

// places finds addresses for a cluster.
func places(brokers, more int) ([]node, error) {
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	take := func() (string, error) {
		var last error
		for range 200 {
			addr := fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(highest-lowest))
			l, err := net.Listen("tcp", addr)
			if err == nil {
				held = append(held, l)
				return addr, nil
			}
			last = err
		}
		return "", fmt.Errorf("find a free port: %w", last)
	}
	nodes := make([]node, brokers)
	var errs []error
	for i := range nodes {
		addrs := make([]string, 2+more)
		for k := range addrs {
			addr, err := take()
			addrs[k], errs = addr, append(errs, err)
		}
		nodes[i] = node{id: i + 1, plain: addrs[0], controller: addrs[1], more: addrs[2:]}
	}
	return nodes, errors.Join(errs...)
}
