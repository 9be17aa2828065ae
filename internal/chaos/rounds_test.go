//go:build chaos || apache

package chaos_test

import (
	"fmt"
	"testing"
	"time"

	"billstream/internal/verify"
)

// rounds is how often a control is tried at most. Faults are drawn, and a round
// whose faults met nothing says nothing of the checker; a program without the
// defect would be caught in none of any number of rounds.
const rounds = 8

// control runs a program with a deliberate defect until the checker finds
// something: one that finds nothing is worth nothing, and neither is the
// scenario. The scenario starts workers with the defect in their environment,
// and returns when all its events are sent and its faults are over.
func control(t *testing.T, defect string, scenario func(t *testing.T, env string) *lab) {
	t.Helper()
	for round := 1; round <= rounds && !t.Failed(); round++ {
		caught := false
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			l := scenario(t, "BILLSTREAM_CONTROL="+defect)
			drain := l.drained(60 * time.Second)
			l.stopWorkers()
			r := l.judge()
			caught = r.Exit() == verify.ExitAnomalies
			result := "caught, as it must be"
			if !caught {
				result = fmt.Sprintf("not caught in round %d of at most %d", round, rounds)
			}
			l.row("control "+defect, r, drain, result)
		})
		if caught {
			return
		}
	}
	t.Errorf("checker finds nothing in a program with %s, want an anomaly in one of %d rounds", defect, rounds)
}
