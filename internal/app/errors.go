package app

// classed is an error of a class (ErrConfig, ErrRefused, ErrFenced) whose text
// does not repeat the class, with a hint on what to do.
type classed struct {
	class error
	err   error
	hint  string
}

func (e *classed) Error() string { return e.err.Error() }

// Unwrap makes both the class and the error findable.
func (e *classed) Unwrap() []error { return []error{e.class, e.err} }

// Hint says what to do about it, in one line; "" when there is nothing to say.
func (e *classed) Hint() string { return e.hint }

func refuse(err error, hint string) error { return &classed{class: ErrRefused, err: err, hint: hint} }

func misconfigured(err error, hint string) error {
	return &classed{class: ErrConfig, err: err, hint: hint}
}
