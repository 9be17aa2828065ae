//go:build apache

package app_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/app"
	"billstream/internal/auth"
	"billstream/internal/auth/authtest"
	"billstream/internal/kafka"
	"billstream/internal/kafkatest"
	"billstream/internal/topics"
)

// fortress is a real Kafka that keeps to rules, with a listener for each way to
// log in. Who comes without a name, through the listener in the clear, may do
// everything.
type fortress struct {
	guard
	cluster *kafkatest.Cluster
	ca      *authtest.CA
	caFile  string
}

// sessions is how long the brokers let a login last, so that tests see it
// renewed.
const sessions = 4 * time.Second

// pemStores are the settings of one listener by TLS.
func pemStores(listener, keys, cas string) map[string]string {
	prefix := "listener.name." + listener + "."
	return map[string]string{
		prefix + "ssl.keystore.type": "PEM", prefix + "ssl.keystore.location": keys,
		prefix + "ssl.truststore.type": "PEM", prefix + "ssl.truststore.location": cas,
	}
}

func newFortress(t *testing.T) *fortress {
	t.Helper()
	ca, dir := authtest.New(t), t.TempDir()
	pair := ca.Issue("broker", "127.0.0.1", "localhost")
	keys := authtest.File(t, dir, "broker.pem", append(pair.Key, pair.Cert...))
	f := &fortress{ca: ca, caFile: authtest.File(t, dir, "ca.pem", ca.PEM())}
	const (
		modules = "org.apache.kafka.common.security."
		scram   = "listener.name.scram.scram-sha-512."
		oauth   = "listener.name.oauth.oauthbearer."
	)
	config := map[string]string{
		"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"super.users":           "User:ANONYMOUS",

		"listener.name.mutual.ssl.client.auth": "required",

		"listener.name.scram.sasl.enabled.mechanisms": auth.SCRAM512,
		scram + "sasl.jaas.config":                    modules + "scram.ScramLoginModule required;",
		scram + "connections.max.reauth.ms":           fmt.Sprint(sessions.Milliseconds()),

		"listener.name.oauth.sasl.enabled.mechanisms": auth.OAuth,
		oauth + "sasl.jaas.config":                    modules + `oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
		oauth + "sasl.server.callback.handler.class":  modules + "oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler",
		oauth + "connections.max.reauth.ms":           fmt.Sprint(sessions.Milliseconds()),
	}
	for _, listener := range []string{"tls", "mutual", "scram", "oauth"} {
		maps.Copy(config, pemStores(listener, keys, f.caFile))
	}
	f.cluster = kafkatest.Apache(t, kafkatest.Options{
		Config: config,
		Listeners: []kafkatest.Listener{
			{Name: "TLS", Protocol: "SSL"},
			{Name: "MUTUAL", Protocol: "SSL"},
			{Name: "SCRAM", Protocol: "SASL_SSL"},
			{Name: "OAUTH", Protocol: "SASL_SSL"},
		},
	})
	client, err := kgo.NewClient(kgo.SeedBrokers(f.cluster.Addrs()...), kgo.DefaultProduceTopic(topics.CustomerEvents))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	f.guard = guard{t, client}
	f.applyAs(t, nil)
	return f
}

// applyAs makes the topics, as somebody.
func (f *fortress) applyAs(t *testing.T, a *auth.Auth) {
	t.Helper()
	if _, err := app.TopicsApply(t.Context(), f.topics(a)); err != nil {
		t.Fatal(err)
	}
}

func (f *fortress) topics(a *auth.Auth) app.TopicsConfig {
	c := app.TopicsConfig{Brokers: f.cluster.Addrs(), Auth: a, Wait: 5 * time.Second, Partitions: 2, Replication: 1}
	if a != nil {
		c.Brokers = f.cluster.AddrsOf("SCRAM")
	}
	return c
}

// password gives a user of SCRAM a password.
func (f *fortress) password(t *testing.T, user, password string) {
	t.Helper()
	salt := []byte("0123456789abcdef")
	salted := authtest.Salted(t, password, salt, 4096)
	req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	u := kmsg.NewAlterUserSCRAMCredentialsRequestUpsertion()
	u.Name, u.Mechanism, u.Iterations, u.Salt, u.SaltedPassword = user, 2, 4096, salt, salted
	req.Upsertions = append(req.Upsertions, u)
	resp, err := req.RequestWith(t.Context(), f.client)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resp.Results {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			t.Fatal(err)
		}
	}
}

// scram is the configuration of a user with a password in a file, whom the
// broker lets in.
func (f *fortress) scram(t *testing.T, user string) auth.Config {
	t.Helper()
	f.password(t, user, "open-sesame")
	c := auth.Config{
		TLS: true, CAFile: f.caFile, Mechanism: auth.SCRAM512, User: user,
		PasswordFile: authtest.File(t, t.TempDir(), "password", []byte("open-sesame\n")),
	}
	k, err := kafka.OpenAdmin(t.Context(), kafka.Config{Brokers: f.cluster.AddrsOf("SCRAM"), Auth: f.open(t, c)}, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *fortress) open(t *testing.T, c auth.Config) *auth.Auth {
	t.Helper()
	a, err := auth.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// process is the configuration of a process that comes through a listener.
func (f *fortress) process(t *testing.T, listener string, c auth.Config) app.Config {
	t.Helper()
	p := config(t.TempDir())
	p.Brokers, p.Partitions, p.Replication = f.cluster.AddrsOf(listener), 2, 1
	p.SessionTimeout, p.ReadyGrace, p.Watchdog = 2*time.Second, 2*time.Second, 5*time.Second
	p.Auth = c
	return p
}

// write replaces a secret.
func write(t *testing.T, path, text string) {
	t.Helper()
	next := filepath.Join(filepath.Dir(path), "next")
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}
