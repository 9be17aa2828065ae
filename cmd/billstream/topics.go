package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"billstream/internal/app"
)

// topicsCommand groups what is done about topics before run is started.
type topicsCommand struct {
	Plan  topicsPlan  `cmd:"" help:"Say what apply would do."`
	Apply topicsApply `cmd:"" help:"Make missing topics and mend settings."`
	Check topicsCheck `cmd:"" help:"Check what run checks at its start."`
}

// brokerFlags are for verbs that need brokers and have none of their own.
type brokerFlags struct {
	kafkaFlags
	Brokers    []string      `default:"127.0.0.1:9092" placeholder:"HOST:PORT" help:"Kafka brokers."`
	BrokerWait time.Duration `default:"10s" help:"How long to wait for a broker at the start; 0: for ever."`
}

// topicFlags say which topics are wanted.
type topicFlags struct {
	brokerFlags
	outputFlag
	Partitions  int32 `default:"12" help:"Partitions of every topic that is made."`
	Replication int16 `default:"0" placeholder:"3" help:"Copies of every topic that is made; 0: 3, with the embedded broker 1."`
}

func (f *topicFlags) config(p *program) (app.TopicsConfig, error) {
	a, err := f.open(p.stderr)
	c := app.TopicsConfig{Auth: a, Brokers: f.Brokers, Wait: forEver(f.BrokerWait), Partitions: f.Partitions, Replication: f.Replication}
	if c.Replication == 0 {
		c.Replication = 3
	}
	return c, err
}

// topicsPlan shows the steps and takes none.
type topicsPlan struct {
	topicFlags
	aclFlags
}

// Help is the lower part of the verb's help.
func (*topicsPlan) Help() string {
	return `Nothing is changed. Exit code 3: something differs that apply does not mend, such as a partition count.

With --acls it prints the rights instead that every role needs on a Kafka that keeps to rules: they are enough, and without any one of them something fails. --commands makes a script of them for Kafka's own kafka-acls; what that needs to log in (--command-config) is yours to add.

Examples:

    billstream topics plan --brokers kafka-1:9092 --partitions 32
    billstream topics plan --acls --acl-roles processor --principal User:billing
`
}

// Run prints the plan.
func (t *topicsPlan) Run(ctx context.Context, p *program) error {
	if t.ACLs {
		return t.aclFlags.print(p.stdout, t.json(), t.Brokers)
	}
	config, err := t.config(p)
	if err != nil {
		return err
	}
	steps, err := app.TopicsPlan(ctx, config)
	if err != nil {
		return err
	}
	if err := printSteps(p, t.json(), steps); err != nil {
		return err
	}
	return refusedSteps(steps)
}

// topicsApply takes the steps of the plan. It may run at every deployment, as it
// changes nothing the second time.
type topicsApply struct {
	topicFlags
	DryRun bool `negatable:"" help:"Say what would be done, and do nothing."`
	Yes    bool `negatable:"" help:"Do not ask before something is changed that exists."`
}

// Help is the lower part of the verb's help.
func (*topicsApply) Help() string {
	return `Applying again changes nothing, and a partition count is never changed. Before the settings of an existing topic are changed it asks; where it cannot ask it wants --yes.

Examples:

    billstream topics apply --brokers kafka-1:9092
    billstream topics apply --partitions 32 --replication 3 --yes
`
}

// Run applies the plan.
func (t *topicsApply) Run(ctx context.Context, p *program) error {
	config, err := t.config(p)
	if err != nil {
		return err
	}
	plan, err := app.TopicsPlan(ctx, config)
	if err != nil {
		return err
	}
	if err := refusedSteps(plan); err != nil || t.DryRun {
		return errors.Join(printSteps(p, t.json(), plan), err)
	}
	if changes(plan) && !t.Yes {
		if err := t.ask(p, plan); err != nil {
			return err
		}
	}
	steps, err := app.TopicsApply(ctx, config)
	if err != nil {
		return err
	}
	return printSteps(p, t.json(), steps)
}

// ask shows the plan and wants a yes.
func (t *topicsApply) ask(p *program, plan []app.TopicStep) error {
	return confirm(p, question{
		missing: "to change an existing topic", look: "billstream topics plan",
		table: stepRows(plan), text: "change existing topics?", no: "nothing was changed",
	})
}

// topicsCheck makes the checks of run without starting anything, so that a
// deployment can fail before the old version is stopped.
type topicsCheck struct {
	topicFlags
}

// Help is the lower part of the verb's help.
func (*topicsCheck) Help() string {
	return `Exit code 0: run would take these topics; 3: run would refuse them, for the reasons that are printed. Whether they are the ones that the state was built from, only run can tell.

Examples:

    billstream topics check --brokers kafka-1:9092
    billstream topics check --output json
`
}

// Run checks the topics.
func (t *topicsCheck) Run(ctx context.Context, p *program) error {
	config, err := t.config(p)
	if err != nil {
		return err
	}
	warnings, err := app.TopicsCheck(ctx, config)
	for _, w := range warnings {
		fmt.Fprintf(p.stderr, "billstream: warning: %s\n", w)
	}
	if err != nil && !errors.Is(err, app.ErrRefused) {
		return err
	}
	if t.json() {
		verdict := struct {
			OK       bool     `json:"ok"`
			Warnings []string `json:"warnings"`
			Refusals []string `json:"refusals"`
		}{err == nil, append([]string{}, warnings...), []string{}}
		if err != nil {
			verdict.Refusals = strings.Split(err.Error(), "\n")
		}
		return errors.Join(printJSON(p.stdout, verdict), err)
	}
	if err == nil {
		_, err = fmt.Fprintln(p.stdout, "topics are as run wants them")
	}
	return err
}

// changes reports whether a step changes a topic that exists.
func changes(steps []app.TopicStep) bool {
	return slices.ContainsFunc(steps, func(s app.TopicStep) bool { return s.Action == "alter" })
}

// refused is the error of a plan that cannot be carried out.
type refused struct{ err error }

func (r *refused) Error() string   { return r.err.Error() }
func (r *refused) Hint() string    { return "a person must decide: apply never does this" }
func (r *refused) Unwrap() []error { return []error{app.ErrRefused, r.err} }

// refusedSteps is the error for what apply does not do; nil when there is none.
func refusedSteps(steps []app.TopicStep) error {
	var errs []error
	for _, s := range steps {
		if s.Action == "refuse" {
			errs = append(errs, fmt.Errorf("topic %s: %s is %s, want %s", s.Topic, s.Setting, s.Found, s.Wanted))
		}
	}
	if errs == nil {
		return nil
	}
	return &refused{errors.Join(errs...)}
}

func printSteps(p *program, asJSON bool, steps []app.TopicStep) error {
	if asJSON {
		return printJSON(p.stdout, struct {
			Steps []app.TopicStep `json:"steps"`
		}{append([]app.TopicStep{}, steps...)})
	}
	return printTable(p.stdout, stepRows(steps))
}

func stepRows(steps []app.TopicStep) [][]string {
	rows := [][]string{{"TOPIC", "ACTION", "SETTING", "FOUND", "WANTED"}}
	for _, s := range steps {
		rows = append(rows, []string{s.Topic, s.Action, s.Setting, s.Found, s.Wanted})
	}
	return rows
}
