package customer

// MaxAmountMinor is the largest amount, 2^53-1: the largest integer that every
// reader of JSON keeps exactly (RFC 8259 6).
const MaxAmountMinor = 1<<53 - 1

// RawPlan is a plan as it was sent. An amount of nil means absent.
type RawPlan struct {
	Code        string
	AmountMinor *int64
	Currency    string
	Interval    string
}

// Normal returns the normal form of a plan; pointer is where it stands in the
// event's data. The error is a *Refusal: all four members are required.
func (p RawPlan) Normal(pointer string) (*Plan, []Warning, error) {
	r := reader{facet: facetPlan, pointer: pointer}
	n := Plan{Code: r.text("code", p.Code, 64)}
	if n.Code == "" {
		r.refuse("/code", "absent", "1 to 64 characters")
	}
	switch {
	case p.AmountMinor == nil:
		r.refuse("/amount_minor", "absent", "an integer of 0 to 9007199254740991")
	case *p.AmountMinor < 0 || *p.AmountMinor > MaxAmountMinor:
		r.refuse("/amount_minor", "a number out of range", "0 to 9007199254740991")
	default:
		n.AmountMinor = *p.AmountMinor
	}
	n.Currency = upperASCII(r.text("currency", p.Currency, maxText))
	if !isLetters(n.Currency, 3) {
		r.refuse("/currency", StringOf(n.Currency), "three letters")
	}
	interval, ok := ParseInterval(p.Interval)
	if !ok {
		r.refuse("/interval", StringOf(p.Interval), "month, quarter, half_year or year")
	}
	n.Interval = interval
	if r.err != nil {
		return nil, nil, r.err
	}
	return &n, n.AppendWarnings(r.warnings), nil
}

// AppendWarnings appends what is doubtful about a plan in normal form.
func (p *Plan) AppendWarnings(dst []Warning) []Warning {
	if !isCurrency(p.Currency) {
		dst = append(dst, Warning{Code: "currency_unknown", Facet: facetPlan, Field: "currency"})
	}
	return dst
}
