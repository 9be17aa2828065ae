package auth

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The mechanisms, by their registered names.
const (
	Plain    = "PLAIN"         // RFC 4616: the password itself goes over the wire
	SCRAM256 = "SCRAM-SHA-256" // RFC 5802, RFC 7677
	SCRAM512 = "SCRAM-SHA-512"
	OAuth    = "OAUTHBEARER" // RFC 7628: a token, from a file or for client credentials
)

// Mechanisms lists the mechanisms that a Config can ask for.
func Mechanisms() []string { return []string{Plain, SCRAM256, SCRAM512, OAuth} }

// Config says how to connect and how to log in. The zero value does neither:
// connections in the clear, without a name.
type Config struct {
	TLS      bool
	CAFile   string // PEM: who may vouch for brokers; "" is whom the system trusts
	CertFile string // PEM: our certificate and those between it and the CA; with KeyFile
	KeyFile  string // PEM

	Mechanism    string // one of Mechanisms; "" is no login
	User         string // also the client id where a token is fetched
	PasswordFile string // the first line is the password, or the client's secret
	Password     string // from the environment, in place of PasswordFile

	TokenFile string // OAuth: the token, from whoever rotates it
	TokenURL  string // OAuth: where a token is given for client credentials (RFC 6749, 4.4)
	Scope     string // OAuth with TokenURL: scopes, separated by spaces

	Log *slog.Logger     // told of what goes on with the last good file; nil: nowhere
	Now func() time.Time // nil: time.Now
}

// ErrConfig marks a Config that no connection could be made with.
var ErrConfig = errors.New("security configuration")

// configError is a sentence of class ErrConfig.
type configError string

func (e configError) Error() string { return string(e) }

// Is makes the class findable without repeating it in the text.
func (e configError) Is(target error) bool { return target == ErrConfig }

// Validate reports every mistake at once, each as `<what> is <got>, want
// <want>` and ErrConfig, and nil when there is none. It reads the files and
// contacts nobody.
func (c Config) Validate() error {
	_, err := New(c)
	return err
}

// Secures reports whether the configuration asks for anything at all.
func (c Config) Secures() bool { return c.TLS || c.Mechanism != "" }

// mistakes collects sentences.
type mistakes []error

func (m *mistakes) add(format string, args ...any) {
	*m = append(*m, configError(fmt.Sprintf(format, args...)))
}

// check finds what can be said without opening a file.
func (c Config) check() mistakes {
	var m mistakes
	for _, f := range []struct{ name, path string }{
		{"kafka-ca-file", c.CAFile}, {"kafka-cert-file", c.CertFile}, {"kafka-key-file", c.KeyFile},
	} {
		if f.path != "" && !c.TLS {
			m.add("kafka-tls is false, want true with %s", f.name)
		}
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		m.add("kafka-cert-file is %q and kafka-key-file is %q, want both or neither", c.CertFile, c.KeyFile)
	}
	if c.Mechanism == "" {
		c.checkAnonymous(&m)
		return m
	}
	switch {
	case !slices.Contains(Mechanisms(), c.Mechanism):
		m.add("sasl-mechanism is %q, want %s", c.Mechanism, strings.Join(Mechanisms(), ", "))
	case c.Mechanism == OAuth:
		c.checkOAuth(&m)
	default:
		c.checkPassword(&m)
	}
	// RFC 4616 and RFC 7628 both want it: what is sent is all that it takes.
	if (c.Mechanism == Plain || c.Mechanism == OAuth) && !c.TLS {
		m.add("kafka-tls is false, want true with sasl-mechanism %s, which sends the secret itself", c.Mechanism)
	}
	return m
}

// checkAnonymous refuses the parts of a login that nothing would use.
func (c Config) checkAnonymous(m *mistakes) {
	for _, f := range []struct{ name, value string }{
		{"sasl-user", c.User},
		{"sasl-password-file", c.PasswordFile},
		{"sasl-token-file", c.TokenFile},
		{"sasl-token-url", c.TokenURL},
		{"sasl-scope", c.Scope},
	} {
		if f.value != "" {
			m.add("sasl-mechanism is not set, want one of %s with %s", strings.Join(Mechanisms(), ", "), f.name)
		}
	}
}

func (c Config) checkPassword(m *mistakes) {
	if c.User == "" {
		m.add("sasl-user is not set, want one with sasl-mechanism %s", c.Mechanism)
	}
	c.checkSecret(m)
	if cmp.Or(c.TokenFile, c.TokenURL, c.Scope) != "" {
		m.add("sasl-mechanism is %s, want %s with sasl-token-file, sasl-token-url or sasl-scope", c.Mechanism, OAuth)
	}
}

// checkSecret wants one password.
func (c Config) checkSecret(m *mistakes) {
	switch {
	case c.PasswordFile == "" && c.Password == "":
		m.add("password is not set, want sasl-password-file or %s", PasswordVariable)
	case c.PasswordFile != "" && c.Password != "":
		m.add("password is set twice, want either sasl-password-file or %s", PasswordVariable)
	}
}

// PasswordVariable is the one way beside a file by which a password may come.
const PasswordVariable = "BILLSTREAM_SASL_PASSWORD"

func (c Config) checkOAuth(m *mistakes) {
	switch {
	case c.TokenFile == "" && c.TokenURL == "":
		m.add("token is not set, want sasl-token-file or sasl-token-url")
	case c.TokenFile != "" && c.TokenURL != "":
		m.add("token is set twice, want either sasl-token-file or sasl-token-url")
	case c.TokenFile != "" && cmp.Or(c.User, c.PasswordFile, c.Password, c.Scope) != "":
		m.add("token comes from sasl-token-file, want no user, password or scope beside it")
	case c.TokenURL != "":
		if c.User == "" {
			m.add("sasl-user is not set, want the client id with sasl-token-url")
		}
		c.checkSecret(m)
		c.checkURL(m)
	}
}

// checkURL keeps the client's secret off the open network. The URL itself is
// not repeated: what should not be in it may be a secret.
func (c Config) checkURL(m *mistakes) {
	u, err := url.Parse(c.TokenURL)
	switch {
	case err != nil || u.Host == "":
		m.add("sasl-token-url is not a URL, want https://HOST/PATH")
	case u.User != nil || u.RawQuery != "":
		m.add("sasl-token-url holds a user or a query, want neither: secrets come from files")
	case u.Scheme == "https":
	case u.Scheme != "http" || !loopback(u.Hostname()):
		m.add("sasl-token-url begins with %q, want https", u.Scheme)
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
