package kafka_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/auth"
	"billstream/internal/auth/authtest"
	"billstream/internal/kafka"
)

// secured starts a broker with TLS that knows one user, and returns how to
// reach it, with the file of the password.
func secured(t *testing.T, mechanism, password string, opts ...kfake.Opt) (*kfake.Cluster, kafka.Config, string) {
	t.Helper()
	ca, dir := authtest.New(t), t.TempDir()
	opts = append([]kfake.Opt{
		kfake.NumBrokers(1), kfake.SeedTopics(3, "t"), kfake.TLS(ca.Server()),
		kfake.EnableSASL(), kfake.Superuser(mechanism, "job", password),
	}, opts...)
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	file := authtest.File(t, dir, "password", []byte(password))
	a, err := auth.New(auth.Config{
		TLS: true, CAFile: authtest.File(t, dir, "ca", ca.PEM()),
		Mechanism: mechanism, User: "job", PasswordFile: file,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, kafka.Config{Brokers: c.ListenAddrs(), Auth: a}, file
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// cable opens connections that can be cut.
type cable struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (c *cable) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, conn)
	return conn, nil
}

// cut ends all connections and returns how many were opened.
func (c *cable) cut() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	return len(c.conns)
}

var withPassword = []string{auth.Plain, auth.SCRAM256, auth.SCRAM512}

func TestEveryMechanismReadsAndWrites(t *testing.T) {
	for _, mechanism := range withPassword {
		t.Run(mechanism, func(t *testing.T) {
			_, c, _ := secured(t, mechanism, "open-sesame")
			p, err := kafka.OpenProducer(c, kafka.ProducerOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if err := p.Write(t.Context(), "t", []kafka.Record{{Partition: 1, Key: []byte("k"), Value: []byte("v")}}); err != nil {
				t.Fatal(err)
			}
			offsets, err := openAdmin(t, c).Offsets(t.Context(), "t")
			if err != nil {
				t.Fatal(err)
			}
			var n int64
			for _, o := range offsets {
				n += o.Newest
			}
			if n != 1 {
				t.Errorf("offsets are %v, want one record", offsets)
			}
		})
	}
}

// A client lives for as long as the process; the password does not.
func TestAClientThatIsOpenLogsInWithTheNewPassword(t *testing.T) {
	for _, mechanism := range withPassword {
		t.Run(mechanism, func(t *testing.T) {
			_, c, file := secured(t, mechanism, "open-sesame")
			wires := new(cable)
			c.Dial = wires.dial
			a := openAdmin(t, c)
			for _, password := range []string{"open-sesame", "shut-sesame"} {
				write(t, file, password)
				if _, err := a.ClusterID(within(t, 10*time.Second)); err != nil {
					t.Fatalf("error is %v on an open connection, want none", err)
				}
			}
			dialled := wires.cut()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if _, err := a.ClusterID(ctx); err == nil || strings.Contains(err.Error(), "sesame") {
				t.Errorf("error is %v with a wrong password, want one without it", err)
			}
			write(t, file, "open-sesame\n")
			back := within(t, 20*time.Second)
			for {
				_, err := a.ClusterID(back)
				if err == nil {
					break
				}
				if back.Err() != nil {
					t.Fatalf("last error is %v after the password was mended, want none", err)
				}
			}
			if wires.cut() == dialled {
				t.Error("no connection was opened anew, want one")
			}
		})
	}
}

// answering is a broker that takes TLS and refuses every login in words, as
// Apache Kafka does.
func answering(t *testing.T, ca *authtest.CA) string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(ca.Server()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.ControlKey(int16(kmsg.SASLHandshake), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return req.ResponseKind(), nil, true
	})
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		text := "Authentication failed: Invalid username or password"
		resp.ErrorCode, resp.ErrorMessage = 58, &text
		return resp, nil, true
	})
	return c.ListenAddrs()[0]
}

func TestARefusedLoginIsNoUnreachableBroker(t *testing.T) {
	ca, dir := authtest.New(t), t.TempDir()
	addr := answering(t, ca)
	for _, mechanism := range withPassword {
		a, err := auth.New(auth.Config{
			TLS: true, CAFile: authtest.File(t, dir, "ca", ca.PEM()),
			Mechanism: mechanism, User: "job", Password: "open-sesame",
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = kafka.OpenAdmin(t.Context(), kafka.Config{Brokers: []string{addr}, Auth: a}, 300*time.Millisecond)
		l, ok := errors.AsType[*kafka.LoginError](err)
		if !ok || !strings.HasPrefix(l.Error(), "login at broker "+addr+" is refused for 300ms, want one that it takes: ") {
			t.Errorf("%s: error is %v, want a *LoginError", mechanism, err)
		}
		if err != nil && strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: error is %v, want no password in it", mechanism, err)
		}
		if !kafka.Denied(err) {
			t.Errorf("%s: error %v is not Denied, want it so", mechanism, err)
		}
	}
}

func TestAPasswordThatComesLateIsWaitedFor(t *testing.T) {
	_, c, file := secured(t, auth.SCRAM512, "open-sesame")
	write(t, file, "not yet")
	var dials atomic.Int32
	c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials.Add(1) == 2 {
			write(t, file, "open-sesame")
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	a, err := kafka.OpenAdmin(t.Context(), c, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if n := dials.Load(); n < 2 {
		t.Errorf("connections are %d, want at least 2: the first login was wrong", n)
	}
}

func TestAMissingRightIsDenied(t *testing.T) {
	rule := func(name string, op kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true}
	}
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "seen", "hidden", "t"), kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.User(auth.SCRAM256, "reader", "r", rule("seen", kmsg.ACLOperationRead), rule("t", kmsg.ACLOperationDescribe)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	c := kafka.Config{Brokers: broker.ListenAddrs()}
	if c.Auth, err = auth.New(auth.Config{Mechanism: auth.SCRAM256, User: "reader", Password: "r"}); err != nil {
		t.Fatal(err)
	}
	a := openAdmin(t, c)
	if err := a.MayRead(t.Context(), "seen"); err != nil {
		t.Errorf("error is %v for a topic that may be read, want none", err)
	}
	for _, name := range []string{"t", "hidden"} {
		if err := a.MayRead(t.Context(), name); !kafka.Denied(err) {
			t.Errorf("error for %s is %v, want a denial", name, err)
		}
	}
	clients := kafka.NewClients(c)
	defer clients.Close()
	manager, err := clients.TopicManager(kafka.Table, 1)(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := manager.EnsureTableExists("seen", 1); err != nil {
		t.Errorf("error of a table whose settings are hidden is %v, want none", err)
	}
	for topic, partitions := range map[string]int{"seen": 2, "hidden": 1} {
		if manager.EnsureTableExists(topic, partitions) == nil {
			t.Errorf("table %s with %d partitions is taken, want an error", topic, partitions)
		}
	}
	found, err := a.Topics(t.Context(), "seen")
	if err != nil || found["seen"].Partitions != 1 || found["seen"].Config != nil {
		t.Errorf("topic is %+v (%v), want 1 partition and hidden settings", found["seen"], err)
	}
}

func TestSaramaLogsNoSecret(t *testing.T) {
	_, c, file := secured(t, auth.Plain, "open-sesame")
	openAdmin(t, c)
	write(t, file, "shut-sesame")
	if _, err := kafka.OpenAdmin(t.Context(), c, 100*time.Millisecond); err == nil {
		t.Error("wrong password was taken, want an error")
	}
	if text := saramaLog.String(); strings.Contains(text, "sesame") || !strings.Contains(text, c.Brokers[0]) {
		t.Errorf("log is %q, want lines about the broker without a password", text)
	}
}
