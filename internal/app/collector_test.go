package app

import "testing"

func TestGarbageGrowsWithWhatIsNotRows(t *testing.T) {
	t.Parallel()
	const mega = 1 << 20
	for _, c := range []struct {
		name       string
		live, rows int64
		want       int
	}{
		{"nothing is known", 0, 0, 100},
		{"a small process", 10 * mega, 5 * mega, 100},
		{"half of it is rows", 400 * mega, 200 * mega, 56},
		{"nearly all of it is rows", 8000 * mega, 7800 * mega, 14},
		{"rows are counted that do not live yet", 100 * mega, 500 * mega, 64},
		{"never less than a tenth", 80_000 * mega, 80_000 * mega, 12},
	} {
		if got := gcPercent(c.live, c.rows); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
