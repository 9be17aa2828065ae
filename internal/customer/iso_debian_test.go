//go:build isocodes

package customer

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// withdrawn are the codes that we keep beyond the current lists.
const userAssigned, withdrawn = "XI XK", "BGN CUC HRK SLL ANG ZWL"

// newer are the codes that the installed lists may be too old for.
const newer = "XAD XCG ZWG"

func TestTablesAreThoseOfISO(t *testing.T) {
	compare(t, "countries", codes(t, "3166-1", "alpha_2"), userAssigned, func(c string) bool { return isCountry(c) }, 2)
	compare(t, "currencies", codes(t, "4217", "alpha_3"), withdrawn+" "+newer, func(c string) bool { return isCurrency(c) }, 3)
	us := map[string]bool{}
	for c := range codes(t, "3166-2", "code") {
		if state, ok := strings.CutPrefix(c, "US-"); ok {
			us[state] = true
		}
	}
	compare(t, "states", us, "", func(c string) bool { return isSubdivision("US", c) }, 2)
}

// compare asks has about every code of n letters.
func compare(t *testing.T, what string, want map[string]bool, extra string, has func(string) bool, n int) {
	t.Helper()
	each("", n, func(code string) {
		if want[code] && !has(code) {
			t.Errorf("%s: %s is missing", what, code)
		}
		if has(code) && !want[code] && !strings.Contains(extra, code) {
			t.Errorf("%s: %s is in our table, want it in the list of ISO", what, code)
		}
	})
}

func each(prefix string, n int, f func(string)) {
	if n == 0 {
		f(prefix)
		return
	}
	for c := 'A'; c <= 'Z'; c++ {
		each(prefix+string(c), n-1, f)
	}
}

// codes reads one of the lists that Debian's package iso-codes installs.
func codes(t *testing.T, list, field string) map[string]bool {
	t.Helper()
	raw, err := os.ReadFile("/usr/share/iso-codes/json/iso_" + list + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var lists map[string][]map[string]any
	if err := json.Unmarshal(raw, &lists); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, entry := range lists[list] {
		found[entry[field].(string)] = true
	}
	return found
}
