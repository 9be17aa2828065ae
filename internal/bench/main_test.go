package bench_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"billstream/internal/bench"
)

// asChild makes the test binary a child of Run.
const asChild = "BENCH_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) == "" {
		os.Exit(m.Run())
	}
	if err := bench.Child(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
