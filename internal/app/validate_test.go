package app_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"billstream/internal/app"
)

func TestValidateFillsInWhatWasNotSaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name               string
		config             app.Config
		session            time.Duration
		replication        int16
		listen, admin, dir string
	}{
		{"embedded", app.Config{}, 10 * time.Second, 1, "127.0.0.1:8080", "127.0.0.1:8081", "./billstream-data"},
		{"kafka", app.Config{Brokers: []string{"b:9092"}, Listen: "off"}, 10 * time.Second, 3, "off", "127.0.0.1:8081", "./billstream-data"},
		{"static member", app.Config{InstanceID: "a", DataDir: "d"}, 30 * time.Second, 1, "127.0.0.1:8080", "127.0.0.1:8081", "d"},
	} {
		if err := c.config.Validate(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		got := c.config
		if got.SessionTimeout != c.session || got.Replication != c.replication || got.Listen != c.listen || got.AdminListen != c.admin || got.DataDir != c.dir {
			t.Errorf("%s: config is %+v", c.name, got)
		}
		if got.Partitions != 12 || got.CommitInterval != 100*time.Millisecond || got.DrainTimeout != 10*time.Second || got.UnknownTypes != "ignore" {
			t.Errorf("%s: config is %+v", c.name, got)
		}
	}
}

func TestValidateNamesEveryMistakeAtOnce(t *testing.T) {
	t.Parallel()
	c := app.Config{
		Roles: []string{"cook"}, CommitInterval: time.Millisecond, Partitions: -1, Listen: "0.0.0.0:8080", AdminListen: "8081",
		EmbeddedListen: "0.0.0.0:9092", InsecureBind: false, Ingest: "maybe", UnknownTypes: "x", UpdatesEncoding: "xml",
		Replication: 3, DrainTimeout: -time.Second, MaxInflight: -1, MaxConnections: -1, Standby: -1,
	}
	err := c.Validate()
	if !errors.Is(err, app.ErrConfig) {
		t.Fatalf("error is %v, want ErrConfig", err)
	}
	for _, want := range []string{
		"roles is cook", "commit-interval is 1ms, want 10ms to 10s", "partitions is -1", "listen is 0.0.0.0:8080, want a loopback address",
		"admin-listen is 8081, want HOST:PORT", "embedded-listen is 0.0.0.0:9092", "ingest is maybe", "unknown-types is x", "updates-encoding is xml",
		"replication is 3, want 1 with the embedded broker", "drain-timeout is -1s", "standby is -1, want 0 or more copies", "max-inflight is -1", "max-connections is -1",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q:\n%v", want, err)
		}
	}
}

func TestValidateRefusesWhatNoBrokerTakes(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]app.Config{
		"brokers is foo, want HOST:PORT":                         {Brokers: []string{"b:9092", "foo"}},
		"brokers is a:, want HOST:PORT":                          {Brokers: []string{"a:"}},
		"brokers is :1, want HOST:PORT":                          {Brokers: []string{":1"}},
		`instance-id is "a b", want`:                             {InstanceID: "a b"},
		"admin-listen is 127.0.0.1:5, want another address than": {Listen: "127.0.0.1:5", AdminListen: "127.0.0.1:5"},
		"listen is 127.0.0.1:70000, want HOST:PORT":              {Listen: "127.0.0.1:70000"},
	} {
		if err := c.Validate(); !errors.Is(err, app.ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
	c := app.Config{Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", EmbeddedListen: "127.0.0.1:0", InstanceID: "billing-0"}
	if err := c.Validate(); err != nil {
		t.Errorf("error is %v, want nil: port 0 is any port", err)
	}
}

func TestOnlyInsecureBindOpensMoreThanLoopback(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true, "127.8.8.8:1": true,
		":8080": false, "0.0.0.0:1": false, "[::]:1": false, "192.0.2.1:1": false, "example.com:1": false,
	} {
		for _, insecure := range []bool{false, true} {
			c := app.Config{Listen: addr, InsecureBind: insecure}
			if got := c.Validate() == nil; got != (want || insecure) {
				t.Errorf("listen %s with insecure bind %v is allowed: %v, want %v", addr, insecure, got, want || insecure)
			}
		}
	}
}
