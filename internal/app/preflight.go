package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

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
	dir := filepath.Join(a.cfg.DataDir, "state")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return misconfigured(fmt.Errorf("make the state directory: %w", err), "")
	}
	lock := flock.New(filepath.Join(dir, "lock"))
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
	admin, err := kafka.OpenAdmin(ctx, a.kafka, a.cfg.BrokerWait)
	if err != nil {
		return err
	}
	a.admin = admin
	a.broker.ask = admin.ClusterID
	a.started("admin client", func(context.Context) error { return admin.Close() })
	if a.cfg.Embedded() {
		if _, err := applyTopics(ctx, admin, a.cfg.topicOptions()); err != nil {
			return err
		}
	}
	found, err := admin.Topics(ctx, topics.Names()...)
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
	a.replication = found[topics.BillingTable].Replication
	a.log.Info("preflight passed", "partitions", a.input.Partitions)
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
