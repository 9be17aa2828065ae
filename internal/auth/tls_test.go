package auth_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"

	"billstream/internal/auth"
	"billstream/internal/auth/authtest"
)

// server answers TLS connections and tells who came.
type server struct {
	addr  string
	names chan string // the common name of each client, "" without a certificate
}

func serve(t *testing.T, c *tls.Config) *server {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &server{addr: l.Addr().String(), names: make(chan string, 100)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.greet(conn.(*tls.Conn))
		}
	}()
	return s
}

func (s *server) greet(conn *tls.Conn) {
	defer conn.Close()
	if conn.Handshake() != nil {
		return
	}
	name := ""
	if certs := conn.ConnectionState().PeerCertificates; len(certs) > 0 {
		name = certs[0].Subject.CommonName
	}
	s.names <- name
	_, _ = conn.Write([]byte("."))
}

// visit connects once and returns the name that the server saw.
func (s *server) visit(t *testing.T, a *auth.Auth) (string, error) {
	t.Helper()
	conn, err := a.Dialer(nil)(t.Context(), "tcp", s.addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return "", err
	}
	return <-s.names, nil
}

func open(t *testing.T, c auth.Config) *auth.Auth {
	t.Helper()
	a, err := auth.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func replace(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestARotatedCertificateServesTheNextConnection(t *testing.T) {
	ca, dir := authtest.New(t), t.TempDir()
	config := ca.Server()
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool()
	s := serve(t, config)
	first, second := ca.Issue("first"), ca.Issue("second")
	var log bytes.Buffer
	c := auth.Config{
		TLS:      true,
		CAFile:   authtest.File(t, dir, "ca.pem", ca.PEM()),
		CertFile: authtest.File(t, dir, "cert.pem", first.Cert),
		KeyFile:  authtest.File(t, dir, "key.pem", first.Key),
		Log:      slog.New(slog.NewTextHandler(&log, nil)),
	}
	a := open(t, c)
	see := func(step, want string, lines int) {
		t.Helper()
		if got, err := s.visit(t, a); err != nil || got != want {
			t.Errorf("%s: the server saw %q (%v), want %q", step, got, err, want)
		}
		if got := strings.Count(log.String(), "level=WARN"); got != lines {
			t.Errorf("%s: warnings are %d, want %d:\n%s", step, got, lines, &log)
		}
	}
	see("at the start", "first", 0)
	replace(t, c.CertFile, second.Cert)
	see("the key is still the old one", "first", 1)
	see("again", "first", 1)
	replace(t, c.KeyFile, second.Key)
	see("both are new", "second", 1)
	replace(t, c.CertFile, first.Cert[:len(first.Cert)/2])
	see("half written", "second", 2)
	replace(t, c.CertFile, append(second.Cert, first.Cert[:len(first.Cert)/2]...))
	see("half a chain", "second", 2)
	if err := os.Remove(c.CertFile); err != nil {
		t.Fatal(err)
	}
	see("gone", "second", 3)
	replace(t, c.CertFile, first.Cert)
	replace(t, c.KeyFile, first.Key)
	see("back", "first", 3)
	if strings.Contains(log.String(), "PRIVATE") {
		t.Errorf("log is %s, want no key in it", &log)
	}
}

func TestARotatedCAServesTheNextConnection(t *testing.T) {
	old, now, dir := authtest.New(t), authtest.New(t), t.TempDir()
	s := serve(t, now.Server())
	path := authtest.File(t, dir, "ca.pem", old.PEM())
	a := open(t, auth.Config{TLS: true, CAFile: path})
	if _, err := s.visit(t, a); err == nil {
		t.Fatal("a server that nobody vouches for was taken, want an error")
	}
	replace(t, path, append(old.PEM(), now.PEM()...))
	if _, err := s.visit(t, a); err != nil {
		t.Errorf("error is %v after the CA was added, want none", err)
	}
}

func TestTheServersNameIsChecked(t *testing.T) {
	ca, dir := authtest.New(t), t.TempDir()
	pair := ca.Issue("kafka", "kafka-1.example")
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, &tls.Config{Certificates: []tls.Certificate{cert}})
	a := open(t, auth.Config{TLS: true, CAFile: authtest.File(t, dir, "ca.pem", ca.PEM())})
	if _, err := s.visit(t, a); err == nil || !strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("error is %v, want one about the name 127.0.0.1", err)
	}
	reached := a.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.addr)
	})
	conn, err := reached(t.Context(), "tcp", "kafka-1.example:9093")
	if err != nil {
		t.Fatalf("error is %v with the name of the certificate, want none", err)
	}
	conn.Close()
}

func TestOldVersionsOfTLSAreRefused(t *testing.T) {
	ca, dir := authtest.New(t), t.TempDir()
	config := ca.Server()
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	s := serve(t, config)
	a := open(t, auth.Config{TLS: true, CAFile: authtest.File(t, dir, "ca.pem", ca.PEM())})
	if _, err := s.visit(t, a); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("error is %v with TLS 1.1, want one about the protocol version", err)
	}
}

func TestAServerThatNeverAnswersIsGivenUp(t *testing.T) {
	ca, dir := authtest.New(t), t.TempDir()
	a := open(t, auth.Config{TLS: true, CAFile: authtest.File(t, dir, "ca.pem", ca.PEM())})
	ours, theirs := net.Pipe()
	defer theirs.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	dial := a.Dialer(func(context.Context, string, string) (net.Conn, error) {
		cancel(stopped)
		return ours, nil
	})
	if _, err := dial(ctx, "tcp", "127.0.0.1:1"); err == nil {
		t.Error("handshake without an answer succeeded, want an error")
	}
}

func TestWithoutTLSConnectionsAreTheCallersOwn(t *testing.T) {
	var none *auth.Auth
	if none.Dialer(nil) != nil || none.KgoOpts() != nil || none.Mechanism() != "" {
		t.Error("no security changes something, want nothing")
	}
	if a := open(t, auth.Config{}); a.Dialer(nil) != nil || a.KgoOpts() != nil {
		t.Error("the zero configuration changes something, want nothing")
	}
}
