package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// tokens is where tokens come from.
type tokens interface {
	token(ctx context.Context) (string, error)
}

func (a *Auth) newTokens() tokens {
	if a.cfg.TokenFile != "" {
		return fromFile(a.cfg.TokenFile)
	}
	return &fetched{of: a}
}

// fromFile is a token that somebody else rotates.
type fromFile string

func (f fromFile) token(context.Context) (string, error) { return readSecret(tokenFile, string(f)) }

const (
	fetchTimeout = 10 * time.Second
	// fetchAgain lies between two tries while the old token is still good.
	fetchAgain = 5 * time.Second
	// leastLife is what a token has left at a login, if its issuer grants so
	// much. A session ends with its token (KIP-368), and clients renew it one
	// second before that: a broker refuses that within a second of the login.
	leastLife = 10 * time.Second
)

// fetched is a token that is given for client credentials. It is kept for 80 %
// of its life; then the next login fetches another. While none can be fetched,
// the old one serves for the rest of its life.
type fetched struct {
	of *Auth

	mu      sync.Mutex
	last    string
	refresh time.Time
	expires time.Time
}

func (f *fetched) token(ctx context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.of.cfg.Now()
	if now.Before(f.refresh) {
		return f.last, nil
	}
	fresh, err := f.fetch(ctx)
	switch {
	case err == nil:
		f.last, f.expires, f.refresh = fresh.AccessToken, now, now
		if life := time.Until(fresh.Expiry); life > 0 {
			f.expires, f.refresh = now.Add(life), now.Add(min(life*8/10, life-leastLife))
		}
	case now.Before(f.expires):
		f.refresh = now.Add(min(fetchAgain, f.expires.Sub(now)))
		f.of.cfg.Log.Warn("token not fetched, the last one stays", "until", f.expires, "err", err)
	default:
		return "", err
	}
	return f.last, nil
}

// fetch asks for a token. The client's secret and the certificates are read
// anew.
func (f *fetched) fetch(ctx context.Context) (*oauth2.Token, error) {
	secret, err := f.of.Password()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	client := f.client()
	defer client.CloseIdleConnections()
	c := clientcredentials.Config{
		ClientID: f.of.cfg.User, ClientSecret: secret,
		TokenURL: f.of.cfg.TokenURL, Scopes: strings.Fields(f.of.cfg.Scope),
		AuthStyle: oauth2.AuthStyleInHeader, // every server takes it (RFC 6749, 2.3.1); trying both would count as a failed login
	}
	token, err := c.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
	if err != nil {
		return nil, &SecretError{"token is not given,", said(err)}
	}
	return token, nil
}

// client trusts whom the system trusts, and the brokers' CA beside them: the
// server of tokens may be in the house or not. It follows no redirect, which
// could take the secret elsewhere.
func (f *fetched) client() *http.Client {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if f.of.tls != nil {
		f.of.tls.trust(pool)
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:           http.ProxyFromEnvironment,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// trust adds the CAs in use to a pool.
func (m *material) trust(pool *x509.CertPool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refresh()
	pool.AppendCertsFromPEM([]byte(m.now.ca))
}

// codes are the errors of RFC 6749, 5.2. No other text of the server is
// repeated: it may be our own secret.
var codes = []string{
	"invalid_request", "invalid_client", "invalid_grant",
	"unauthorized_client", "unsupported_grant_type", "invalid_scope",
}

// said is what may be repeated of an error.
func said(err error) error {
	if r, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		if slices.Contains(codes, r.ErrorCode) {
			return fmt.Errorf("answer is %s, want a token", r.ErrorCode)
		}
		if r.Response != nil {
			return fmt.Errorf("answer has status %d, want 200", r.Response.StatusCode)
		}
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("server is not reachable: %w", u.Err)
	}
	return errors.New("answer is not one of RFC 6749, want a token")
}
