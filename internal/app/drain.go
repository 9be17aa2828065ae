package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// lastMoment is what a part gets once the drain timeout has passed: releasing a
// lock or closing a file takes no more, and must not be left out.
const lastMoment = 500 * time.Millisecond

// drain stops the parts in reverse order. Together they get the drain timeout;
// what is not done by then is left behind, which loses nothing that was
// committed. A process that was ready stays for the shutdown delay first, and
// goes on to work: load balancers take it out meanwhile.
func (a *App) drain(ready bool) error {
	a.log.Info("draining")
	if ready && a.cfg.ShutdownDelay > 0 {
		<-time.After(a.cfg.ShutdownDelay)
	}
	a.closing.Store(true)
	// A part that hangs leaves something for those behind it.
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.DrainTimeout*8/10)
	defer cancel()
	var errs []error
	for _, p := range slices.Backward(a.parts) {
		if err := within(ctx, p.stop); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", p.name, err))
		}
	}
	if ctx.Err() != nil {
		a.leftBehind(errors.Join(errs...))
		return nil
	}
	a.work.Wait()
	a.log.Info("stopped")
	return errors.Join(errs...)
}

// within stops a part, and goes on without it when the time is over: a client
// whose broker hangs may wait for longer.
func within(ctx context.Context, stop func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- stop(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done: // it may have ended in time all the same
		return err
	case <-time.After(lastMoment):
		return ctx.Err()
	}
}

// leftBehind says what the drain timeout cut off.
func (a *App) leftBehind(err error) {
	records := 0
	if a.group != nil {
		records = a.group.billing.Uncommitted()
	}
	a.log.Warn("drain timeout passed, records will be processed again", "records", records, "err", err)
}
