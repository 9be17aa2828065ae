//go:build chaos || apache

package chaos_test

import (
	"bytes"
	bin "encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// wire stands between the workers and a broker in this process: it sees every
// request and every answer, and does to them what networks do.
type wire struct {
	addr  string
	held  atomic.Pointer[string] // ends of this transactional id arrive 2.2 s late, from nowhere
	holds chan struct{}          // one is held

	mu     sync.Mutex
	rng    *rand.Rand
	fault  *fault
	copies map[kmsg.Key]bool      // requests of which late copies arrive
	last   map[kmsg.Key][]byte    // the newest request of each kind
	copied map[kmsg.Key]int       // late copies that were answered
	open   map[net.Conn]time.Time // when each is to die
	later  sync.WaitGroup         // copies under way
}

// fault happens to one request of a kind.
type fault struct {
	key  kmsg.Key
	kind string
	hits int
}

// What the wire can do to a request.
const (
	cutBefore   = "closed before it is applied"
	cutAfter    = "applied, closed without an answer"
	answerLate  = "answered 2 s late"
	appliedLate = "applied 1.5 s after the client was cut off"
)

// harness is the client id of the suite's own clients, which nothing happens to.
const harness = "harness"

// death is when a connection of now ends: after half a second to one and a half.
func (w *wire) death() time.Time {
	return time.Now().Add(time.Duration(500+w.rng.IntN(1000)) * time.Millisecond)
}

// kill ends connections when their time has come, also those that are open
// already, until stop is closed. It returns how many.
func (w *wire) kill(stop <-chan struct{}) (deaths int) {
	w.mu.Lock()
	for c := range w.open {
		w.open[c] = w.death()
	}
	w.mu.Unlock()
	for await(stop, time.Now().Add(20*time.Millisecond)) {
		w.mu.Lock()
		for c, at := range w.open {
			if time.Now().After(at) {
				delete(w.open, c)
				if c.Close() == nil {
					deaths++
				}
			}
		}
		w.mu.Unlock()
	}
	return deaths
}

type listener struct {
	net.Listener
	wire *wire
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w := l.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[c] = w.death()
	return &conn{Conn: c, wire: w, asked: map[uint32]kmsg.Key{}}, nil
}

// conn reads whole requests before the broker gets them.
type conn struct {
	net.Conn
	wire *wire

	ready []byte // of a request, to be handed on
	mu    sync.Mutex
	asked map[uint32]kmsg.Key // by correlation id
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.ready) == 0 {
		frame, err := c.frame()
		if err != nil {
			return 0, err
		}
		c.ready = frame
	}
	n := copy(p, c.ready)
	c.ready = c.ready[n:]
	return n, nil
}

// frame reads one request and decides its fate.
func (c *conn) frame() ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(c.Conn, size[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, 4+bin.BigEndian.Uint32(size[:]))
	copy(frame, size[:])
	if _, err := io.ReadFull(c.Conn, frame[4:]); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(frame[14:], []byte(harness)) {
		return frame, nil
	}
	key := kmsg.Key(bin.BigEndian.Uint16(frame[4:]))
	c.mu.Lock()
	c.asked[bin.BigEndian.Uint32(frame[8:])] = key
	c.mu.Unlock()
	c.wire.mu.Lock()
	c.wire.last[key] = frame
	c.wire.mu.Unlock()
	c.wire.copy(key, frame)
	if id := c.wire.held.Load(); key == kmsg.EndTxn && id != nil && bytes.Contains(frame, []byte(*id)) {
		c.wire.held.Store(nil)
		c.wire.send(frame, 2200*time.Millisecond, func() {})
		c.wire.holds <- struct{}{}
		<-time.After(3 * time.Second) // no answer either
		return nil, io.EOF
	}
	switch c.wire.take(key, cutBefore, appliedLate) {
	case cutBefore:
		c.Close()
		return nil, io.EOF
	case appliedLate:
		c.Close() // the client hears of it at once; the broker reads on
		<-time.After(1500 * time.Millisecond)
	}
	return frame, nil
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.wire.mu.Lock()
	delete(c.wire.open, c.Conn)
	c.wire.mu.Unlock()
	return c.Conn.Close()
}

// Write implements net.Conn; the broker writes an answer at a time.
func (c *conn) Write(p []byte) (int, error) {
	if len(p) >= 8 {
		c.mu.Lock()
		id := bin.BigEndian.Uint32(p[4:])
		key, ok := c.asked[id]
		delete(c.asked, id)
		c.mu.Unlock()
		if ok {
			switch c.wire.take(key, cutAfter, answerLate) {
			case cutAfter:
				c.Close()
				return 0, io.ErrClosedPipe
			case answerLate:
				<-time.After(2 * time.Second)
			}
		}
	}
	return c.Conn.Write(p)
}

// take returns the armed fault if it is for this request and of one of the
// kinds; it happens once.
func (w *wire) take(key kmsg.Key, kinds ...string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.fault
	if f == nil || f.key != key || f.hits > 0 {
		return ""
	}
	for _, k := range kinds {
		if k == f.kind {
			f.hits++
			return k
		}
	}
	return ""
}

// arm sets the next fault; nil takes it away. The result is the one before.
func (w *wire) arm(f *fault) *fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.fault
	w.fault = f
	return old
}

func (w *wire) hits() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fault.hits
}

// copy sends one in ten of the wanted requests again, a second or two later,
// over another connection: what a network does with a packet it had lost.
func (w *wire) copy(key kmsg.Key, frame []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.copies[key] || w.rng.IntN(10) > 0 {
		return
	}
	delay := time.Duration(20+w.rng.IntN(2500)) * time.Millisecond
	w.send(frame, delay, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.copied[key]++
	})
}

// late returns how many late copies of these kinds were answered so far, and
// fails where there is none of a kind.
func (w *wire) late(t *testing.T, keys ...kmsg.Key) (n int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range keys {
		if w.copied[k] == 0 {
			t.Errorf("no late copy of %s was answered, want some", k.Name())
		}
		n += w.copied[k]
	}
	return n
}

// send sends a request later, over a connection of its own, and tells when it
// was answered.
func (w *wire) send(frame []byte, delay time.Duration, answered func()) {
	w.later.Go(func() {
		<-time.After(delay)
		c, err := net.Dial("tcp", w.addr)
		if err != nil {
			return // the broker is gone, and the test with it
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(2 * time.Second))
		if _, err := c.Write(frame); err == nil {
			if _, err := c.Read(make([]byte, 64)); err == nil { // whatever the broker says to a ghost
				answered()
			}
		}
	})
}
