// Package devbroker is Kafka inside the process: one node of kfake, for the
// first run, the demo and quick tests. It proves how clients behave, never what
// a broker promises: a crash can lose data, and it listens on loopback alone.
package devbroker

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/twmb/franz-go/pkg/kfake"
)

// Warning is what everybody who starts the broker must read.
const Warning = "embedded broker: for trials only; a crash can lose data. Use --brokers for Apache Kafka."

// ErrInUse means that another process has the data directory.
var ErrInUse = errors.New("is used by another process")

// ErrAddress means that the listener's address is taken.
var ErrAddress = errors.New("is taken by another process")

// Options says where the broker lives. Dir and Addr are required.
type Options struct {
	Dir  string       // the data directory; the broker's own part is Dir/broker
	Addr string       // HOST:PORT of the listener, on loopback; port 0 picks one
	Log  *slog.Logger // nil: nowhere

	Nodes      int           // brokers in the process, all on loopback, the first at Addr; 0: 1
	MinSession time.Duration // the shortest session that a group's member may ask for; 0: 1 s
}

// Broker is a running broker.
type Broker struct {
	cluster  *kfake.Cluster
	log      *logger
	addr     string
	dir      directory
	lock     *flock.Flock
	setAside string
}

// Start locks the directory, sets aside what an unclean end left there, and
// opens the broker over what was kept. ErrInUse and ErrAddress tell apart what
// another process holds.
func Start(o Options) (*Broker, error) {
	dir := directory(o.Dir)
	lock, err := dir.lock()
	if err != nil {
		return nil, err
	}
	b := &Broker{dir: dir, lock: lock, log: newLogger(o.Log)}
	if err := b.open(o); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return b, nil
}

// open takes the address before it touches the data: a start that cannot
// listen leaves the directory, and what it has to say about it, as it was.
func (b *Broker) open(o Options) error {
	minSession := cmp.Or(o.MinSession, time.Second)
	listener, err := net.Listen("tcp", o.Addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("address %s %w", o.Addr, ErrAddress)
	case err != nil:
		return fmt.Errorf("start embedded broker: %w", err)
	}
	if b.setAside, err = b.dir.begin(time.Now()); err != nil {
		return errors.Join(err, listener.Close())
	}
	b.cluster, err = kfake.NewCluster(
		kfake.NumBrokers(max(o.Nodes, 1)),
		kfake.ClusterID(rand.Text()), // kept by the data directory from the first start on
		kfake.DataDir(b.dir.data()),
		kfake.SyncWrites(), // as fast as without, and less is lost; it makes no crash safe
		kfake.WithLogger(b.log),
		kfake.GroupMinSessionTimeout(minSession),
		kfake.BrokerConfigs(brokerConfigs(minSession)),
		kfake.ListenFn(first(listener)),
	)
	if err != nil {
		// The data was read and not changed: it is as good as it was.
		return errors.Join(fmt.Errorf("start embedded broker: %w", err), b.dir.end())
	}
	b.addr = b.cluster.ListenAddrs()[0]
	return nil
}

// first gives the first node the listener; the others take any port.
func first(listener net.Listener) func(network, addr string) (net.Listener, error) {
	taken := false
	return func(network, addr string) (net.Listener, error) {
		if taken {
			return net.Listen(network, addr)
		}
		taken = true
		return listener, nil
	}
}

// brokerConfigs are the settings that differ from Kafka's defaults. Compaction
// stops every request and does not survive a crash, so it never runs; committed
// offsets are kept for a hundred years, since a trial may rest for weeks.
func brokerConfigs(minSession time.Duration) map[string]string {
	return map[string]string{
		"log.cleaner.backoff.ms":       "2147483647",
		"offsets.retention.minutes":    "52560000",
		"group.min.session.timeout.ms": strconv.FormatInt(minSession.Milliseconds(), 10),
	}
}

// Addr is where the broker listens, as HOST:PORT.
func (b *Broker) Addr() string { return b.addr }

// SetAside names the directory that took the data of an unclean end; "" when
// there was none. Whoever starts the broker must say so.
func (b *Broker) SetAside() string { return b.setAside }

// Close writes everything to the directory and stops. Clients should be closed
// before. After an error the next start sets the data aside.
func (b *Broker) Close() error {
	b.cluster.Close()
	if err := b.log.failure(); err != nil {
		return errors.Join(fmt.Errorf("close embedded broker: %w", err), b.lock.Unlock())
	}
	return errors.Join(b.dir.end(), b.lock.Unlock())
}

// directory is the data directory of the process. The broker's part holds the
// lock and the marker beside the data, so that the data can be moved away under
// the lock.
type directory string

func (d directory) broker() string { return filepath.Join(string(d), "broker") }
func (d directory) data() string   { return filepath.Join(d.broker(), "data") }
func (d directory) marker() string { return filepath.Join(d.broker(), "open") }
func (d directory) state() string  { return filepath.Join(string(d), "state") }

func (d directory) lock() (*flock.Flock, error) {
	if err := os.MkdirAll(d.broker(), 0o750); err != nil {
		return nil, fmt.Errorf("make the broker's directory: %w", err)
	}
	lock := flock.New(filepath.Join(d.broker(), "lock"))
	switch got, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("lock the broker's directory: %w", err)
	case !got:
		return nil, fmt.Errorf("data directory %s %w", d, ErrInUse)
	}
	return lock, nil
}

// begin marks the data as open. A marker that is already there tells that the
// last broker did not close it; kfake's files are then not to be trusted, and
// neither is any state that was built from them: both are set aside together.
func (d directory) begin(now time.Time) (setAside string, err error) {
	switch _, err := os.Stat(d.marker()); {
	case err == nil:
		if setAside, err = d.moveAway(now); err != nil {
			return "", fmt.Errorf("set aside the data of an unclean end: %w", err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("look for the marker of an unclean end: %w", err)
	}
	if err := os.WriteFile(d.marker(), nil, 0o640); err != nil {
		return "", fmt.Errorf("mark the broker's data as open: %w", err)
	}
	return setAside, nil
}

// end takes the marker away after a clean close.
func (d directory) end() error { return os.Remove(d.marker()) }

// moveAway moves the broker's data and the state into a directory of their own.
// A crash in between leaves the marker, and the next start moves the rest.
func (d directory) moveAway(now time.Time) (string, error) {
	to := filepath.Join(string(d), now.UTC().Format("set-aside-20060102T150405.000Z"))
	moved := ""
	for _, move := range [][2]string{{d.data(), "broker"}, {d.state(), "state"}} {
		if _, err := os.Stat(move[0]); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.MkdirAll(to, 0o750); err != nil {
			return "", err
		}
		if err := os.Rename(move[0], filepath.Join(to, move[1])); err != nil {
			return "", err
		}
		moved = to
	}
	return moved, nil
}
