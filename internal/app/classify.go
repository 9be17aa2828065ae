package app

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"billstream/internal/devbroker"
	"billstream/internal/eos"
)

// classify is the one place where the errors of the parts get the class by
// which the caller chooses an exit code.
func classify(doing string, err error) error {
	wrapped := fmt.Errorf("%s: %w", doing, err)
	switch {
	case errors.Is(err, ErrConfig), errors.Is(err, ErrRefused), errors.Is(err, ErrFenced):
		return err
	case errors.Is(err, devbroker.ErrInUse):
		return misconfigured(err, "stop the other process, or give this one another --data-dir")
	case errors.Is(err, devbroker.ErrAddress), errors.Is(err, syscall.EADDRINUSE):
		return misconfigured(err, "stop the other process, or choose another address (port 0: any)")
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return misconfigured(fmt.Errorf("%s: %s is not usable: %w, want a directory that this user may write", doing, p.Path, p.Err), "choose another --data-dir")
	}
	if r, ok := errors.AsType[*eos.RefusedError](err); ok {
		return refuse(r, r.Hint())
	}
	if f, ok := errors.AsType[*eos.FencedError](err); ok {
		return &classed{class: ErrFenced, err: f, hint: f.Hint()}
	}
	return wrapped
}
