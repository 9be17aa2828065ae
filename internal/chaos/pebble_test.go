//go:build chaos

package chaos_test

import (
	"slices"
	"testing"
	"time"
)

// TestPebble is a sample of the suite with the rows in a database: what commits
// is the same, what a process starts with is another thing.
func TestPebble(t *testing.T) {
	for _, c := range []struct {
		name   string
		events int
		rate   int
		do     func(l *lab)
	}{
		{"Kills", 8_000, 600, func(l *lab) { l.killing(scaled(12), time.Second, names(3)) }},
		{"Zombies", 6_000, 500, func(l *lab) { l.pausing(scaled(6)) }},
		{"Mixed", 8_000, 500, func(l *lab) { l.mixing(time.Duration(scaled(15)) * time.Second) }},
		{"CrashPoints", 1, 1, func(l *lab) {
			where := []string{"eos.after-store", "eos.recovery-half", "views.after-apply"}
			l.crashing(slices.Concat(where, databasePoints), scaled(2))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, t.Name())
			l.store = "pebble"
			done := l.load(scaled(c.events), c.rate)
			c.do(l)
			done()
			l.finish(t.Name(), 45*time.Second)
		})
	}
}
