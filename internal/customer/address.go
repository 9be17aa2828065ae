package customer

// Normal returns the normal form of an address of the given kind, as it was
// sent; pointer is where it stands in the event's data. The error is a
// *Refusal: a text is too long, or the country is not two letters.
//
// The shape of a subdivision is never refused: real registers are dirty there,
// and an address that a person can read is worth more than none.
func (a Address) Normal(kind AddressKind, pointer string) (*Address, []Warning, error) {
	r := reader{facet: kind.Facet(), pointer: pointer}
	n := Address{
		Line1:      r.text("line1", a.Line1, maxText),
		Line2:      r.text("line2", a.Line2, maxText),
		City:       r.text("city", a.City, 128),
		PostalCode: upperASCII(r.text("postal_code", a.PostalCode, 32)),
	}
	n.Country = upperASCII(r.text("country", a.Country, maxText))
	if !isLetters(n.Country, 2) {
		r.refuse("/country", StringOf(n.Country), "two letters")
	}
	n.Subdivision = normalSubdivision(r.text("subdivision", a.Subdivision, 64), n.Country)
	if r.err != nil {
		return nil, nil, r.err
	}
	return &n, n.AppendWarnings(r.warnings, kind), nil
}

// normalSubdivision returns s as ISO 3166-2 writes it ("US-CA") when it has
// that shape, with or without the country; otherwise s as it is.
func normalSubdivision(s, country string) string {
	switch {
	case hasSubdivisionShape(s):
		return upperASCII(s)
	case isAlphanumeric(s, 3):
		return country + "-" + upperASCII(s)
	}
	return s
}

// hasSubdivisionShape reports whether s is two letters, a hyphen, and one to
// three letters or digits.
func hasSubdivisionShape(s string) bool {
	return len(s) >= 4 && s[2] == '-' && isLetters(s[:2], 2) && isAlphanumeric(s[3:], 3)
}

// isAlphanumeric reports whether s has 1 to limit ASCII letters or digits.
func isAlphanumeric(s string, limit int) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return s != "" && len(s) <= limit
}

// AppendWarnings appends what is doubtful about an address in normal form.
func (a *Address) AppendWarnings(dst []Warning, kind AddressKind) []Warning {
	if !isCountry(a.Country) {
		dst = append(dst, Warning{Code: "country_unknown", Facet: kind.Facet(), Field: "country"})
	}
	if code := a.subdivisionWarning(); code != "" {
		dst = append(dst, Warning{Code: code, Facet: kind.Facet(), Field: "subdivision"})
	}
	return dst
}

func (a *Address) subdivisionWarning() string {
	table := hasSubdivisions(a.Country)
	switch s := a.Subdivision; {
	case s == "" && table:
		return "subdivision_missing"
	case s == "":
		return ""
	case !hasSubdivisionShape(s):
		return "subdivision_unknown"
	case s[:2] != a.Country:
		return "subdivision_country_mismatch"
	case table && !isSubdivision(a.Country, s[3:]):
		return "subdivision_unknown"
	}
	return ""
}
