package kafkatest

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

//go:embed log4j2.properties
var logging []byte

// startWait is how long a start may take. Three brokers are up in 15 s on a
// quiet machine, and in minutes on an overloaded one.
const startWait = 180 * time.Second

// Cluster is some brokers that know each other.
type Cluster struct {
	ID string // of the cluster

	o       Options
	libs    string
	dir     string
	remove  bool // dir is temporary
	brokers []*Broker
	foreign []string // addresses of a cluster that is not ours
}

// Start starts a cluster and returns when every broker is in the metadata of
// every other. Close ends it.
func Start(ctx context.Context, o Options) (c *Cluster, err error) {
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	c = &Cluster{ID: id(), o: o, dir: o.Dir}
	if c.libs, err = Libs(ctx); err != nil {
		return nil, err
	}
	if c.dir == "" {
		c.remove = true
		if c.dir, err = os.MkdirTemp("", "billstream-kafka-"); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
			c = nil
		}
	}()
	if err := c.prepare(ctx); err != nil {
		return c, err
	}
	for _, b := range c.brokers {
		if err := b.Start(); err != nil {
			return c, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	return c, c.Ready(ctx)
}

// prepare writes what brokers read at their start.
func (c *Cluster) prepare(ctx context.Context) error {
	nodes, err := places(c.o.Brokers, len(c.o.Listeners))
	if err != nil {
		return err
	}
	log := filepath.Join(c.dir, "log4j2.properties")
	if err := errors.Join(os.MkdirAll(c.dir, 0o750), os.WriteFile(log, logging, 0o600)); err != nil {
		return err
	}
	for _, n := range nodes {
		b := &Broker{node: n, dir: filepath.Join(c.dir, fmt.Sprintf("broker-%d", n.id))}
		b.java = append([]string{"java", "-Xms256m", "-Xmx512m", "-XX:+UseG1GC"}, c.o.JVM...)
		b.java = append(b.java, "-Dlog4j2.configurationFile="+log, "-cp", c.libs, "kafka.Kafka", b.properties())
		if err := os.MkdirAll(b.dir, 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(b.properties(), []byte(c.o.settings(n, nodes, b.data())), 0o600); err != nil {
			return err
		}
		c.brokers = append(c.brokers, b)
	}
	return c.format(ctx)
}

// Broker returns the broker with a node id, from 1.
func (c *Cluster) Broker(id int) *Broker { return c.brokers[id-1] }

// Brokers returns all brokers, in the order of their ids. A foreign cluster has
// none that could be stopped.
func (c *Cluster) Brokers() []*Broker { return c.brokers }

// Addrs are HOST:PORT of the listeners without security.
func (c *Cluster) Addrs() []string {
	if c.foreign != nil {
		return c.foreign
	}
	addrs := make([]string, len(c.brokers))
	for i, b := range c.brokers {
		addrs[i] = b.Addr()
	}
	return addrs
}

// AddrsOf are HOST:PORT of the further listener with this name.
func (c *Cluster) AddrsOf(listener string) []string {
	var addrs []string
	for i, l := range c.o.Listeners {
		for _, b := range c.brokers {
			if l.Name == listener {
				addrs = append(addrs, b.node.more[i])
			}
		}
	}
	return addrs
}

// Ready waits until every broker that was started, and not told to end, answers,
// knows all of them as alive, and no partition misses a replica on them. A broker
// that has ended by itself is an error.
func (c *Cluster) Ready(ctx context.Context) error {
	for {
		err := c.whole(ctx)
		for _, b := range c.brokers { // also after a success: it may be one that did not need it
			if err := b.crashed(); err != nil {
				return fmt.Errorf("broker %d has ended (%w): %s", b.ID(), err, b.lastWords())
			}
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the cluster: %w (last: %w)", context.Cause(ctx), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// whole says what is missing.
func (c *Cluster) whole(ctx context.Context) error {
	up := 0
	for _, b := range c.brokers {
		if b.wanted() {
			up++
		}
	}
	for _, b := range c.brokers {
		if !b.wanted() {
			continue
		}
		if err := knows(ctx, b.Addr(), up); err != nil {
			return fmt.Errorf("broker %d: %w", b.ID(), err)
		}
	}
	return nil
}

// knows asks one broker whether it sees so many, all with what they lead.
func knows(ctx context.Context, addr string, brokers int) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ClientID("kafkatest"), kgo.RequestRetries(0), kgo.DisableClientMetrics())
	if err != nil {
		return err
	}
	defer client.Close()
	resp, err := client.SeedBrokers()[0].Request(ctx, kmsg.NewPtrMetadataRequest()) // all topics
	if err != nil {
		return err
	}
	m := resp.(*kmsg.MetadataResponse)
	if len(m.Brokers) != brokers {
		return fmt.Errorf("metadata name %d brokers, want %d", len(m.Brokers), brokers)
	}
	for _, t := range m.Topics {
		for _, p := range t.Partitions {
			if want := min(len(p.Replicas), brokers); p.ErrorCode != 0 || len(p.ISR) < want {
				return fmt.Errorf("partition %d of a topic has %d replicas in sync (code %d), want %d", p.Partition, len(p.ISR), p.ErrorCode, want)
			}
		}
	}
	return nil
}

// Close kills what is up. The data of a temporary directory go too.
func (c *Cluster) Close() error {
	var errs []error
	for _, b := range c.brokers {
		if b.PID() != 0 {
			errs = append(errs, b.Kill())
		}
	}
	if c.remove {
		errs = append(errs, os.RemoveAll(c.dir))
	}
	return errors.Join(errs...)
}
