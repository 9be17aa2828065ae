package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/views"
)

// profileTime lets the admin listener write for as long as a profile takes,
// which is 30 s if not told otherwise.
const profileTime = time.Minute

// listen opens an address, serves h on it and returns the address in use.
func (a *App) listen(name, addr string, h http.Handler) (string, error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return "", misconfigured(fmt.Errorf("%s address %s is in use, want a free one", name, addr),
			"stop the other process, or choose another address (port 0: any)")
	}
	if err != nil {
		return "", misconfigured(fmt.Errorf("%s address %s is %w, want one of this machine", name, addr, err), "")
	}
	server := views.NewServer(h, a.log.Handler())
	if name == "admin" {
		server.WriteTimeout = profileTime
	}
	a.work.Go(func() {
		err := server.Serve(views.LimitConnections(l, a.cfg.MaxConnections))
		if !errors.Is(err, http.ErrServerClosed) {
			a.fail(name+" listener", err)
		}
	})
	a.started(name+" listener", func(ctx context.Context) error {
		err := server.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			return errors.Join(err, server.Close())
		}
		return err
	})
	return l.Addr().String(), nil
}

// startAdmin opens the admin listener, first of all: probes are answered from
// the first moment.
func (a *App) startAdmin(context.Context) error {
	a.httpMetrics = views.NewMetrics(a.registry)
	if a.cfg.AdminListen == off {
		return nil
	}
	admin := &admin{registry: a.registry, ask: a.ask, lifecycle: a.life, status: a.status, now: time.Now}
	front := views.NewFront(views.Front{Listener: "admin", Routes: admin.routes(), Metrics: a.httpMetrics, Log: a.log})
	addr, err := a.listen("admin", a.cfg.AdminListen, front)
	a.setAddress(func(at *Addresses) { at.Admin = addr })
	return err
}

// startData opens the data listener. Until the view is there it answers that
// the process recovers.
func (a *App) startData(context.Context) error {
	if a.cfg.Listen == off || !a.cfg.has(RoleView) {
		return nil
	}
	early, err := views.New(views.Config{
		Partitions: 1,
		Partition:  func(int32) views.Partition { return nil },
		Ready:      func(int32) (int64, bool) { return -1, false },
		Emit:       a.earlyEmit(),
		Metrics:    a.httpMetrics,
		Log:        a.log,
	})
	if err != nil {
		return err
	}
	a.handler.set(early)
	addr, err := a.listen("data", a.cfg.Listen, a.handler)
	a.setAddress(func(at *Addresses) { at.Data = addr })
	return err
}

// errStarting is the answer to events that come before the brokers are known.
var errStarting = errors.New("emitter is not open yet, want the start to be over")

// earlyEmit refuses events for the moment where ingest is on at all.
func (a *App) earlyEmit() func(context.Context, []codecs.Record) ([]billing.Position, error) {
	if !a.cfg.ingest() {
		return nil
	}
	return func(context.Context, []codecs.Record) ([]billing.Position, error) { return nil, errStarting }
}

// switchable is a handler that is exchanged once the view is there.
type switchable struct{ now atomic.Pointer[http.Handler] }

func newSwitchable() *switchable { return &switchable{} }

func (s *switchable) set(h http.Handler) { s.now.Store(&h) }

// ServeHTTP hands the request to the handler of the moment.
func (s *switchable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*s.now.Load()).ServeHTTP(w, r)
}
