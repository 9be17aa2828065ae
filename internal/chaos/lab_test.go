//go:build chaos || apache

package chaos_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/topics"
	"billstream/internal/verify"
)

// Sizes of every lab, small enough for two cores.
const (
	partitions = 8
	customers  = 500
)

// lab is a broker, some workers and what is sent to them.
type lab struct {
	t         *testing.T
	rng       *rand.Rand
	dir       string
	addr      string // of the brokers, with commas
	copies    string // of every topic
	session   string // timeout of the group's members
	patience  string // timeout of transactions
	guarantee string
	store     string   // "" is the program's default
	args      []string // further flags of every worker
	env       []string // of every worker

	mu      sync.Mutex
	workers []*worker
	sent    int // events acknowledged by the broker
	faults  int

	historyMu sync.Mutex
	history   *os.File // what the producer knows and what was done, as JSON lines
}

// newLab starts a broker of its own in a child process.
func newLab(t *testing.T, name string) *lab {
	l := bareLab(t, name)
	broker := l.child("broker", nil, "broker", "--data-dir", filepath.Join(l.dir, "broker"), "--embedded-listen", "127.0.0.1:0", "--partitions", fmt.Sprint(partitions),
		"--nodes", "3", "--min-session-timeout", "500ms")
	line := broker.waitFor(`broker ready on (\S+)`, 20*time.Second)
	l.addr = line[1]
	return l
}

func bareLab(t *testing.T, name string) *lab {
	dir, err := os.MkdirTemp(artefacts, strings.ReplaceAll(name, "/", "-")+"-")
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{
		t: t, dir: dir, guarantee: verify.ExactlyOnce, rng: schedule(seed, name),
		copies: "1", session: "1s", patience: "3s",
	}
	if l.history, err = os.Create(l.historyFile()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer l.history.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, w := range l.workers {
			w.kill()
		}
		if !t.Failed() {
			os.RemoveAll(dir)
			return
		}
		t.Logf("logs are in %s, seed is %d", dir, seed)
	})
	return l
}

// seeds are the brokers' addresses.
func (l *lab) seeds() []string { return strings.Split(l.addr, ",") }

// worker is a child process; its output goes to a file of the lab.
type worker struct {
	l       *lab
	name    string
	cmd     *exec.Cmd
	ended   chan struct{}
	err     error // of Wait, once ended
	mu      sync.Mutex
	lines   []string
	arrived chan struct{}
}

// child starts the program.
func (l *lab) child(name string, env []string, args ...string) *worker {
	l.t.Helper()
	out, err := os.OpenFile(filepath.Join(l.dir, name+".log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		l.t.Fatal(err)
	}
	w := &worker{l: l, name: name, cmd: exec.Command(binary, args...), ended: make(chan struct{}), arrived: make(chan struct{}, 1)}
	w.cmd.Env = append(append(os.Environ(), "BILLSTREAM_FAILPOINT_LOG="+passed), env...)
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	r, wr, err := os.Pipe()
	if err != nil {
		l.t.Fatal(err)
	}
	w.cmd.Stdout, w.cmd.Stderr = wr, wr
	if err := w.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	wr.Close()
	read := make(chan struct{})
	go func() {
		defer close(read)
		s := bufio.NewScanner(r)
		s.Buffer(nil, 16<<20)
		for s.Scan() {
			fmt.Fprintln(out, s.Text())
			w.mu.Lock()
			w.lines = append(w.lines, s.Text())
			w.mu.Unlock()
			select {
			case w.arrived <- struct{}{}:
			default:
			}
		}
	}()
	go func() {
		err := w.cmd.Wait()
		<-read
		r.Close()
		out.Close()
		w.err = err
		close(w.ended)
	}()
	l.mu.Lock()
	l.workers = append(l.workers, w)
	l.mu.Unlock()
	return w
}

// run starts a worker of the group.
func (l *lab) run(name string, env ...string) *worker {
	l.t.Helper()
	args := append([]string{
		"run", "--brokers", l.addr, "--replication", l.copies, "--instance-id", name,
		"--session-timeout", l.session, "--transaction-timeout", l.patience, "--guarantee", l.guarantee,
		"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data-dir", filepath.Join(l.dir, name),
		"--log-format", "json", "--snapshot-interval", "1s",
	}, l.args...)
	if l.store != "" {
		args = append(args, "--store", l.store)
	}
	return l.child(name, append(append([]string{}, l.env...), env...), args...)
}

// waitFor returns the first line that matches, with its groups.
func (w *worker) waitFor(pattern string, most time.Duration) []string {
	w.l.t.Helper()
	re := regexp.MustCompile(pattern)
	late := time.After(most)
	for seen := 0; ; {
		w.mu.Lock()
		lines := w.lines[seen:]
		w.mu.Unlock()
		for _, line := range lines {
			seen++
			if m := re.FindStringSubmatch(line); m != nil {
				return m
			}
		}
		select {
		case <-w.arrived:
		case <-w.ended:
			w.l.t.Fatalf("%s ended (%v) without %q", w.name, w.err, pattern)
		case <-late:
			w.l.t.Fatalf("%s has not said %q within %v", w.name, pattern, most)
		}
	}
}

// said counts the lines so far that hold a text.
func (w *worker) said(text string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// ready waits until a worker is ready and returns its addresses.
func (w *worker) ready() (data, admin string) {
	w.l.t.Helper()
	m := w.waitFor(`ready: .*lookups on (\S+), admin on (\S+),`, 60*time.Second)
	return m[1], m[2]
}

// signal sends a signal to the child alone.
func (w *worker) signal(s syscall.Signal) {
	select {
	case <-w.ended:
	default:
		if event := signals[s]; event != "" {
			w.l.note(`{"event":%q,"worker":%q,"at":%q}`, event, w.name, now())
		}
		_ = w.cmd.Process.Signal(s)
	}
}

// kill ends the child at once and waits.
func (w *worker) kill() {
	w.signal(syscall.SIGCONT)
	w.signal(syscall.SIGKILL)
	<-w.ended
}

// stop asks the child to end, which it must do cleanly.
func (w *worker) stop() {
	w.l.t.Helper()
	w.signal(syscall.SIGTERM)
	select {
	case <-w.ended:
		if w.err != nil {
			w.l.t.Errorf("%s ended with %v after SIGTERM, want exit code 0", w.name, w.err)
		}
	case <-time.After(20 * time.Second):
		w.signal(syscall.SIGQUIT)
		<-w.ended
		w.l.t.Fatalf("%s has not ended 20 s after SIGTERM", w.name)
	}
}

// dead reports whether the child has ended.
func (w *worker) dead() bool {
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}

// exitCode is that of a child that has ended; -1 for one that was killed.
func (w *worker) exitCode() int {
	<-w.ended
	return w.cmd.ProcessState.ExitCode()
}

// produce sends n events at a rate, until it is done or stop is closed. It
// returns when the broker has all of them.
func (l *lab) produce(n, perSecond int, stop <-chan struct{}) {
	l.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(l.seeds()...), kgo.ClientID(harness), kgo.DefaultProduceTopic(topics.CustomerEvents), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.RecordDeliveryTimeout(2*time.Minute), kgo.MaxBufferedRecords(1<<20))
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close()
	g := &generator{rng: rand.New(rand.NewPCG(seed, uint64(n)))}
	var failed error
	var mu sync.Mutex
	began := time.Now()
	for i := range n {
		if i%16 == 0 && !await(stop, began.Add(time.Duration(i)*time.Second/time.Duration(perSecond))) {
			break
		}
		c.Produce(context.Background(), g.event(), func(r *kgo.Record, err error) {
			if err == nil {
				l.note(`{"event":"acked","partition":%d,"offset":%d,"at":%q}`, r.Partition, r.Offset, now())
			}
			mu.Lock()
			defer mu.Unlock()
			l.sent++
			if err != nil {
				failed = err
			}
		})
	}
	if err := c.Flush(context.Background()); err != nil || failed != nil {
		l.t.Errorf("produce: %v", errors.Join(err, failed))
	}
}

// await waits for a moment; the result is false if stop is closed before.
func await(stop <-chan struct{}, due time.Time) bool {
	select {
	case <-stop:
		return false
	case <-time.After(time.Until(due)):
		return true
	}
}

// drained waits until every event is committed, and returns how long it took.
func (l *lab) drained(most time.Duration) time.Duration {
	l.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(l.seeds()...), kgo.ClientID(harness))
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close()
	began := time.Now()
	var left int64
	for time.Since(began) < most {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		left, err = lag(ctx, c)
		cancel()
		if err == nil && left == 0 {
			return time.Since(began)
		}
		<-time.After(50 * time.Millisecond)
	}
	l.mu.Lock()
	for _, w := range l.workers {
		w.signal(syscall.SIGQUIT) // the stacks go to the logs
		select {
		case <-w.ended:
		case <-time.After(5 * time.Second):
		}
	}
	l.mu.Unlock()
	l.t.Fatalf("%d events are not committed %v after the last fault (%v), want 0", left, most, err)
	return 0
}

// lag counts the input that the group has not committed.
func lag(ctx context.Context, c *kgo.Client) (int64, error) {
	done, err := committed(ctx, c)
	if err != nil {
		return 0, err
	}
	r := kmsg.NewPtrListOffsetsRequest()
	r.ReplicaID = -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topics.CustomerEvents
	for n := range int32(partitions) {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = n, -1 // the end
		t.Partitions = append(t.Partitions, p)
	}
	r.Topics = append(r.Topics, t)
	var end int64
	for _, shard := range c.RequestSharded(ctx, r) {
		if shard.Err != nil {
			return 0, shard.Err
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return 0, err
				}
				end += p.Offset
			}
		}
	}
	return end - done, nil
}

// committed is the sum of the group's offsets, once they are stable.
func committed(ctx context.Context, c *kgo.Client) (sum int64, err error) {
	r := kmsg.NewPtrOffsetFetchRequest()
	r.RequireStable = true
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = topics.Group
	t := kmsg.NewOffsetFetchRequestGroupTopic()
	t.Topic = topics.CustomerEvents
	for n := range int32(partitions) {
		t.Partitions = append(t.Partitions, n)
	}
	g.Topics = append(g.Topics, t)
	r.Groups = append(r.Groups, g)
	resp, err := r.RequestWith(ctx, c)
	if err != nil {
		return 0, err
	}
	if len(resp.Groups) != 1 {
		return 0, fmt.Errorf("answer is about %d groups, want 1", len(resp.Groups))
	}
	if err := kerr.ErrorForCode(resp.Groups[0].ErrorCode); err != nil {
		return 0, err
	}
	for _, t := range resp.Groups[0].Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return 0, err
			}
			sum += max(p.Offset, 0)
		}
	}
	return sum, nil
}

// fault counts one.
func (l *lab) fault() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults++
}
