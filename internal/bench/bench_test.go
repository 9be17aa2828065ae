package bench_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"billstream/internal/bench"
)

func options(t *testing.T, ways ...bench.Way) bench.Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return bench.Options{
		Exe: []string{"env", asChild + "=1", self}, Ways: ways, Rounds: 1, Events: 5000,
		Seed: 7, MaxTime: 2 * time.Minute, Progress: func(s string) { t.Log(s) },
	}
}

func TestArmsDoTheSameWork(t *testing.T) {
	r, err := bench.Run(t.Context(), options(t, bench.Stock))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	t.Log(out.String())
}
