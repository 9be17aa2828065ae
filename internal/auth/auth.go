package auth

import (
	"errors"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Auth connects and logs in. Its methods may be called from several goroutines,
// and on nil, which does neither.
type Auth struct {
	cfg      Config
	tls      *material // nil without TLS
	tokens   tokens    // nil but for OAuth
	warnings []string
}

// New checks the configuration and reads every file once, so that a mistake
// shows at the start. The error says every mistake at once, each of them an
// ErrConfig. It contacts nobody.
func New(c Config) (*Auth, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	m := c.check()
	if len(m) > 0 {
		return nil, errors.Join(m...)
	}
	a := &Auth{cfg: c}
	if c.TLS {
		var err error
		if a.tls, err = newMaterial(c); err != nil {
			m.add("%v", err)
		}
	}
	for _, f := range a.secretFiles() {
		if _, err := readSecret(f.what, f.path); err != nil {
			m.add("%v", err)
		}
	}
	if len(m) > 0 {
		return nil, errors.Join(m...)
	}
	if c.Mechanism == OAuth {
		a.tokens = a.newTokens()
	}
	a.warn()
	return a, nil
}

// secretFile is one whose first line is a secret.
type secretFile struct{ what, path string }

func (a *Auth) secretFiles() (files []secretFile) {
	for _, f := range []secretFile{{passwordFile, a.cfg.PasswordFile}, {tokenFile, a.cfg.TokenFile}} {
		if f.path != "" {
			files = append(files, f)
		}
	}
	return files
}

// warn collects what is unwise and possible.
func (a *Auth) warn() {
	files := a.secretFiles()
	if a.cfg.KeyFile != "" {
		files = append(files, secretFile{"kafka-key-file", a.cfg.KeyFile})
	}
	for _, f := range files {
		if w := readable(f.what, f.path); w != "" {
			a.warnings = append(a.warnings, w)
		}
	}
	if (a.cfg.Mechanism == SCRAM256 || a.cfg.Mechanism == SCRAM512) && !a.cfg.TLS {
		a.warnings = append(a.warnings, "kafka-tls is false, want true: records and the login can be read and changed on their way")
	}
}

// Warnings are sentences about what is possible and unwise, such as a secret
// that others may read.
func (a *Auth) Warnings() []string {
	if a == nil {
		return nil
	}
	return a.warnings
}

// User is the name that is logged in with; "" without a login or with a token
// from a file.
func (a *Auth) User() string {
	if a == nil {
		return ""
	}
	return a.cfg.User
}

// Mechanism is the mechanism of the login; "" without one.
func (a *Auth) Mechanism() string {
	if a == nil {
		return ""
	}
	return a.cfg.Mechanism
}

// KgoOpts makes a franz-go client connect and log in; nil where there is
// nothing to do. They stand behind the caller's own options: of two dialers the
// last one counts. Whoever has a dialer gives it to Dialer and sets the result
// behind these.
func (a *Auth) KgoOpts() []kgo.Opt {
	if a == nil {
		return nil
	}
	var opts []kgo.Opt
	if a.tls != nil {
		opts = append(opts, kgo.Dialer(a.Dialer(nil)))
	}
	if a.cfg.Mechanism != "" {
		opts = append(opts, kgo.SASL(a.mechanism()))
	}
	return opts
}
