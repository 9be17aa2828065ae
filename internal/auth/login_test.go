package auth_test

import (
	"crypto/sha512"
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/xdg-go/scram"

	"billstream/internal/auth"
	"billstream/internal/auth/authtest"
)

// passwords are the mechanisms with one.
var passwords = []string{auth.Plain, auth.SCRAM256, auth.SCRAM512}

// broker is a Kafka that takes TLS and one user.
func broker(t *testing.T, ca *authtest.CA, mechanism, user, password string) []string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(ca.Server()), kfake.EnableSASL(), kfake.Superuser(mechanism, user, password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}

// ping connects anew, logs in and asks for something.
func ping(t *testing.T, brokers []string, a *auth.Auth) error {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(brokers...), kgo.RequestRetries(0)}, a.KgoOpts()...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.Ping(t.Context())
}

func TestThePasswordOfTheMomentLogsIn(t *testing.T) {
	// Not what RFC 4013 would make of it: Kafka takes it byte by byte.
	const password = "ünprepared\u00a0Ⅸ=,"
	for _, mechanism := range passwords {
		t.Run(mechanism, func(t *testing.T) {
			ca, dir := authtest.New(t), t.TempDir()
			brokers := broker(t, ca, mechanism, "job", password)
			file := authtest.File(t, dir, "password", []byte("wrong-sesame\n"))
			a := open(t, auth.Config{
				TLS: true, CAFile: authtest.File(t, dir, "ca", ca.PEM()),
				Mechanism: mechanism, User: "job", PasswordFile: file,
			})
			err := ping(t, brokers, a)
			if err == nil || strings.Contains(err.Error(), "sesame") { // this broker hangs up without a word
				t.Errorf("error with a wrong password is %v, want one without the password", err)
			}
			replace(t, file, []byte(password+"\r\n"))
			if err := ping(t, brokers, a); err != nil {
				t.Errorf("error with the right password is %v, want none", err)
			}
			replace(t, file, nil)
			if _, ok := errors.AsType[*auth.SecretError](ping(t, brokers, a)); !ok {
				t.Error("an empty file is no *SecretError, want one")
			}
		})
	}
}

func TestTheEnvironmentLogsInToo(t *testing.T) {
	ca := authtest.New(t)
	brokers := broker(t, ca, auth.SCRAM512, "job", "p")
	a := open(t, auth.Config{
		TLS: true, CAFile: authtest.File(t, t.TempDir(), "ca", ca.PEM()),
		Mechanism: auth.SCRAM512, User: "job", Password: "p",
	})
	if err := ping(t, brokers, a); err != nil {
		t.Errorf("error is %v, want none", err)
	}
}

// talk has our side of SCRAM talk to a server that stored a password.
func talk(t *testing.T, ours, stored string, iterations int) error {
	t.Helper()
	client, err := scram.SHA512.NewClientUnprepped("job", stored, "")
	if err != nil {
		t.Fatal(err)
	}
	server, err := scram.HashGeneratorFcn(sha512.New).NewServer(func(string) (scram.StoredCredentials, error) {
		return client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt of the server", Iters: iterations})
	})
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, auth.Config{Mechanism: auth.SCRAM512, User: "job", Password: ours}).SCRAM()
	if err := s.Begin("", "", ""); err != nil {
		t.Fatal(err)
	}
	theirs, challenge := server.NewConversation(), ""
	for !s.Done() {
		answer, err := s.Step(challenge)
		if err != nil {
			return err
		}
		if s.Done() {
			return nil
		}
		if challenge, err = theirs.Step(answer); err != nil && challenge == "" {
			return err
		}
	}
	return nil
}

func TestSCRAMWantsAServerThatKnowsThePassword(t *testing.T) {
	if err := talk(t, "open-sesame", "open-sesame", 4096); err != nil {
		t.Errorf("error is %v, want none", err)
	}
	for name, err := range map[string]error{
		"another password":   talk(t, "open-sesame", "other", 4096),
		"too few iterations": talk(t, "open-sesame", "open-sesame", 1000),
	} {
		if err == nil || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: error is %v, want one without the password", name, err)
		}
	}
}
