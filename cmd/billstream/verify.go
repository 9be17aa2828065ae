package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"billstream/internal/app"
	"billstream/internal/topics"
	"billstream/internal/verify"
)

// verifyCommand judges what run left in Kafka, with a client and a decoder that
// run does not use.
type verifyCommand struct {
	kafkaFlags
	outputFlag
	progressFlag

	Brokers        []string      `default:"127.0.0.1:9092" placeholder:"HOST:PORT" help:"Kafka brokers."`
	Mode           string        `enum:"full,chain" default:"full" help:"full: fold the whole input again; chain: updates alone, each against the one before."`
	Online         bool          `negatable:"" help:"Judge what is committed now, while run works, without the table."`
	Guarantee      string        `enum:"exactly-once,at-least-once" default:"exactly-once" help:"exactly-once: rows, updates and offsets in one transaction; at-least-once: one after the other."`
	UnknownTypes   string        `enum:"ignore,dead-letter" default:"ignore" help:"Events of an unknown type: ignore or dead-letter."`
	UpdatesAccount bool          `default:"true" negatable:"" help:"Updates carry the account as it is after them."`
	Views          []string      `placeholder:"URL" help:"Compare every account of these lookup servers."`
	Stores         []string      `placeholder:"DIR" help:"Compare what stopped processes left in these data directories."`
	Metrics        []string      `placeholder:"URL" help:"Compare the sums of the counters of these metrics pages."`
	History        string        `placeholder:"FILE" help:"What a producer knows, as JSON lines: what was acknowledged must be there."`
	Manifest       string        `placeholder:"FILE" help:"Topic ids as a JSON object: other topics are refused."`
	ReadTimeout    time.Duration `default:"60s" help:"Longest wait for the next record or answer."`
	MaxAnomalies   int           `default:"20" help:"How many anomalies are printed; all are counted."`
}

// Help is the lower part of the verb's help.
func (*verifyCommand) Help() string {
	return `The input is read from offset 0 and folded once more; updates, dead letters and the table must be what it leads to, and the group must be at rest. Nothing is written.

Exit code 0: all is as it should be; 1: anomalies; 2: wrong call; 3: input that is not processed yet; 4: a transaction stays open; 5: something could not be read to its end, which is never a pass; 6: other topics than those of the manifest.

Examples:

    billstream verify --brokers kafka-1:9092
    billstream verify --mode chain --output json
`
}

// Run judges and prints the verdict.
func (v *verifyCommand) Run(ctx context.Context, p *program) error {
	login, err := v.kafkaFlags.open(p.stderr)
	if err != nil {
		return err
	}
	cfg := verify.Config{
		Brokers: v.Brokers, Auth: login, Mode: v.Mode, Online: v.Online, Guarantee: v.Guarantee,
		DeadLetterUnknown: v.UnknownTypes == "dead-letter", WithoutAccount: !v.UpdatesAccount,
		Views: v.Views, Stores: v.Stores, OpenStore: openDumps(app.TableBrokers{Brokers: v.Brokers, Auth: login, Wait: v.ReadTimeout}), Metrics: v.Metrics, History: v.History, Manifest: v.Manifest,
		ReadTimeout: v.ReadTimeout, MaxAnomalies: v.MaxAnomalies,
		Commit: readProgramInfo().Revision,
	}
	if v.show(p.stderr) {
		cfg.Progress = func(done, total int64) { p.stderr.status(fmt.Sprintf("verify %d of %d records", done, total)) }
	}
	r, err := verify.Run(ctx, cfg)
	p.stderr.status("")
	if err != nil {
		if errors.Is(err, verify.ErrConfig) {
			return &usage{err: err, hint: "see billstream verify --help"}
		}
		return err
	}
	if v.json() {
		err = printJSON(p.stdout, r)
	} else {
		err = printReport(p, r)
	}
	if code := r.Exit(); err == nil && code != verify.ExitGood {
		return quiet(code)
	}
	return err
}

// openDumps returns what opens the state of a stopped process in a data
// directory, which no other may use until it is let go. The brokers tell whose a
// database is.
func openDumps(brokers app.TableBrokers) verify.OpenStore {
	return func(ctx context.Context, dataDir string) ([]verify.Dump, func() error, error) {
		held, err := app.HoldState(dataDir)
		if err != nil {
			return nil, nil, err
		}
		found, err := held.Dumps(ctx, brokers)
		if err != nil {
			return nil, nil, errors.Join(err, held.Close())
		}
		dumps := make([]verify.Dump, len(found))
		for i := range found {
			d := &found[i]
			dumps[i] = verify.Dump{
				File: d.File, Topic: d.Topic, TopicID: d.TopicID, Partition: d.Partition, Partitions: d.Partitions,
				From: d.From, Through: d.Through, Rows: d.Each,
			}
		}
		return dumps, held.Close, nil
	}
}

// printReport prints the verdict for people: what was counted, what is wrong,
// and one line with the sum of it.
func printReport(p *program, r *verify.Report) error {
	rows := [][]string{{"COUNT", "VALUE"}}
	for _, name := range slices.Sorted(maps.Keys(r.Counts)) {
		rows = append(rows, []string{name, strconv.FormatInt(r.Counts[name], 10)})
	}
	if err := printTable(p.stdout, rows); err != nil {
		return err
	}
	for _, a := range r.Anomalies {
		fmt.Fprintf(p.stdout, "anomaly: %s\n", a)
	}
	for _, problem := range r.Problems {
		fmt.Fprintf(p.stdout, "problem: %s\n", problem.Detail)
	}
	var all int64
	for _, n := range r.Classes {
		all += n
	}
	_, err := fmt.Fprintf(p.stdout, "%s: %d anomalies in %s\n", verdict(r), all, r.Wall.Round(time.Millisecond))
	return err
}

// verdict is the report in a word or two.
func verdict(r *verify.Report) string {
	switch r.Exit() {
	case verify.ExitGood:
		if r.Counts[topics.CustomerEvents] == 0 && r.Mode == verify.ModeFull {
			return "pass, of no events at all"
		}
		return "pass"
	case verify.ExitUnprocessed:
		return "not finished, events wait"
	case verify.ExitHanging:
		return "not finished, a transaction is open"
	case verify.ExitIncomplete:
		return "not read to the end"
	case verify.ExitOtherTopics:
		return "other topics"
	}
	return "fail"
}
