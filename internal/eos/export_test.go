package eos

import "context"

// Coordinate commits with the engine's own client.
func (e *Engine) Coordinate(ctx context.Context, o Offsets) error { return e.offsets.commit(ctx, o) }
