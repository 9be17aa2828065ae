package auth

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// DialFunc opens a connection, as net.Dialer.DialContext does.
type DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// dialTimeout bounds connection and handshake together.
const dialTimeout = 10 * time.Second

// Dialer returns base with TLS on top; base itself where there is no TLS. nil
// stands for net.Dialer's. The broker must show a certificate for the host that
// was dialled.
func (a *Auth) Dialer(base DialFunc) DialFunc {
	if a == nil || a.tls == nil {
		return base
	}
	if base == nil {
		base = new(net.Dialer).DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		raw, err := base(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		conn := tls.Client(raw, a.tls.config(host))
		if err := conn.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, fmt.Errorf("secure the connection to %s: %w", addr, err)
		}
		return conn, nil
	}
}

// material is what a handshake takes: whom to trust, and who we are. It follows
// its files: each handshake reads them anew, which is cheap beside it, and needs
// no watch that symbolic links or lost events could fool.
type material struct {
	cfg Config

	mu   sync.Mutex
	now  files  // of what is in use
	said string // why the last ones were no good: told of once
	pool *x509.CertPool
	pair []tls.Certificate
	ends time.Time // of our certificate
}

// files is what the three files held.
type files struct{ ca, cert, key string }

// newMaterial reads the files for the first time: what is wrong then is an
// error.
func newMaterial(c Config) (*material, error) {
	m := &material{cfg: c}
	read, err := m.read()
	if err != nil {
		return nil, err
	}
	return m, m.take(read)
}

// read reads the files that there are.
func (m *material) read() (f files, err error) {
	for _, one := range []struct {
		what, path string
		into       *string
	}{
		{"kafka-ca-file", m.cfg.CAFile, &f.ca},
		{"kafka-cert-file", m.cfg.CertFile, &f.cert},
		{"kafka-key-file", m.cfg.KeyFile, &f.key},
	} {
		if one.path == "" {
			continue
		}
		data, err := readFile(one.what, one.path)
		if err != nil {
			return f, err
		}
		*one.into = string(data)
	}
	return f, nil
}

// take makes f what is used, if it is whole and fits together.
func (m *material) take(f files) error {
	pool, pair, ends := (*x509.CertPool)(nil), []tls.Certificate(nil), time.Time{}
	if m.cfg.CAFile != "" {
		cas, err := certificates([]byte(f.ca))
		if err != nil {
			return &SecretError{"kafka-ca-file " + m.cfg.CAFile, err}
		}
		pool = x509.NewCertPool()
		for _, ca := range cas {
			pool.AddCert(ca)
		}
	}
	if m.cfg.CertFile != "" {
		chain, err := certificates([]byte(f.cert))
		if err != nil {
			return &SecretError{"kafka-cert-file " + m.cfg.CertFile, err}
		}
		one, err := tls.X509KeyPair([]byte(f.cert), []byte(f.key))
		if err != nil {
			// The library's own text names no key material, but says too much
			// about it for a log.
			return &SecretError{"kafka-key-file " + m.cfg.KeyFile, errors.New("is not the key of kafka-cert-file, want the two to match")}
		}
		pair, ends = []tls.Certificate{one}, chain[0].NotAfter
	}
	m.now, m.pool, m.pair, m.ends = f, pool, pair, ends
	return nil
}

// refresh reads the files again. What is unreadable, half written or does not
// fit together leaves the last good ones in use.
func (m *material) refresh() {
	f, err := m.read()
	switch {
	case err == nil && f == m.now:
		m.said = ""
		return
	case err == nil:
		err = m.take(f)
	}
	if err == nil {
		m.said = ""
		m.cfg.Log.Info("certificates of the Kafka client changed", "until", m.ends)
		return
	}
	if err.Error() != m.said {
		m.said = err.Error()
		m.cfg.Log.Warn("certificates of the Kafka client not changed, the last good ones stay", "err", err)
	}
}

// config is what a handshake with a host takes.
func (m *material) config(host string) *tls.Config {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refresh()
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		ServerName:   host,
		RootCAs:      m.pool,
		Certificates: m.pair,
	}
}

// certificates parses a file of certificates to its last byte: of one that is
// cut off, the library would quietly take the first half.
func certificates(data []byte) (list []*x509.Certificate, err error) {
	begun := bytes.Count(data, []byte("-----BEGIN "))
	for range begun {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return nil, errors.New("is cut off, want whole PEM blocks")
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("holds a broken certificate (%w), want PEM", err)
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, errors.New("holds no certificate, want PEM")
	}
	return list, nil
}
