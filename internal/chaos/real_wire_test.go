//go:build apache

package chaos_test

import (
	bin "encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/kafkatest"
)

// wired starts one real broker whose clients all come over a wire.
func wired(t *testing.T) (*kafkatest.Cluster, *wire) {
	t.Helper()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	settings := quickly()
	settings["advertised.listeners"] = "PLAINTEXT://" + front.Addr().String()
	w := &wire{rng: rand.New(rand.NewPCG(seed, 7)), copies: map[kmsg.Key]bool{}, copied: map[kmsg.Key]int{}, last: map[kmsg.Key][]byte{}, open: map[net.Conn]time.Time{}, holds: make(chan struct{}, 1)}
	known := make(chan string, 1)
	var serving sync.WaitGroup
	serving.Go(func() { w.serve(&listener{front, w}, known) })
	t.Cleanup(func() {
		close(known)
		front.Close()
		w.later.Wait()
	})
	c := kafkatest.Apache(t, kafkatest.Options{Config: settings})
	w.addr = c.Addrs()[0]
	known <- w.addr
	return c, w
}

// serve hands every connection on to the broker until the listener is closed.
func (w *wire) serve(front net.Listener, known <-chan string) {
	var all sync.WaitGroup
	defer all.Wait()
	to := ""
	for {
		in, err := front.Accept()
		if err != nil {
			return
		}
		if to == "" {
			to = <-known
		}
		out, err := net.Dial("tcp", to)
		if err != nil {
			in.Close()
			continue
		}
		all.Go(func() { defer out.Close(); _, _ = io.Copy(out, in) })
		all.Go(func() { defer in.Close(); answers(in, out) })
	}
}

// answers hands answers on one at a time, as a broker writes them.
func answers(in io.Writer, out io.Reader) {
	for {
		var size [4]byte
		if _, err := io.ReadFull(out, size[:]); err != nil {
			return
		}
		frame := make([]byte, 4+bin.BigEndian.Uint32(size[:]))
		copy(frame, size[:])
		if _, err := io.ReadFull(out, frame[4:]); err != nil {
			return
		}
		if _, err := in.Write(frame); err != nil {
			return
		}
	}
}

// TestRealWire lets happen on the way to a real broker what networks do.
func TestRealWire(t *testing.T) {
	c, w := wired(t)
	// One in ten of the requests that end a transaction, or move its offsets,
	// comes once more, later: what tears a writer that cannot tell its
	// transactions apart.
	t.Run("LateCopies", func(t *testing.T) {
		l := onCluster(t, c)
		w.want(kmsg.EndTxn, kmsg.TxnOffsetCommit)
		defer w.want()
		for _, id := range names(2) {
			l.run(id).ready()
		}
		l.load(scaled(12_000), 800)()
		l.faults = w.late(t, kmsg.EndTxn, kmsg.TxnOffsetCommit)
		l.finish(t.Name(), 45*time.Second)
	})
	t.Run("ConnectionDeaths", func(t *testing.T) {
		l := onCluster(t, c)
		for _, id := range names(2) {
			l.run(id).ready()
		}
		stop, deaths := make(chan struct{}), make(chan int)
		go func() { deaths <- w.kill(stop) }()
		l.load(scaled(8_000), 800)()
		close(stop)
		if l.faults = <-deaths; l.faults == 0 {
			t.Error("no connection has died")
		}
		l.finish(t.Name(), 60*time.Second)
	})
	// Why the writer is not sarama's, and that the wire really tears.
	t.Run("ALateEndTearsSarama", func(t *testing.T) {
		if seen := tear(t, c, w, "torn-sarama", newSaramaWriter(t, c)); !slices.Equal(seen, []string{"committed", "aborted"}) {
			t.Errorf("committed records are %v after a late end, want the aborted one among them: nothing was proven", seen)
		}
	})
	t.Run("ALateEndIsRefusedToFranz", func(t *testing.T) {
		if seen := tear(t, c, w, "torn-franz", newFranzWriter(t, c)); !slices.Equal(seen, []string{"committed"}) {
			t.Errorf("committed records are %v after a late end, want the committed one alone", seen)
		}
	})
}

// want says of which requests late copies arrive from now on.
func (w *wire) want(keys ...kmsg.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.copies)
	for _, k := range keys {
		w.copies[k] = true
	}
}
