package bench_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"billstream/internal/app"
	"billstream/internal/bench"
)

// asChild makes the test binary a child of Run.
const asChild = "BENCH_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) == "" {
		os.Exit(m.Run())
	}
	work := func(ctx context.Context) error { return bench.Child(ctx, os.Stdin, os.Stdout) }
	if len(os.Args) > 1 && os.Args[1] == "run" {
		work = program
	}
	if err := work(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// program is what `billstream run` does with the flags of a cell.
func program(ctx context.Context) error {
	flags := map[string]string{}
	for i := 2; i+1 < len(os.Args); i += 2 {
		flags[os.Args[i]] = os.Args[i+1]
	}
	partitions, err := strconv.Atoi(flags["--partitions"])
	if err != nil {
		return err
	}
	drain, err := time.ParseDuration(flags["--drain-timeout"])
	if err != nil {
		return err
	}
	save := time.Duration(0)
	if text, ok := flags["--snapshot-interval"]; ok {
		if save, err = time.ParseDuration(text); err != nil {
			return err
		}
	}
	a, err := app.New(app.Config{
		Brokers: []string{flags["--brokers"]}, Partitions: int32(partitions), Replication: 1, DataDir: flags["--data-dir"],
		Listen: flags["--listen"], AdminListen: flags["--admin-listen"], Guarantee: flags["--guarantee"],
		DrainTimeout: drain, SnapshotInterval: save, UpdatesAccount: true,
	}, app.Options{Notice: os.Stderr})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	return a.Run(ctx)
}
