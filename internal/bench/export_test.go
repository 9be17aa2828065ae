package bench

// Spoil makes the updates of an arm wrong.
func (o *Options) Spoil(w Way) { o.spoil = w }
