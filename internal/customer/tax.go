package customer

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const maxTaxIDs = 16

// RawTax is a tax identity as it was sent. Exempt "" means absent, which is
// none.
type RawTax struct {
	TaxIDs []TaxID
	Exempt string
}

// Normal returns the normal form of a tax identity, nil when there is no id
// and no exemption; pointer is where it stands in the event's data. The error
// is a *Refusal.
func (t RawTax) Normal(pointer string) (*Tax, []Warning, error) {
	r := reader{facet: facetTax, pointer: pointer}
	n := Tax{TaxIDs: r.taxIDs(t.TaxIDs)}
	exempt, ok := ParseExempt(cmp.Or(t.Exempt, "none"))
	if !ok {
		r.refuse("/exempt", StringOf(t.Exempt), "none, exempt or reverse")
	}
	n.Exempt = exempt
	if r.err != nil {
		return nil, nil, r.err
	}
	if len(n.TaxIDs) == 0 && n.Exempt == ExemptNone {
		return nil, r.warnings, nil
	}
	return &n, r.warnings, nil
}

func (r *reader) taxIDs(all []TaxID) []TaxID {
	if len(all) == 0 {
		return nil
	}
	set := make([]TaxID, 0, len(all))
	for i, id := range all {
		set = append(set, TaxID{Type: id.Type, Value: r.taxValue(id, i)})
	}
	slices.SortFunc(set, func(a, b TaxID) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.Value, b.Value))
	})
	set = slices.Compact(set)
	if len(set) > maxTaxIDs {
		r.refuse("/tax_ids", "a list of "+strconv.Itoa(len(set))+" different ids", "at most 16")
	}
	return slices.Clip(set)
}

// taxValue checks the i-th id and returns its value without separators.
func (r *reader) taxValue(id TaxID, i int) string {
	path := "/tax_ids/" + strconv.Itoa(i)
	if !isToken(id.Type, 32) {
		r.refuse(path+"/type", StringOf(id.Type), "1 to 32 of a-z, 0-9 and _")
	}
	text, cleaned := id.Value, false
	if !isNormal(text) {
		text, cleaned = normalise(text)
	}
	if cleaned {
		r.cleaned("tax_ids")
	}
	value := upperASCII(withoutSeparators(text))
	if value == "" || utf8.RuneCountInString(value) > 64 {
		r.refuse(path+"/value", StringOf(value), "1 to 64 characters")
	}
	// VIES knows Greece as EL, ISO 3166 as GR: one number must not be two.
	if id.Type == "eu_vat" && strings.HasPrefix(value, "GR") {
		value = "EL" + value[2:]
	}
	return value
}

func withoutSeparators(s string) string {
	if !strings.ContainsAny(s, " .-/") {
		return s
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" .-/", r) {
			return -1
		}
		return r
	}, s)
}
