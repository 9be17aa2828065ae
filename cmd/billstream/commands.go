package main

import (
	"io"

	"github.com/alecthomas/kong"
)

// envPrefix begins the name of every variable: BILLSTREAM_COMMIT_INTERVAL.
const envPrefix = "BILLSTREAM"

// commands is the grammar of the command line. A flag has one meaning over all
// verbs, since its variable does not name the verb.
type commands struct {
	Config string `help:"Read flags from this YAML file." placeholder:"FILE"`

	Run        runCommand        `cmd:"" help:"Process customer events into billing accounts, and answer lookups."`
	Demo       demoCommand       `cmd:"" help:"Run with a broker of its own and a real customer history."`
	Emit       emitCommand       `cmd:"" help:"Send customer events from files."`
	Get        getCommand        `cmd:"" help:"Show one account, or several."`
	List       listCommand       `cmd:"" help:"List accounts."`
	Topics     topicsCommand     `cmd:"" help:"Make and check the Kafka topics."`
	State      stateCommand      `cmd:"" help:"Look after the files in which run keeps its rows."`
	Broker     brokerCommand     `cmd:"" help:"Run the embedded broker alone."`
	Bench      benchCommand      `cmd:"" help:"Compare ways of running one small job on Kafka."`
	Verify     verifyCommand     `cmd:"" help:"Prove what run left in Kafka, record by record."`
	Doctor     doctorCommand     `cmd:"" help:"Say what would go wrong with run on a cluster."`
	Conf       confCommand       `cmd:"" name:"config" help:"Show and check the configuration of run."`
	Health     healthCommand     `cmd:"" help:"Ask a running process whether it is ready."`
	Version    versionCommand    `cmd:"" help:"Show what this program is."`
	Completion completionCommand `cmd:"" help:"Print the code that completes commands in a shell."`
}

// Help is the lower part of billstream --help.
func (*commands) Help() string {
	return `Every flag can also be given as a variable (--commit-interval is BILLSTREAM_COMMIT_INTERVAL) or in the file of --config. The command line beats the variable, the variable beats the file, and the file beats the default.

Examples:

    billstream demo
    billstream run --brokers kafka-1:9092,kafka-2:9092
`
}

// outputFlag is what every verb that prints data has.
type outputFlag struct {
	Output string `short:"o" enum:"text,json" default:"text" help:"How to print data: text or json."`
}

func (o outputFlag) json() bool { return o.Output == "json" }

// parser builds the parser of the command line into c.
func parser(c *commands, stdout, stderr io.Writer) (*kong.Kong, error) {
	return kong.New(c,
		kong.Name("billstream"),
		kong.Description("Customer events in, billing accounts out."),
		kong.Writers(stdout, stderr),
		kong.DefaultEnvars(envPrefix),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "kafka", Title: "Kafka:"},
			{Key: "security", Title: "Security of Kafka connections:"},
			{Key: "listeners", Title: "Listeners:"},
			{Key: "process", Title: "Processing:"},
			{Key: "life", Title: "Start, health and stop:"},
			{Key: "logs", Title: "Logs:"},
		}),
	)
}
