// Package doctor connects to a cluster and says in plain sentences what would
// go wrong with the processor group on it. It only asks: nothing is joined,
// written or changed, but for Kafka's own internal topics, which a broker makes
// when it is first asked for a coordinator.
//
// Each check stands alone. One that cannot be made is unknown, with the reason,
// and never ok.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/topics"
)

// Config says what to look at. Only Brokers is required.
type Config struct {
	Brokers []string      // HOST:PORT of any of them
	Opts    []kgo.Opt     // how to log in; nil: neither TLS nor SASL
	Wait    time.Duration // for the first answer of a broker; 0 means 10 s, negative for ever

	Partitions  int32 // wanted of a missing topic; 0 means 12
	Replication int16 // wanted of every topic; 0 means that of the events topic, and 3 without it

	Role               topics.Role   // whose rights are looked at; "" means topics.Processor
	Group              string        // "" means topics.Group
	InstanceID         string        // under which a process is to run; "" means none
	Guarantee          string        // ExactlyOnce or AtLeastOnce; "" means ExactlyOnce
	TransactionTimeout time.Duration // 0 means 20 s
	SessionTimeout     time.Duration // 0 means 10 s, with InstanceID 30 s

	DataDir string // "" means that nothing local is looked at
	Sample  int    // newest records to read of each partition; 0 means 100
}

// The values of Config.Guarantee.
const (
	ExactlyOnce = "exactly-once"
	AtLeastOnce = "at-least-once"
)

// ErrConfig marks a configuration that nothing can be asked with.
var ErrConfig = errors.New("configuration")

// validate fills in what is not said, and refuses what cannot be.
func (c Config) validate() (Config, error) {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(c.Brokers) == 0 {
		wrong("brokers is empty, want HOST:PORT of at least one")
	}
	for _, b := range c.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			wrong("broker is %q, want HOST:PORT", b)
		}
	}
	session := 10 * time.Second
	if c.InstanceID != "" {
		session = 30 * time.Second
	}
	c.Wait = cmp.Or(c.Wait, 10*time.Second)
	c.Role = cmp.Or(c.Role, topics.Processor)
	c.Group = cmp.Or(c.Group, topics.Group)
	c.Guarantee = cmp.Or(c.Guarantee, ExactlyOnce)
	c.TransactionTimeout = cmp.Or(c.TransactionTimeout, 20*time.Second)
	c.SessionTimeout = cmp.Or(c.SessionTimeout, session)
	c.Sample = cmp.Or(c.Sample, 100)
	if c.Guarantee != ExactlyOnce && c.Guarantee != AtLeastOnce {
		wrong("guarantee is %q, want %s or %s", c.Guarantee, ExactlyOnce, AtLeastOnce)
	}
	for name, d := range map[string]time.Duration{
		"transaction timeout": c.TransactionTimeout, "session timeout": c.SessionTimeout,
	} {
		if d < 0 {
			wrong("%s is %s, want more than 0s", name, d)
		}
	}
	if c.Sample < 0 || c.Sample > maxSample {
		wrong("sample is %d, want 1 to %d", c.Sample, maxSample)
	}
	if len(errs) > 0 {
		return c, fmt.Errorf("%w: %w", ErrConfig, errors.Join(errs...))
	}
	return c, nil
}

const (
	// maxSample bounds what is kept in memory of each partition.
	maxSample = 10_000
	// askTime is how long one check, or one question of several, may take.
	askTime = 10 * time.Second
)

// check is one thing to look at. It leaves at least one finding.
type check struct {
	name  string
	local bool // needs no broker
	look  func(context.Context, *exam, *findings)
}

// checks are all, in the order of the report.
func checks() []check {
	return []check{
		{name: "brokers", look: brokers},
		{name: "version", look: versions},
		{name: "features", look: features},
		{name: "cluster", look: cluster},
		{name: "topics", look: settings},
		{name: "replicas", look: replicas},
		{name: "rights", look: rights},
		{name: "partitioner", look: partitioner},
		{name: "clock", look: clock},
		{name: "disk", local: true, look: disk},
		{name: "data-dir", local: true, look: lock},
		{name: "transaction-timeout", look: transactionTimeout},
		{name: "session-timeout", look: sessionTimeout},
		{name: "instance-id", look: instanceID},
		{name: "transactions", look: transactions},
		{name: "offsets", look: offsets},
		{name: "lag", look: lag},
	}
}

// Run makes every check and reports what it found. A cluster that cannot be
// reached is a finding; an error is ErrConfig or the end of ctx.
func Run(ctx context.Context, c Config) (*Report, error) {
	c, err := c.validate()
	if err != nil {
		return nil, err
	}
	e, err := open(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	defer e.close()
	unreachable := e.reach(ctx)
	all := checks()
	found := make([]findings, len(all))
	for i, k := range all {
		found[i].check = k.name
		if unreachable != nil && !k.local {
			found[i].unreachable(k.name, unreachable)
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, askTime)
		k.look(bounded, e, &found[i])
		cancel()
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return report(found), nil
}

// report joins the findings, the worst first.
func report(found []findings) *Report {
	r := &Report{Findings: []Finding{}}
	for _, f := range found {
		r.Findings = append(r.Findings, f.list...)
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Compare(a.Status.rank(), b.Status.rank())
	})
	return r
}
