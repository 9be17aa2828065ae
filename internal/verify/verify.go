package verify

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"billstream/internal/auth"
	"billstream/internal/customer"
	"billstream/internal/topics"
)

// The modes and guarantees of a Config.
const (
	ModeFull  = "full"
	ModeChain = "chain"

	ExactlyOnce = "exactly-once"
	AtLeastOnce = "at-least-once"
)

// Config says what is judged, and how.
type Config struct {
	Brokers   []string
	Auth      *auth.Auth // secures connections and logs in; nil does neither
	Mode      string     // ModeFull, the default, or ModeChain
	Online    bool       // judge what is committed now and leave the table out; the group may run
	Guarantee string     // ExactlyOnce, the default, or AtLeastOnce

	DeadLetterUnknown bool // run dead-letters events of unknown type
	WithoutAccount    bool // run leaves the account out of updates

	Views    []string // base URLs whose lookups are compared
	Stores   []string // directories in which OpenStore finds what stopped processes left
	Metrics  []string // URLs of metrics; their sums are compared
	History  string   // file of what the producer knows; "" for none
	Manifest string   // file of topic ids; "" for none

	ReadTimeout  time.Duration // longest wait for the next record; 0: 60 s
	StableWait   time.Duration // longest wait for open transactions; 0: 30 s
	MaxAnomalies int           // how many are kept; 0: 20

	Seed     string            // copied into the report
	Commit   string            // copied into the report
	Versions map[string]string // copied into the report
	Progress func(done, total int64)
	Client   *http.Client // for Views and Metrics; nil: one with ReadTimeout

	OpenStore OpenStore // required for Stores
}

// ErrConfig says that a Config asks for what there is not.
var ErrConfig = errors.New("configuration")

func (c *Config) complete() error {
	defaults(&c.Mode, ModeFull)
	defaults(&c.Guarantee, ExactlyOnce)
	defaults(&c.ReadTimeout, time.Minute)
	defaults(&c.StableWait, 30*time.Second)
	defaults(&c.MaxAnomalies, 20)
	if c.Client == nil {
		c.Client = &http.Client{Timeout: c.ReadTimeout}
	}
	switch {
	case c.Mode != ModeFull && c.Mode != ModeChain:
		return fmt.Errorf("%w: mode is %q, want %s or %s", ErrConfig, c.Mode, ModeFull, ModeChain)
	case c.Guarantee != ExactlyOnce && c.Guarantee != AtLeastOnce:
		return fmt.Errorf("%w: guarantee is %q, want %s or %s", ErrConfig, c.Guarantee, ExactlyOnce, AtLeastOnce)
	case (c.Online || c.Mode == ModeChain) && len(c.Views)+len(c.Metrics)+len(c.Stores) > 0:
		return fmt.Errorf("%w: views, stores and metrics are given, want them with mode full of a group at rest", ErrConfig)
	case len(c.Stores) > 0 && c.OpenStore == nil:
		return fmt.Errorf("%w: stores are given and nothing that opens them, want both", ErrConfig)
	}
	return nil
}

func defaults[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// Run connects to the brokers and judges. The error is ErrConfig, or that of
// the context; everything else stands in the report.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	l, err := dial(&cfg)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	defer l.close()
	return Check(ctx, cfg, l)
}

// Check judges what l holds.
func Check(ctx context.Context, cfg Config, l Log) (*Report, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	began := time.Now()
	r := &Report{
		Mode: cfg.Mode, Online: cfg.Online, Guarantee: cfg.Guarantee,
		Seed: cfg.Seed, Commit: cfg.Commit, Versions: cfg.Versions,
		Topics: map[string]string{}, Counts: map[string]int64{}, Classes: map[Class]int64{},
		Anomalies: []Anomaly{}, Problems: []Problem{}, most: cfg.MaxAnomalies,
	}
	c := &check{
		cfg: &cfg, log: l, report: r, online: cfg.Online, repeats: cfg.Guarantee == AtLeastOnce,
		bounds: map[string][]Bounds{}, rows: &model{rows: map[customer.ID]*state{}},
	}
	err := c.run(ctx)
	r.Wall = time.Since(began)
	switch {
	case err == nil:
	case errors.Is(err, ErrConfig) || ctx.Err() != nil:
		return r, err
	case errors.Is(err, ErrHanging):
		r.problem(ExitHanging, "%v", err)
	default:
		r.problem(ExitIncomplete, "%v", err)
	}
	r.sort()
	return r, nil
}

func (c *check) run(ctx context.Context) error {
	var err error
	if c.history, err = readHistory(c.cfg.History); err != nil {
		return err
	}
	if err := c.describe(ctx); err != nil {
		return err
	}
	if c.cfg.Mode == ModeChain {
		return c.chain(ctx)
	}
	if err := c.measure(ctx); err != nil {
		return err
	}
	if err := c.allPartitions(ctx); err != nil {
		return err
	}
	c.unprocessed()
	if !c.online {
		if err := c.quiet(ctx); err != nil {
			return err
		}
	}
	c.history.lost(c.report)
	if err := c.views(ctx); err != nil {
		return err
	}
	return c.metrics(ctx)
}

// allPartitions judges one partition after the other, and lets nobody change
// the stores meanwhile.
func (c *check) allPartitions(ctx context.Context) error {
	release, err := c.openStores(ctx)
	if err != nil {
		return err
	}
	defer release()
	for p := range c.partitions {
		if err := c.partition(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// names are the topics of a mode.
func (c *check) names() []string {
	switch {
	case c.cfg.Mode == ModeChain:
		return []string{updatesTopic}
	case c.online:
		return []string{topics.CustomerEvents, updatesTopic, lettersTopic}
	}
	return []string{topics.CustomerEvents, updatesTopic, lettersTopic, topics.BillingTable}
}

// describe finds the topics and compares them with the manifest.
func (c *check) describe(ctx context.Context) error {
	want, err := readManifest(c.cfg.Manifest)
	if err != nil {
		return err
	}
	for _, name := range c.names() {
		t, err := c.log.Topic(ctx, name)
		if err != nil {
			return fmt.Errorf("describe topic %s: %w", name, err)
		}
		id := base64.RawURLEncoding.EncodeToString(t.ID[:])
		c.report.Topics[name] = id
		if w := want[name]; w != "" && w != id {
			c.report.problem(ExitOtherTopics, "topic id of %s is %s, want %s", name, id, w)
		}
		if name == lettersTopic {
			c.maxLetter = t.MaxMessage
		}
		if c.partitions != 0 && t.Partitions != c.partitions {
			return fmt.Errorf("partitions of %s are %d, want %d", name, t.Partitions, c.partitions)
		}
		c.partitions = t.Partitions
	}
	return nil
}

// measure takes the cut, the committed offsets, and then the ends: what the cut
// led to lies below them.
func (c *check) measure(ctx context.Context) error {
	var err error
	if c.committed, err = c.log.Committed(ctx); err != nil {
		return fmt.Errorf("fetch committed offsets: %w", err)
	}
	for _, name := range c.names() {
		b, err := c.log.Bounds(ctx, name)
		if err != nil {
			return fmt.Errorf("list offsets of %s: %w", name, err)
		}
		for p := range b {
			if b[p].Start > 0 {
				return fmt.Errorf("%w: %s begins at %d, want 0", ErrIncomplete, place(name, int32(p)), b[p].Start)
			}
		}
		c.bounds[name] = b
	}
	return nil
}

// quiet makes sure that nothing moved while it was read: the table is that of
// one moment.
func (c *check) quiet(ctx context.Context) error {
	committed, err := c.log.Committed(ctx)
	if err != nil {
		return fmt.Errorf("fetch committed offsets again: %w", err)
	}
	for p := range c.partitions {
		if committed[p] != c.committed[p] {
			return fmt.Errorf("%w: committed offset of partition %d went from %d to %d, want a group at rest", ErrIncomplete, p, c.committed[p], committed[p])
		}
	}
	for _, name := range c.names() {
		b, err := c.log.Bounds(ctx, name)
		if err != nil {
			return fmt.Errorf("list offsets of %s again: %w", name, err)
		}
		for p := range b {
			if b[p] != c.bounds[name][p] {
				return fmt.Errorf("%w: end of %s went from %d to %d, want topics at rest", ErrIncomplete, place(name, int32(p)), c.bounds[name][p].End, b[p].End)
			}
		}
	}
	return nil
}
