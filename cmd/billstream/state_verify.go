package main

import (
	"context"
	"errors"
	"time"

	"billstream/internal/app"
)

// stateVerify judges the files offline, or against the brokers.
type stateVerify struct {
	kafkaFlags
	stateFlags
	progressFlag
	Brokers    []string      `placeholder:"HOST:PORT" help:"Ask these Kafka brokers whether the state is that of their table; none: nobody is asked."`
	BrokerWait time.Duration `default:"10s" help:"How long to wait for a broker at the start; 0: for ever."`
}

// Help is the lower part of the verb's help.
func (*stateVerify) Help() string {
	return `Reads every snapshot to its end: checksums, the order of keys, whether they belong to the partition, whether every row can be decoded. With --brokers also: cluster, topic, partition count, and that the changelog reaches as far. Nothing is changed, and a process may run. A database (--store pebble) is looked into with --brokers alone, and not while a process uses it.

Exit code 0: all is good, or there is nothing; 1: what is printed is wrong, or was not looked into; 2: wrong call, or no data directory. A file that is not good does no harm: run refuses it and reads the changelog.

Examples:

    billstream state verify --data-dir /var/lib/billstream
    billstream state verify --brokers kafka-1:9092 --output json
`
}

// Run reads the files and prints the verdict.
func (s *stateVerify) Run(ctx context.Context, p *program) error {
	if err := s.there(); err != nil {
		return err
	}
	check := app.StateCheck{DataDir: s.DataDir, Table: app.TableBrokers{Brokers: s.Brokers, Wait: forEver(s.BrokerWait)}}
	if len(s.Brokers) > 0 {
		var err error
		if check.Table.Auth, err = s.open(p.stderr); err != nil {
			return err
		}
	}
	m := &meter{screen: p.stderr, show: s.show(p.stderr), now: time.Now, label: "verifying state", unit: "rows"}
	check.Progress = func(rows, bytes, total int64) { m.update(rows, float64(bytes)/float64(max(total, 1))) }
	files, err := app.VerifyState(ctx, check)
	m.finish()
	if err != nil && !errors.Is(err, app.ErrState) {
		return err
	}
	ok := err == nil
	return errors.Join(printStateFiles(p, &s.stateFlags, files, &ok), err)
}
