package processors

import "github.com/lovoo/goka"

// Process calls the callback as goka would.
func (b *Billing) Process(ctx goka.Context) { b.process(ctx, nil) }
