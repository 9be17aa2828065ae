package views

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// DefaultMaxConnections is how many sockets a listener keeps open, if not told
// otherwise.
const DefaultMaxConnections = 2048

// How long a request may take to arrive, and its answer to leave.
const (
	readTimeout  = 10 * time.Second
	writeTimeout = 30 * time.Second
)

// NewServer returns a server for h with the limits of both listeners. A client
// that is slower than they allow is cut off. The server's own complaints go to
// log at debug level: they are about clients, and come as often as these like.
func NewServer(h http.Handler, log slog.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    MaxHeader,
		ErrorLog:          slog.NewLogLogger(log, slog.LevelDebug),
	}
}

// LimitConnections returns l with at most n connections open at a time; more
// wait in the operating system's queue. 0 means DefaultMaxConnections.
func LimitConnections(l net.Listener, n int) net.Listener {
	if n == 0 {
		n = DefaultMaxConnections
	}
	return netutil.LimitListener(l, n)
}
