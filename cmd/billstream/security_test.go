package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"billstream/internal/auth"
	"billstream/internal/auth/authtest"
)

// TestEveryVerbThatReachesABrokerLogsIn calls each against a broker that wants
// TLS and a password, with the right one and with another.
func TestEveryVerbThatReachesABrokerLogsIn(t *testing.T) {
	ca, dir := authtest.New(t), t.TempDir()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(ca.Server()), kfake.EnableSASL(), kfake.Superuser(auth.SCRAM512, "job", "open-sesame"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	password := authtest.File(t, dir, "password", []byte("open-sesame\n"))
	event := authtest.File(t, dir, "events.jsonl", []byte(`{"specversion":"1.0","id":"1","source":"/test","type":"customer.renamed.v1","subject":"c-1","time":"2026-01-01T00:00:00Z","datacontenttype":"application/json","data":{"name":"x"}}`))
	secured := []string{
		"--brokers", broker.ListenAddrs()[0], "--kafka-tls", "--kafka-ca-file", authtest.File(t, dir, "ca", ca.PEM()),
		"--sasl-mechanism", auth.SCRAM512, "--sasl-user", "job",
	}
	for _, tt := range []struct {
		verb []string
		want int
	}{
		{[]string{"topics", "plan", "--replication", "1"}, 0},
		{[]string{"topics", "apply", "--replication", "1", "--partitions", "2"}, 0},
		{[]string{"topics", "check", "--replication", "1"}, 0},
		{[]string{"emit", event}, 0},
		{[]string{"verify", "--read-timeout", "5s"}, 3}, // nobody has processed the event
	} {
		name := strings.Join(tt.verb[:min(2, len(tt.verb))], " ")
		call := func(login ...string) (int, string) {
			var said bytes.Buffer
			args := append(append(append([]string{}, tt.verb...), secured...), login...)
			return run(args, strings.NewReader(""), &said, &said), said.String()
		}
		if code, said := call("--sasl-password-file", password); code != tt.want {
			t.Errorf("%s: exit code is %d, want %d:\n%s", name, code, tt.want, said)
		}
		t.Setenv(auth.PasswordVariable, "open-sesame")
		if code, said := call(); code != tt.want && tt.verb[0] != "emit" {
			t.Errorf("%s with the variable: exit code is %d, want %d:\n%s", name, code, tt.want, said)
		}
		t.Setenv(auth.PasswordVariable, "shut-sesame")
		wrong := []string{"--broker-wait", "100ms"}
		if tt.verb[0] == "verify" {
			wrong = []string{"--read-timeout", "100ms"}
		}
		if code, said := call(wrong...); code == 0 || code == tt.want || strings.Contains(said, "sesame") {
			t.Errorf("%s with another password: exit code is %d, want an error without the password:\n%s", name, code, said)
		}
		t.Setenv(auth.PasswordVariable, "")
	}
}
