package customer

import "strings"

// RawPaymentMethod is a payment method as it was sent. An expiry of nil means
// absent; any integer may come.
type RawPaymentMethod struct {
	Ref, Type, Brand, Last4 string
	ExpMonth, ExpYear       *int64
}

// Normal returns the normal form of a payment method; pointer is where it
// stands in the event's data. The error is a *Refusal. Card numbers are not
// looked for here but by LooksLikeCard, in every member that was sent.
func (p RawPaymentMethod) Normal(pointer string) (*PaymentMethod, []Warning, error) {
	r := reader{facet: facetPayment, pointer: pointer}
	if p.Ref == "" || len(p.Ref) > 255 {
		r.refuse("/ref", StringOf(p.Ref), "1 to 255 bytes")
	}
	n := PaymentMethod{Ref: p.Ref, Type: lowerASCII(p.Type)}
	if !isToken(n.Type, 32) {
		r.refuse("/type", StringOf(p.Type), "1 to 32 of a-z, 0-9 and _")
	}
	n.Brand = strings.ToLower(r.text("brand", p.Brand, 32))
	n.Last4 = p.Last4
	if p.Last4 != "" && (len(p.Last4) != 4 || !isDigits(p.Last4)) {
		r.refuse("/last4", StringOf(p.Last4), "4 digits")
	}
	n.ExpMonth = r.between("exp_month", p.ExpMonth, 1, 12, "1 to 12")
	n.ExpYear = r.between("exp_year", p.ExpYear, 2000, 2199, "2000 to 2199")
	if r.err != nil {
		return nil, nil, r.err
	}
	return &n, r.warnings, nil
}

func (r *reader) between(name string, v *int64, low, high int64, want string) uint32 {
	switch {
	case v == nil:
		return 0
	case *v < low || *v > high:
		r.refuse("/"+name, "a number out of range", want)
		return 0
	}
	return uint32(*v)
}

// LooksLikeCard reports whether s is the number of a payment card: without
// spaces and hyphens 13 to 19 digits, the first 2 to 6, with a right check
// digit (ISO/IEC 7812-1, annex B: Luhn). One in ten other numbers of that
// length looks alike, so it is asked about payment methods alone.
func LooksLikeCard(s string) bool {
	n, sum, first := 0, 0, byte(0)
	for i := len(s) - 1; i >= 0; i-- {
		c := s[i]
		if c == ' ' || c == '-' {
			continue
		}
		if c < '0' || c > '9' || n == 19 {
			return false
		}
		d := int(c - '0')
		if n%2 == 1 { // every second digit from the right counts double
			d *= 2
			d -= d / 10 * 9
		}
		sum += d
		n++
		first = c
	}
	return n >= 13 && first >= '2' && first <= '6' && sum%10 == 0
}
