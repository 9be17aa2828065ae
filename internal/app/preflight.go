package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gofrs/flock"

	"billstream/internal/devbroker"
	"billstream/internal/kafka"
	"billstream/internal/topics"
)

// startBroker starts the embedded broker when no other is named.
func (a *App) startBroker(context.Context) error {
	a.kafka = kafka.Config{Brokers: a.cfg.Brokers, SessionTimeout: a.cfg.SessionTimeout, InstanceID: a.cfg.InstanceID}
	if !a.cfg.Embedded() {
		a.kafka.Auth = a.auth
		for _, w := range a.auth.Warnings() {
			a.notice("warning: %s", w)
		}
		return nil
	}
	a.notice("warning: %s", devbroker.Warning)
	b, err := devbroker.Start(devbroker.Options{Dir: a.cfg.DataDir, Addr: a.cfg.EmbeddedListen, Log: a.log})
	if err != nil {
		return err
	}
	a.started("embedded broker", func(context.Context) error { return b.Close() })
	if dir := b.SetAside(); dir != "" {
		a.notice("warning: the last end was unclean: broker data and state were set aside together in %s", dir)
		a.log.Warn("unclean end, data set aside", "dir", dir)
	}
	a.kafka.Brokers = []string{b.Addr()}
	a.setAddress(func(at *Addresses) { at.Broker = b.Addr() })
	return nil
}

// lockState takes the state directory for this process alone.
func (a *App) lockState(context.Context) error {
	dir := StateDir(a.cfg.DataDir)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return misconfigured(fmt.Errorf("make the state directory: %w", err), "")
	}
	lock := flock.New(filepath.Join(dir, stateLock))
	got, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock %s: %w", dir, err)
	}
	if !got {
		return fmt.Errorf("data directory %s %w", a.cfg.DataDir, devbroker.ErrInUse)
	}
	a.started("state lock", func(context.Context) error { return lock.Unlock() })
	return nil
}

// topicOptions says what topics this configuration wants.
func (c *Config) topicOptions() topics.Options {
	return topics.Options{Partitions: c.Partitions, Replication: c.Replication, Embedded: c.Embedded()}
}

// preflight waits for a broker, makes the embedded broker's topics, and refuses
// topics on which the group would go wrong.
func (a *App) preflight(ctx context.Context) error {
	began := time.Now()
	admin, err := a.openAdmin(ctx)
	if err != nil {
		return err
	}
	a.admin = admin
	a.broker.ask, a.broker.rights = admin.ClusterID, a.rights()
	a.started("admin client", func(context.Context) error { return admin.Close() })
	if a.cfg.Embedded() {
		if _, err := applyTopics(ctx, admin, a.cfg.topicOptions()); err != nil {
			return err
		}
	}
	look := a.lookAtTopics
	if !a.cfg.has(RoleProcessor) {
		look = a.lookAtTable
	}
	for _, step := range []func(context.Context) error{look, a.mayWork} {
		if err := a.patiently(ctx, began, step); err != nil {
			return err
		}
	}
	a.log.Info("preflight passed", "partitions", a.input.Partitions)
	return nil
}

// sayEvery is how often a start that waits for ever says what it waits for.
const sayEvery = 10 * time.Second

// openAdmin waits for a broker that answers and lets us in.
func (a *App) openAdmin(ctx context.Context) (*kafka.AdminClient, error) {
	if a.cfg.BrokerWait >= 0 {
		return kafka.OpenAdmin(ctx, a.kafka, a.cfg.BrokerWait)
	}
	for {
		admin, err := kafka.OpenAdmin(ctx, a.kafka, sayEvery)
		_, away := errors.AsType[*kafka.UnreachableError](err)
		_, shut := errors.AsType[*kafka.LoginError](err)
		if !away && !shut {
			return admin, err
		}
		a.log.Warn("no broker yet, waiting", "err", err)
	}
}

// lookEvery lies between two looks at topics that could not be seen.
const lookEvery = time.Second

// patiently looks again while a right or a login is missing or a broker fails
// to answer, for as long as the start may wait for a broker: rights are often
// given by the same deployment that starts the process, and brokers name each
// other for some seconds after one has gone.
func (a *App) patiently(ctx context.Context, began time.Time, look func(context.Context) error) error {
	told := false
	for {
		err := look(ctx)
		wait := a.cfg.BrokerWait
		if !kafka.Denied(err) && !kafka.Passing(err) || wait >= 0 && time.Since(began) > wait {
			return forbidden(err)
		}
		if !told {
			what := "broker does not answer, asking again"
			if kafka.Denied(err) {
				what = "right is missing, waiting for it"
			}
			a.log.Warn(what, "err", err)
			told = true
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(lookEvery):
		}
	}
}

// deniedError is a right that is missing, and what shows who needs which.
type deniedError struct{ error }

// Unwrap returns the broker's answer.
func (e *deniedError) Unwrap() error { return e.error }

// Hint says what to do about it, in one line.
func (e *deniedError) Hint() string {
	return "see which rights are needed: billstream topics plan --acls"
}

// forbidden adds the hint to an error about rights.
func forbidden(err error) error {
	if kafka.Denied(err) {
		return &deniedError{err}
	}
	return err
}

// lookAtTopics looks at the topics of the group, and refuses what is wrong with
// them.
func (a *App) lookAtTopics(ctx context.Context) error {
	found, err := a.admin.Topics(ctx, topics.Names()...)
	if err != nil {
		return err
	}
	warnings, err := checkTopics(a.cfg.topicOptions(), found)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		a.notice("warning: %s", w)
	}
	a.input = found[topics.CustomerEvents]
	if n := a.input.Partitions; a.cfg.Embedded() && n != a.cfg.Partitions {
		a.notice("warning: the topics have %d partitions, which stay: partitions %d is not used", n, a.cfg.Partitions)
	}
	a.limits = map[string]int{}
	for name, t := range found {
		if n, err := strconv.Atoi(t.Config[topics.MaxMessage]); err == nil {
			a.limits[name] = n
		}
	}
	a.table = found[topics.BillingTable]
	return nil
}

// lookAtTable is lookAtTopics for a process that shows accounts and makes none:
// the right to read the table is all that it must have. Where it may see more,
// it checks as much as others do.
func (a *App) lookAtTable(ctx context.Context) error {
	err := a.lookAtTopics(ctx)
	if !kafka.Denied(err) {
		return err
	}
	found, err := a.admin.Topics(ctx, topics.BillingTable)
	if err != nil {
		return err
	}
	table, ok := found[topics.BillingTable]
	if !ok {
		return refuse(fmt.Errorf("topic %s is missing, want it made", topics.BillingTable), "make it: billstream topics apply")
	}
	a.notice("warning: this user sees %s alone: the other topics are not checked, and no lag is measured", topics.BillingTable)
	a.input = topics.Topic{Name: table.Name, Partitions: table.Partitions} // without an id: that of the events is unknown
	a.table = table
	return nil
}

// checkTopics turns what topics.Check refuses into errors of class ErrRefused.
func checkTopics(o topics.Options, found map[string]topics.Topic) (warnings []string, err error) {
	refused, warnings := topics.Check(o, found)
	var errs []error
	for _, r := range refused {
		errs = append(errs, refuse(r, r.Hint()))
	}
	return warnings, errors.Join(errs...)
}
