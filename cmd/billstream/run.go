package main

import (
	"context"
	"fmt"
	"time"

	"github.com/alecthomas/kong"

	"billstream/internal/app"
	"billstream/internal/kafka"
)

// localFlags are where a process keeps its data and where it listens. run and
// demo have them.
type localFlags struct {
	Partitions       int32         `group:"kafka" default:"12" help:"Partitions of every topic that is made."`
	EmbeddedListen   string        `group:"kafka" default:"127.0.0.1:9092" help:"Address of the embedded broker."`
	DataDir          string        `group:"process" default:"./billstream-data" help:"Where state and the embedded broker keep their files."`
	Listen           string        `group:"listeners" default:"127.0.0.1:8080" help:"Address of lookups and events; off: none; port 0: any."`
	AdminListen      string        `group:"listeners" default:"127.0.0.1:8081" help:"Address of metrics and health; off: none; port 0: any."`
	InsecureBind     bool          `group:"listeners" negatable:"" help:"Allow addresses beyond loopback without authentication."`
	Guarantee        string        `group:"process" enum:"exactly-once,at-least-once" default:"exactly-once" help:"exactly-once: rows, updates and offsets in one transaction; at-least-once: one after the other."`
	CommitInterval   time.Duration `group:"process" default:"100ms" help:"Longest time between two commits, 10ms to 10s."`
	MaxStaged        byteSize      `group:"process" default:"16MiB" help:"What may be processed and not committed before processing waits."`
	Store            string        `group:"process" enum:"memory,pebble" default:"memory" help:"Where rows are kept: memory, with snapshots on disk; pebble: on disk, for more than memory holds."`
	SnapshotInterval time.Duration `group:"process" default:"5m" help:"How often the state is saved, 1s to 1h."`
	Standby          int           `group:"process" default:"0" help:"Warm copies of each partition besides its owner's, so that a takeover recovers only the tail. Processes with the role view hold all partitions anyway."`
	DrainTimeout     time.Duration `group:"life" default:"10s" help:"Longest time that a stop may take."`
}

// runFlags is everything that run can be told, and so what config shows.
type runFlags struct {
	localFlags
	logFlags

	Roles              []string      `group:"process" default:"processor,view" enum:"processor,view" help:"Which parts run in this process: processor, view."`
	Brokers            []string      `group:"kafka" placeholder:"HOST:PORT" help:"Kafka brokers; none: the embedded broker."`
	BrokerWait         time.Duration `group:"kafka" default:"10s" help:"How long to wait for a broker at the start; 0: for ever."`
	SessionTimeout     time.Duration `group:"kafka" default:"0s" placeholder:"10s" help:"After this silence the group goes on without a member; 0: 10s, with --instance-id 30s."`
	Replication        int16         `group:"kafka" default:"0" placeholder:"3" help:"Copies of every topic that is made; 0: 3, with the embedded broker 1."`
	TransactionTimeout time.Duration `group:"kafka" default:"20s" help:"After this silence brokers abort the transaction of a dead process."`
	InstanceID         string        `group:"kafka" name:"instance-id" placeholder:"NAME" help:"Stable name of this process: a restart moves no partition."`

	kafkaFlags

	MaxInflight    int `group:"listeners" default:"512" help:"HTTP requests in work; more get 503."`
	MaxConnections int `group:"listeners" default:"2048" help:"Connections of each listener."`

	Ingest          string `group:"process" enum:"auto,on,off" default:"auto" help:"POST /v1/events: on or off; auto: on with the embedded broker."`
	UnknownTypes    string `group:"process" enum:"ignore,dead-letter" default:"ignore" help:"Events of an unknown type: ignore or dead-letter."`
	UpdatesAccount  bool   `group:"process" default:"true" negatable:"" help:"Updates carry the account as it is after them."`
	UpdatesEncoding string `group:"process" enum:"protobuf,json" default:"protobuf" help:"Encoding of updates: protobuf or json."`

	Watchdog      time.Duration `group:"life" default:"30s" help:"How long a partition with input may stand still before its processor is started again."`
	ReadyGrace    time.Duration `group:"life" default:"30s" help:"How long a broker or a partition may be away before the process is not ready."`
	ShutdownDelay time.Duration `group:"life" default:"0s" help:"On SIGTERM be not ready this long before the drain."`
	LeaveOnStop   bool          `group:"life" negatable:"" help:"Give up the place of --instance-id when stopping."`
}

// config is the configuration that the flags ask for.
func (f *runFlags) config() app.Config {
	c := f.localFlags.config()
	c.Roles = f.Roles
	c.Brokers = f.Brokers
	c.Auth = f.security()
	c.BrokerWait = forEver(f.BrokerWait)
	c.SessionTimeout = f.SessionTimeout
	c.Replication = f.Replication
	c.InstanceID = f.InstanceID
	c.TransactionTimeout = f.TransactionTimeout
	c.Watchdog = f.Watchdog
	c.MaxInflight = f.MaxInflight
	c.MaxConnections = f.MaxConnections
	if f.Ingest != "auto" {
		c.Ingest = f.Ingest
	}
	c.UnknownTypes = f.UnknownTypes
	c.UpdatesAccount = f.UpdatesAccount
	c.UpdatesEncoding = f.UpdatesEncoding
	c.ReadyGrace = f.ReadyGrace
	c.ShutdownDelay = f.ShutdownDelay
	c.LeaveOnStop = f.LeaveOnStop
	return c
}

// config is the configuration of a process that has these flags alone.
func (f *localFlags) config() app.Config {
	return app.Config{
		Partitions:     f.Partitions,
		EmbeddedListen: f.EmbeddedListen,
		DataDir:        f.DataDir,
		Listen:         f.Listen,
		AdminListen:    f.AdminListen,
		InsecureBind:   f.InsecureBind,
		Guarantee:      f.Guarantee,
		CommitInterval: f.CommitInterval,
		MaxStaged:      int64(f.MaxStaged),
		Store:          f.Store,

		SnapshotInterval: f.SnapshotInterval,
		Standby:          f.Standby,

		DrainTimeout:   f.DrainTimeout,
		UpdatesAccount: true,
	}
}

// forEver translates a wait: for people 0 is for ever, for app it is unset.
func forEver(wait time.Duration) time.Duration {
	if wait == 0 {
		return -1
	}
	return wait
}

// runCommand is the long-lived process: the processor group, the view and the
// listeners.
type runCommand struct {
	runFlags
	progressFlag
}

// Help is the lower part of the verb's help.
func (*runCommand) Help() string {
	return `Reads customer.events, keeps an account for every customer, sends what changed to billing.updates, and answers lookups. Without --brokers it starts a broker of its own, which is for trials only.

Exit code 0: stopped as asked; 1: failure; 2: usage or configuration; 3: topics or state that a person must mend; 4: another process runs under this instance id; 130: second signal.

Examples:

    billstream run
    billstream run --brokers kafka-1:9092 --instance-id billing-0 --listen 127.0.0.1:8080
`
}

// Run runs the process until it is told to stop.
func (r *runCommand) Run(ctx context.Context, p *program, k *kong.Context) error {
	show, config := r.show(p.stderr), r.config()
	logs := r.handler(p.stderr)
	kafka.SetLogger(logs)
	a, err := app.New(config, app.Options{
		OwnProcess: true,
		Log:        logs,
		Notice:     p.stderr,
		Version:    programVersion(),
		ConfigHash: configHash(settingsOf(k, config, p.file)),
		OnRecovery: recoveryBar(p.stderr, show),
	})
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// recoveryBar shows how the recovery stands; nil when nothing is to be shown.
func recoveryBar(s *screen, show bool) func(app.Progress) {
	if !show {
		return nil
	}
	return func(r app.Progress) {
		if r.Finished || r.Target == 0 {
			s.status("")
			return
		}
		s.status(bar{
			label: fmt.Sprintf("recovering %s", r.Table), unit: "records",
			done: r.Done, total: r.Target, rate: r.Rate, left: r.ETASeconds,
		}.String())
	}
}
