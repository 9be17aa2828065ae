package app

import (
	"errors"
	"time"

	"billstream/internal/auth"
)

// ErrConfig marks a mistake in the configuration or in the use of the machine
// (a data directory or an address in use): exit code 2.
var ErrConfig = errors.New("configuration")

// ErrRefused marks topics or state that a person must mend: exit code 3.
var ErrRefused = errors.New("refused")

// ErrFenced means that another process runs under this instance id: exit code 4.
var ErrFenced = errors.New("fenced")

// Config is everything that run can be told. The zero value of a field means
// the default that its comment names; Validate fills it in.
type Config struct {
	Roles          []string      // processor, view; both
	Brokers        []string      // empty: the embedded broker
	Auth           auth.Config   // TLS and login; its Log is set by New
	BrokerWait     time.Duration // how long to wait for a broker at start; 10 s; negative: for ever
	SessionTimeout time.Duration // 10 s; 30 s with an instance id
	Partitions     int32         // of every topic; 12
	Replication    int16         // 3; 1 with the embedded broker
	DataDir        string        // ./billstream-data
	InstanceID     string        // static membership; empty: dynamic member
	Listen         string        // data listener; 127.0.0.1:8080; "off"
	AdminListen    string        // admin listener; 127.0.0.1:8081; "off"
	EmbeddedListen string        // embedded broker; 127.0.0.1:9092
	InsecureBind   bool          // allow addresses beyond loopback without authentication

	Store            string        // memory, pebble; memory
	SnapshotInterval time.Duration // how often the state is saved; 5 min; 1 s to 1 h
	Standby          int           // warm copies of each partition besides its owner; 0; no more with the role view, which holds all

	Guarantee          string        // exactly-once, at-least-once; exactly-once
	CommitInterval     time.Duration // longest time between two commits; 100 ms; 10 ms to 10 s
	MaxStaged          int64         // bytes processed and not committed before processing waits; 16 MiB
	TransactionTimeout time.Duration // after it brokers abort the transaction of a dead process; 20 s
	Watchdog           time.Duration // how long a partition with input may stand still; 30 s
	ReadyGrace         time.Duration // 30 s
	ShutdownDelay      time.Duration // 0
	DrainTimeout       time.Duration // 10 s
	LeaveOnStop        bool

	MaxInflight    int // HTTP requests in work; 512
	MaxConnections int // sockets per listener; 2048

	Ingest          string // "", on, off: POST /v1/events; default on with the embedded broker
	UnknownTypes    string // ignore, dead-letter; ignore
	UpdatesAccount  bool   // updates carry the account after them
	UpdatesEncoding string // protobuf, json; protobuf
}
