//go:build chaos

package chaos_test

import (
	"math/rand/v2"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// newFakeLab starts a broker in this process, behind a wire.
func newFakeLab(t *testing.T, name string) (*lab, *kfake.Cluster, *wire) {
	l := bareLab(t, name)
	w := &wire{rng: rand.New(rand.NewPCG(seed, 7)), copies: map[kmsg.Key]bool{}, copied: map[kmsg.Key]int{}, last: map[kmsg.Key][]byte{}, open: map[net.Conn]time.Time{}, holds: make(chan struct{}, 1)}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(500*time.Millisecond), kfake.SleepOutOfOrder(),
		kfake.BrokerConfigs(map[string]string{"group.min.session.timeout.ms": "500", "log.cleaner.backoff.ms": "2147483647"}),
		kfake.ListenFn(func(network, addr string) (net.Listener, error) {
			in, err := net.Listen(network, addr)
			return &listener{in, w}, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.later.Wait(); c.Close() })
	l.addr = c.ListenAddrs()[0]
	w.addr = l.addr
	made := l.child("topics", nil, "topics", "apply", "--brokers", l.addr, "--partitions", "8", "--replication", "1")
	<-made.ended
	if made.err != nil {
		t.Fatalf("topics apply: %v, see %s", made.err, filepath.Join(l.dir, "topics.log"))
	}
	return l, c, w
}
