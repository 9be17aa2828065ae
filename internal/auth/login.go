package auth

import (
	"context"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// Password returns the password as it is now. A *SecretError says that there is
// none to be had.
func (a *Auth) Password() (string, error) {
	if a.cfg.PasswordFile == "" {
		return a.cfg.Password, nil
	}
	return readSecret(passwordFile, a.cfg.PasswordFile)
}

// Token returns a token that is good for a login now. A *SecretError says that
// there is none to be had.
func (a *Auth) Token(ctx context.Context) (string, error) { return a.tokens.token(ctx) }

// mechanism is the login of a franz-go client, which asks at each login.
func (a *Auth) mechanism() sasl.Mechanism {
	switch a.cfg.Mechanism {
	case Plain:
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			password, err := a.Password()
			return plain.Auth{User: a.cfg.User, Pass: password}, err
		})
	case OAuth:
		return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
			token, err := a.Token(ctx)
			return oauth.Auth{Token: token}, err
		})
	}
	return scramMechanism{a}
}
