package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"billstream/internal/store"
	"billstream/internal/topics"
	"billstream/views"
)

// serveLookups is the program's data listener over a full store, until the input
// ends.
func serveLookups(lines *bufio.Scanner, out *json.Encoder, s spec) error {
	p, err := newPeople(s.Customers, s.Events, s.Partitions)
	if err != nil {
		return err
	}
	stores, err := p.stores()
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	h, err := views.New(views.Config{
		Partitions: s.Partitions,
		Partition:  func(n int32) views.Partition { return lookedUp{stores[n]} },
		Ready:      func(int32) (int64, bool) { return 0, true },
		Metrics:    views.NewMetrics(registry),
	})
	if err != nil {
		return err
	}
	return serveHTTP(lines, out, h, registry)
}

// serveHTTP serves h with the limits of the program's listeners, until the input
// ends.
func serveHTTP(lines *bufio.Scanner, out *json.Encoder, h http.Handler, registry *prometheus.Registry) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := views.NewServer(h, slog.DiscardHandler)
	served := make(chan error, 1)
	go func() { served <- server.Serve(views.LimitConnections(l, 0)) }()
	err = (&arm{registry: registry}).serve(lines, out, hello{Addr: l.Addr().String()})
	err = errors.Join(err, server.Close())
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// lookedUp is a store as the data listener asks it.
type lookedUp struct{ *store.Arena }

// Get implements views.Partition.
func (l lookedUp) Get(key string) ([]byte, bool, error) {
	value, err := l.Arena.Get(key)
	return value, value != nil, err
}

// stores are the rows of all customers, by partition.
func (p *people) stores() ([]*store.Arena, error) {
	stores := make([]*store.Arena, p.partitions)
	for n := range stores {
		stores[n] = store.NewArena()
	}
	for n, part := range p.parted() {
		// The offset is one that a changelog of these rows would have.
		if err := stores[n].Apply(int64(len(part)), p.rowsOf(part)); err != nil {
			return nil, fmt.Errorf("fill a store: %w", err)
		}
	}
	return stores, nil
}

// parted are the numbers of the customers by partition.
func (p *people) parted() [][]int32 {
	parts := make([][]int32, p.partitions)
	for n := range p.customers {
		part := topics.Partition([]byte(customerKey(n)), p.partitions)
		parts[part] = append(parts[part], int32(n))
	}
	return parts
}

// rowsOf yields the rows of some customers.
func (p *people) rowsOf(numbers []int32) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, n := range numbers {
			if !yield(customerKey(int(n)), p.row(int(n))) {
				return
			}
		}
	}
}

// serveEcho answers every request with the same bytes, until the input ends.
func serveEcho(lines *bufio.Scanner, out *json.Encoder, s spec) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	body := strings.Repeat("x", s.Bytes)
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed below
			}
			go echo(conn, answer)
		}
	}()
	err = (&arm{registry: prometheus.NewRegistry()}).serve(lines, out, hello{Addr: l.Addr().String()})
	return errors.Join(err, l.Close())
}

// serveBare answers every request with the same bytes through net/http, until
// the input ends.
func serveBare(lines *bufio.Scanner, out *json.Encoder, s spec) error {
	body := bytes.Repeat([]byte("x"), s.Bytes)
	header, length := []string{"application/json"}, []string{strconv.Itoa(len(body))}
	var mux http.ServeMux
	mux.HandleFunc("GET /v1/accounts/{customer}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"], w.Header()["Content-Length"] = header, length
		_, _ = w.Write(body) // the client sees what is missing
	})
	return serveHTTP(lines, out, &mux, prometheus.NewRegistry())
}

// echo answers what ends with an empty line: requests without a body.
func echo(conn net.Conn, answer []byte) {
	defer conn.Close()
	var request [4096]byte
	for n := 0; n < len(request); {
		got, err := conn.Read(request[n:])
		if err != nil {
			return // io.EOF, or the client is gone
		}
		if n += got; !bytes.HasSuffix(request[:n], []byte("\r\n\r\n")) {
			continue
		}
		n = 0
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}
