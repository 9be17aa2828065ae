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
// committed.
func (a *App) drain(polite bool) error {
	if polite {
		a.log.Info("draining")
		if a.cfg.ShutdownDelay > 0 {
			time.Sleep(a.cfg.ShutdownDelay) // load balancers take us out meanwhile
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.DrainTimeout)
	defer cancel()
	var errs []error
	for _, p := range slices.Backward(a.parts) {
		if err := p.stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", p.name, err))
		}
	}
	late := ctx.Err() != nil
	if late {
		a.log.Warn("drain timeout passed, records are left to be processed again", "err", errors.Join(errs...))
		return nil
	}
	a.log.Info("stopped")
	return errors.Join(errs...)
}
