package bench

// Spoil makes the updates of an arm wrong.
func (o *Options) Spoil(w Way) { o.spoil = w }

// Once runs every arm once, however busy the machine is.
func (o *Options) Once() { o.tries = 1 }
