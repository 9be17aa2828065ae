package auth_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"billstream/internal/auth"
	"billstream/internal/auth/authtest"
)

func TestEveryMistakeIsToldAtOnce(t *testing.T) {
	t.Chdir(t.TempDir())
	ca := authtest.New(t)
	pair, other := ca.Issue("a"), ca.Issue("b")
	for name, data := range map[string]string{
		"good": "secret\n", "empty": "\n", "lines": "one\ntwo\n",
		"ca": string(ca.PEM()), "cert": string(pair.Cert), "key": string(pair.Key), "other": string(other.Key),
	} {
		authtest.File(t, ".", name, []byte(data))
	}
	for _, tt := range []struct {
		name string
		c    auth.Config
		want string
	}{
		{"nothing", auth.Config{}, ""},
		{"TLS alone", auth.Config{TLS: true}, ""},
		{"mutual", auth.Config{TLS: true, CAFile: "ca", CertFile: "cert", KeyFile: "key"}, ""},
		{"SCRAM", auth.Config{Mechanism: auth.SCRAM512, User: "u", PasswordFile: "good"}, ""},
		{"environment", auth.Config{Mechanism: auth.SCRAM512, User: "u", Password: "p"}, ""},
		{"token", auth.Config{TLS: true, Mechanism: auth.OAuth, TokenFile: "good"}, ""},
		{"credentials", auth.Config{TLS: true, Mechanism: auth.OAuth, TokenURL: "https://id/t", User: "u", PasswordFile: "good"}, ""},

		{"files without TLS", auth.Config{CAFile: "ca", CertFile: "cert"}, `kafka-tls is false, want true with kafka-ca-file
kafka-tls is false, want true with kafka-cert-file
kafka-cert-file is "cert" and kafka-key-file is "", want both or neither`},
		{"no mechanism", auth.Config{User: "u"}, "sasl-mechanism is not set, want one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER with sasl-user"},
		{"another", auth.Config{Mechanism: "GSSAPI"}, `sasl-mechanism is "GSSAPI", want PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER`},
		{"PLAIN in the clear", auth.Config{Mechanism: auth.Plain, User: "u"}, `password is not set, want sasl-password-file or BILLSTREAM_SASL_PASSWORD
kafka-tls is false, want true with sasl-mechanism PLAIN, which sends the secret itself`},
		{"two passwords", auth.Config{Mechanism: auth.SCRAM256, PasswordFile: "good", Password: "p"}, `sasl-user is not set, want one with sasl-mechanism SCRAM-SHA-256
password is set twice, want either sasl-password-file or BILLSTREAM_SASL_PASSWORD`},
		{"a token beside a password", auth.Config{Mechanism: auth.SCRAM256, User: "u", Password: "p", Scope: "s"}, "sasl-mechanism is SCRAM-SHA-256, want OAUTHBEARER with sasl-token-file, sasl-token-url or sasl-scope"},
		{"no token", auth.Config{Mechanism: auth.OAuth}, `token is not set, want sasl-token-file or sasl-token-url
kafka-tls is false, want true with sasl-mechanism OAUTHBEARER, which sends the secret itself`},
		{"two tokens", auth.Config{TLS: true, Mechanism: auth.OAuth, TokenFile: "good", TokenURL: "https://id"}, "token is set twice, want either sasl-token-file or sasl-token-url"},
		{"a secret in the URL", auth.Config{TLS: true, Mechanism: auth.OAuth, TokenURL: "https://u:open-sesame@id/t", User: "u", Password: "p"}, "sasl-token-url holds a user or a query, want neither: secrets come from files"},
		{"a URL in the clear", auth.Config{TLS: true, Mechanism: auth.OAuth, TokenURL: "http://id/t", User: "u", Password: "p"}, `sasl-token-url begins with "http", want https`},

		{"missing", auth.Config{Mechanism: auth.SCRAM512, User: "u", PasswordFile: "nowhere"}, "sasl-password-file nowhere is not readable (no such file or directory), want a file that this user may read"},
		{"empty", auth.Config{Mechanism: auth.SCRAM512, User: "u", PasswordFile: "empty"}, "sasl-password-file empty is empty, want the secret in its first line"},
		{"a page", auth.Config{Mechanism: auth.SCRAM512, User: "u", PasswordFile: "lines"}, "sasl-password-file lines has more than one line, want one"},
		{"no PEM", auth.Config{TLS: true, CAFile: "good"}, "kafka-ca-file good holds no certificate, want PEM"},
		{"another's key", auth.Config{TLS: true, CertFile: "cert", KeyFile: "other"}, "kafka-key-file other is not the key of kafka-cert-file, want the two to match"},
	} {
		err := tt.c.Validate()
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: mistakes are\n%s\nwant\n%s", tt.name, got, tt.want)
		}
		if err != nil && !errors.Is(err, auth.ErrConfig) {
			t.Errorf("%s: error is not of class ErrConfig", tt.name)
		}
	}
}

func TestSecretsThatOthersMayReadAreAWarning(t *testing.T) {
	t.Chdir(t.TempDir())
	pair := authtest.New(t).Issue("a")
	c := auth.Config{
		TLS: true, CertFile: authtest.File(t, ".", "cert", pair.Cert), KeyFile: authtest.File(t, ".", "key", pair.Key),
		Mechanism: auth.SCRAM512, User: "u", PasswordFile: authtest.File(t, ".", "password", []byte("p")),
	}
	if got := open(t, c).Warnings(); len(got) != 0 {
		t.Errorf("warnings are %q, want none", got)
	}
	for name, mode := range map[string]os.FileMode{"key": 0o640, "password": 0o604, "cert": 0o644} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	want := `sasl-password-file password has mode 0604, want 0600: others may read the secret
kafka-key-file key has mode 0640, want 0600: others may read the secret`
	if got := strings.Join(open(t, c).Warnings(), "\n"); got != want {
		t.Errorf("warnings are\n%s\nwant\n%s", got, want)
	}
}

func TestSCRAMInTheClearIsAWarning(t *testing.T) {
	got := open(t, auth.Config{Mechanism: auth.SCRAM512, User: "u", Password: "p"}).Warnings()
	if len(got) != 1 || !strings.HasPrefix(got[0], "kafka-tls is false, want true") {
		t.Errorf("warnings are %q, want one about kafka-tls", got)
	}
}
