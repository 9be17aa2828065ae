package kafkatest

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Broker is one process of a cluster. Its methods may be called from several
// goroutines, one after the other.
type Broker struct {
	node node
	dir  string
	java []string // the whole command

	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has; nil before the first start
	err   error         // of Wait, once ended
	asked bool          // it was told to end
}

func (b *Broker) data() string       { return filepath.Join(b.dir, "data") }
func (b *Broker) properties() string { return filepath.Join(b.dir, "server.properties") }

// LogFile is where everything that the broker says is kept.
func (b *Broker) LogFile() string { return filepath.Join(b.dir, "broker.log") }

// ID is the node id, from 1.
func (b *Broker) ID() int { return b.node.id }

// Addr is HOST:PORT of the listener without security. It never changes.
func (b *Broker) Addr() string { return b.node.plain }

// PID is the process id, 0 while the broker is down.
func (b *Broker) PID() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down() {
		return 0
	}
	return b.cmd.Process.Pid
}

// down reports whether there is no process. b.mu is held.
func (b *Broker) down() bool {
	if b.ended == nil {
		return true
	}
	select {
	case <-b.ended:
		return true
	default:
		return false
	}
}

// wanted reports whether the broker was started and not told to end.
func (b *Broker) wanted() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended != nil && !b.asked
}

// errUnasked stands for the end of a broker that has no error.
var errUnasked = errors.New("exit status 0")

// crashed is why the broker has ended by itself; nil if it has not.
func (b *Broker) crashed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended == nil || !b.down() || b.asked {
		return nil
	}
	return cmp.Or(b.err, errUnasked)
}

// Start starts a broker that is down, over what it has on disk. It returns at
// once: Cluster.Ready says when the cluster has it back.
func (b *Broker) Start() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.down() {
		return fmt.Errorf("broker %d is up, want it down", b.node.id)
	}
	log, err := os.OpenFile(b.LogFile(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(b.java[0], b.java[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	// A test that dies takes its brokers along.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start broker %d: %w", b.node.id, err)
	}
	ended := make(chan struct{})
	b.cmd, b.ended, b.asked = cmd, ended, false
	go func() {
		defer close(ended)
		b.err = cmd.Wait()
	}()
	return nil
}

// stopWait is how long a broker may take to hand over what it leads.
const stopWait = 60 * time.Second

// Stop ends the broker cleanly and waits: leadership moves before it goes.
func (b *Broker) Stop() error {
	ended, err := b.signal(syscall.SIGTERM)
	if err != nil {
		return err
	}
	select {
	case <-ended:
		return nil
	case <-time.After(stopWait):
		return errors.Join(fmt.Errorf("broker %d has not ended %v after SIGTERM", b.node.id, stopWait), b.Kill())
	}
}

// Kill ends the broker at once, as a power cut would, but for what the kernel
// still holds for it.
func (b *Broker) Kill() error {
	ended, err := b.signal(syscall.SIGKILL)
	if err != nil {
		return err
	}
	<-ended
	return nil
}

// Pause freezes the broker: its connections stay open, and nothing is answered.
func (b *Broker) Pause() error {
	_, err := b.signal(syscall.SIGSTOP)
	return err
}

// Resume ends Pause.
func (b *Broker) Resume() error {
	_, err := b.signal(syscall.SIGCONT)
	return err
}

func (b *Broker) signal(s syscall.Signal) (ended <-chan struct{}, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down() {
		return nil, fmt.Errorf("broker %d is down, want it up", b.node.id)
	}
	if err := b.cmd.Process.Signal(s); err != nil {
		return nil, fmt.Errorf("send %v to broker %d: %w", s, b.node.id, err)
	}
	b.asked = b.asked || s == syscall.SIGTERM || s == syscall.SIGKILL
	return b.ended, nil
}

// lastWords is the end of the log.
func (b *Broker) lastWords() string {
	said, err := os.ReadFile(b.LogFile())
	if err != nil {
		return err.Error()
	}
	return last(said)
}
