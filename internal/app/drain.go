package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// drain stops the parts in reverse order. Together they get the drain timeout;
// what is not done by then is left behind, which loses nothing that was
// committed. A process that was ready stays for the shutdown delay first, and
// goes on to work: load balancers take it out meanwhile.
func (a *App) drain(ready bool) error {
	a.log.Info("draining")
	if ready && a.cfg.ShutdownDelay > 0 {
		<-time.After(a.cfg.ShutdownDelay)
	}
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.DrainTimeout)
	defer cancel()
	var errs []error
	for _, p := range slices.Backward(a.parts) {
		if err := p.stop(ctx); err != nil {
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

// leftBehind says what the drain timeout cut off.
func (a *App) leftBehind(err error) {
	records := 0
	if a.group != nil {
		records = a.group.billing.Uncommitted()
	}
	a.log.Warn("drain timeout passed, records will be processed again", "records", records, "err", err)
}
