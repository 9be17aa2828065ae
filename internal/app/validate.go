package app

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// The bounds of what can be configured.
const (
	minCommitInterval = 10 * time.Millisecond
	maxCommitInterval = 10 * time.Second
	maxPartitions     = 10_000
	minStaged         = 16 << 10
	minSession        = 300 * time.Millisecond // three heartbeats
	maxSession        = 30 * time.Minute       // brokers' group.max.session.timeout.ms
	minTransaction    = time.Second
	maxTransaction    = 15 * time.Minute // brokers' transaction.max.timeout.ms
	off               = "off"            // the address of a listener that is not opened
)

// Roles of a process.
const (
	RoleProcessor = "processor" // takes part in the group
	RoleView      = "view"      // answers lookups
)

// Guarantees of the process.
const (
	ExactlyOnce = "exactly-once"  // rows, updates and offsets in one transaction
	AtLeastOnce = "at-least-once" // updates, then rows, then offsets
)

// The values of Config.Store.
const (
	StoreMemory = "memory" // rows in memory, with snapshots on disk
	StorePebble = "pebble" // rows on disk
)

// Embedded reports whether the process brings its own broker.
func (c *Config) Embedded() bool { return len(c.Brokers) == 0 }

// Validate fills in the defaults and reports every mistake at once; each of
// them is ErrConfig.
func (c *Config) Validate() error {
	c.fill()
	var errs []error
	wrong := func(name string, got any, want string) {
		errs = append(errs, misconfigured(fmt.Errorf("%s is %v, want %s", name, got, want), ""))
	}
	for _, r := range c.Roles {
		if r != RoleProcessor && r != RoleView {
			wrong("roles", r, "processor or view")
		}
	}
	if c.CommitInterval < minCommitInterval || c.CommitInterval > maxCommitInterval {
		wrong("commit-interval", c.CommitInterval, "10ms to 10s")
	}
	if c.Partitions < 1 || c.Partitions > maxPartitions {
		wrong("partitions", c.Partitions, "1 to 10000")
	}
	if c.Embedded() && c.Replication != 1 {
		wrong("replication", c.Replication, "1 with the embedded broker, which is one node")
	}
	if c.Replication < 1 {
		wrong("replication", c.Replication, "1 or more")
	}
	if c.Standby < 0 || c.Standby > 0 && !c.has(RoleProcessor) {
		wrong("standby", c.Standby, "0 or more copies, with the role processor")
	}
	c.brokers(wrong)
	if c.Embedded() && c.Auth.Secures() {
		wrong("brokers", "empty", "those of a Kafka with --kafka-tls or --sasl-mechanism: the embedded broker has neither")
	}
	if err := c.Auth.Validate(); err != nil {
		errs = append(errs, misconfigured(err, ""))
	}
	c.positive(wrong)
	c.oneOf(wrong)
	c.addresses(wrong)
	return errors.Join(errs...)
}

// instanceIDs are those that Kafka takes as a member's name.
var instanceIDs = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)

// brokers checks how Kafka is to be reached, and under which name.
func (c *Config) brokers(wrong func(string, any, string)) {
	for _, b := range c.Brokers {
		if host, port, err := net.SplitHostPort(b); err != nil || host == "" || !isPort(port) {
			wrong("brokers", b, "HOST:PORT")
		}
	}
	if c.InstanceID != "" && (!instanceIDs.MatchString(c.InstanceID) || c.InstanceID == "." || c.InstanceID == "..") {
		wrong("instance-id", strconv.Quote(c.InstanceID), "1 to 249 letters, digits, dots, hyphens and underscores")
	}
}

// isPort reports whether s is the number of a port.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n <= 65535
}

// positive checks what must not be negative.
func (c *Config) positive(wrong func(string, any, string)) {
	for _, d := range []struct {
		name string
		d    time.Duration
	}{
		{"ready-grace", c.ReadyGrace},
		{"shutdown-delay", c.ShutdownDelay},
		{"drain-timeout", c.DrainTimeout},
	} {
		if d.d < 0 {
			wrong(d.name, d.d, "0s or more")
		}
	}
	if c.MaxStaged < minStaged {
		wrong("max-staged", c.MaxStaged, "16 KiB or more: one record must fit")
	}
	if c.SessionTimeout < minSession || c.SessionTimeout > maxSession {
		wrong("session-timeout", c.SessionTimeout, "300ms to 30m")
	}
	if c.TransactionTimeout < minTransaction || c.TransactionTimeout > maxTransaction {
		wrong("transaction-timeout", c.TransactionTimeout, "1s to 15m, which brokers allow")
	}
	if c.SnapshotInterval < time.Second || c.SnapshotInterval > time.Hour {
		wrong("snapshot-interval", c.SnapshotInterval, "1s to 1h: what was erased must not stay for longer")
	}
	if c.Watchdog < time.Second {
		wrong("watchdog", c.Watchdog, "1s or more")
	}
	if c.MaxInflight < 1 {
		wrong("max-inflight", c.MaxInflight, "1 or more")
	}
	if c.MaxConnections < 1 {
		wrong("max-connections", c.MaxConnections, "1 or more")
	}
}

// oneOf checks the closed lists.
func (c *Config) oneOf(wrong func(string, any, string)) {
	if !slices.Contains([]string{"", "on", off}, c.Ingest) {
		wrong("ingest", c.Ingest, "on or off")
	}
	if !slices.Contains([]string{ExactlyOnce, AtLeastOnce}, c.Guarantee) {
		wrong("guarantee", c.Guarantee, ExactlyOnce+" or "+AtLeastOnce)
	}
	if !slices.Contains([]string{"ignore", "dead-letter"}, c.UnknownTypes) {
		wrong("unknown-types", c.UnknownTypes, "ignore or dead-letter")
	}
	if !slices.Contains([]string{"protobuf", "json"}, c.UpdatesEncoding) {
		wrong("updates-encoding", c.UpdatesEncoding, "protobuf or json")
	}
}

// addresses checks that every listener has a usable address, and none beyond
// loopback unless that was asked for: there is no authentication yet.
func (c *Config) addresses(wrong func(string, any, string)) {
	taken := map[string]string{}
	for _, a := range []struct{ name, addr string }{
		{"listen", c.Listen}, {"admin-listen", c.AdminListen}, {"embedded-listen", c.EmbeddedListen},
	} {
		if a.addr == off && a.name != "embedded-listen" {
			continue
		}
		host, port, err := net.SplitHostPort(a.addr)
		switch {
		case err != nil || !isPort(port):
			wrong(a.name, a.addr, "HOST:PORT")
		case taken[a.addr] != "" && port != "0":
			wrong(a.name, a.addr, "another address than "+taken[a.addr])
		case !loopback(host) && a.name == "embedded-listen":
			wrong(a.name, a.addr, "a loopback address: the embedded broker has no authentication")
		case !loopback(host) && !c.InsecureBind:
			wrong(a.name, a.addr, "a loopback address, or --insecure-bind: anybody who reaches it could read every account")
		}
		taken[a.addr] = a.name
	}
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// fill puts the default where nothing was said.
func (c *Config) fill() {
	if len(c.Roles) == 0 {
		c.Roles = []string{RoleProcessor, RoleView}
	}
	session := 10 * time.Second
	if c.InstanceID != "" {
		session = 30 * time.Second
	}
	replication := int16(3)
	if c.Embedded() {
		replication = 1
	}
	c.SessionTimeout = cmp.Or(c.SessionTimeout, session)
	c.Replication = cmp.Or(c.Replication, replication)
	c.Partitions = cmp.Or(c.Partitions, 12)
	c.BrokerWait = cmp.Or(c.BrokerWait, 10*time.Second)
	c.DataDir = cmp.Or(c.DataDir, "./billstream-data")
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:8080")
	c.AdminListen = cmp.Or(c.AdminListen, "127.0.0.1:8081")
	c.EmbeddedListen = cmp.Or(c.EmbeddedListen, "127.0.0.1:9092")
	c.Store = cmp.Or(c.Store, StoreMemory)
	c.SnapshotInterval = cmp.Or(c.SnapshotInterval, 5*time.Minute)
	c.Guarantee = cmp.Or(c.Guarantee, ExactlyOnce)
	c.CommitInterval = cmp.Or(c.CommitInterval, 100*time.Millisecond)
	c.MaxStaged = cmp.Or(c.MaxStaged, 16<<20)
	c.TransactionTimeout = cmp.Or(c.TransactionTimeout, 20*time.Second)
	c.Watchdog = cmp.Or(c.Watchdog, 30*time.Second)
	c.ReadyGrace = cmp.Or(c.ReadyGrace, 30*time.Second)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 10*time.Second)
	c.MaxInflight = cmp.Or(c.MaxInflight, 512)
	c.MaxConnections = cmp.Or(c.MaxConnections, 2048)
	c.UnknownTypes = cmp.Or(c.UnknownTypes, "ignore")
	c.UpdatesEncoding = cmp.Or(c.UpdatesEncoding, "protobuf")
}

// ingest reports whether POST /v1/events is open: by default only where the
// events topic is ours, with the embedded broker.
func (c *Config) ingest() bool {
	if c.Ingest == "" {
		return c.Embedded()
	}
	return c.Ingest == "on"
}

// has reports whether the process plays a role.
func (c *Config) has(role string) bool { return slices.Contains(c.Roles, role) }
