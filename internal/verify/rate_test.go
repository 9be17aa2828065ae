package verify_test

import (
	"testing"

	"billstream/internal/verify"
)

// BenchmarkJudge is the rate of the checker without a broker, over records of
// all topics.
func BenchmarkJudge(b *testing.B) {
	l := history(b, 5000)
	var records int64
	for b.Loop() {
		r, err := verify.Check(b.Context(), verify.Config{}, l)
		if err != nil || r.Exit() != verify.ExitGood {
			b.Fatal(r, err)
		}
		for _, name := range names {
			records += r.Counts[name]
		}
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}
