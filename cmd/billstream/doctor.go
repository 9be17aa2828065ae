package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"billstream/internal/doctor"
	"billstream/internal/topics"
)

// doctorCommand asks a cluster, and this machine, what would go wrong with run.
type doctorCommand struct {
	brokerFlags
	outputFlag
	Roles              []string      `group:"process" default:"processor,view" enum:"processor,view" help:"Which parts run in this process: processor, view."`
	Partitions         int32         `group:"kafka" default:"12" help:"Partitions of every topic that is made."`
	Replication        int16         `group:"kafka" default:"0" placeholder:"3" help:"Copies of every topic that is made; 0: 3, with the embedded broker 1."`
	SessionTimeout     time.Duration `group:"kafka" default:"0s" placeholder:"10s" help:"After this silence the group goes on without a member; 0: 10s, with --instance-id 30s."`
	TransactionTimeout time.Duration `group:"kafka" default:"20s" help:"After this silence brokers abort the transaction of a dead process."`
	InstanceID         string        `group:"kafka" name:"instance-id" placeholder:"NAME" help:"Stable name of this process: a restart moves no partition."`
	Guarantee          string        `group:"process" enum:"exactly-once,at-least-once" default:"exactly-once" help:"exactly-once: rows, updates and offsets in one transaction; at-least-once: one after the other."`
	DataDir            string        `group:"process" default:"./billstream-data" help:"Where state and the embedded broker keep their files."`
	Sample             int           `default:"100" help:"Newest records of each partition that are looked at."`
	Verbose            bool          `negatable:"" help:"List the checks that pass, too."`
}

// Help is the lower part of the verb's help.
func (*doctorCommand) Help() string {
	return `Give it the flags of the run that is to be. It asks and changes nothing; each finding is one sentence, and a check that cannot be made is unknown, never passed. Without --replication, topics are held to the copies that customer.events has.

Exit code 0: no problem, though maybe warnings; 1: problems, such as no broker that answers; 2: wrong call.

Examples:

    billstream doctor --brokers kafka-1:9092 --instance-id billing-0
    billstream doctor --brokers kafka-1:9092 --verbose --output json
`
}

// Run looks, and prints what it found.
func (d *doctorCommand) Run(ctx context.Context, p *program) error {
	login, err := d.open(p.stderr)
	if err != nil {
		return err
	}
	role := topics.Viewer
	if slices.Contains(d.Roles, "processor") {
		role = topics.Processor
	}
	r, err := doctor.Run(ctx, doctor.Config{
		Brokers: d.Brokers, Opts: login.KgoOpts(), Wait: forEver(d.BrokerWait),
		Partitions: d.Partitions, Replication: d.Replication,
		Role: role, InstanceID: d.InstanceID, Guarantee: d.Guarantee,
		TransactionTimeout: d.TransactionTimeout, SessionTimeout: d.SessionTimeout,
		DataDir: d.DataDir, Sample: d.Sample,
	})
	if err != nil {
		if errors.Is(err, doctor.ErrConfig) {
			return &usage{err: err, hint: "see billstream doctor --help"}
		}
		return err
	}
	if d.json() {
		err = printJSON(p.stdout, r)
	} else {
		err = d.print(p, r)
	}
	if err == nil && r.Count(doctor.Problem) > 0 {
		return quiet(exitFailure)
	}
	return err
}

// print shows one line for each finding, and at the end how many there are.
func (d *doctorCommand) print(p *program, r *doctor.Report) error {
	rows := [][]string{{"STATUS", "CHECK", "FINDING"}}
	for _, f := range r.Findings {
		if f.Status == doctor.OK && !d.Verbose {
			continue
		}
		text := f.Sentence
		if f.Hint != "" {
			text += " (" + f.Hint + ")"
		}
		rows = append(rows, []string{string(f.Status), f.Check, text})
	}
	if len(rows) > 1 {
		if err := printTable(p.stdout, rows); err != nil {
			return err
		}
	}
	counts := make([]string, 0, len(doctor.Statuses()))
	for _, s := range doctor.Statuses() {
		counts = append(counts, fmt.Sprintf("%s %d", s, r.Count(s)))
	}
	_, err := fmt.Fprintln(p.stdout, strings.Join(counts, ", "))
	return err
}
