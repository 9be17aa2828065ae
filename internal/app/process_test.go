package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/cmd/billstream/corpus"
	"billstream/internal/topics"
)

// binary builds the program once for all tests of this file.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "billstream")
	if err != nil {
		return "", err
	}
	// The test cache knows what a test opens, not what a command compiles: without
	// this a change of the command line would leave an old result standing.
	sources, err := filepath.Glob("../../cmd/billstream/*.go")
	if err != nil {
		return "", err
	}
	for _, source := range sources {
		if _, err := os.ReadFile(source); err != nil {
			return "", err
		}
	}
	path := filepath.Join(dir, "billstream")
	out, err := exec.Command("go", "build", "-o", path, "billstream/cmd/billstream").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// child is the real program as a process of its own.
type child struct {
	t           *testing.T
	cmd         *exec.Cmd
	data, admin string // addresses
	ended       chan error
	stderr      *lockedBuffer
}

// lockedBuffer is written by the child's pipe and read by the test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// launch starts the program; the test's end kills it.
func launch(t *testing.T, args ...string) *child {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: exec.Command(bin, args...), ended: make(chan error, 1), stderr: &lockedBuffer{}}
	c.cmd.Stderr, c.cmd.Stdout = c.stderr, c.stderr
	c.cmd.Dir = t.TempDir()
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { c.ended <- c.cmd.Wait() }()
	t.Cleanup(func() {
		c.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", strings.Join(args, " "), c.stderr)
		}
	})
	return c
}

// serve launches a verb that opens the two listeners, on free ports.
func serve(t *testing.T, args ...string) *child {
	t.Helper()
	data, admin := freeAddr(t), freeAddr(t)
	c := launch(t, append(args, "--listen", data, "--admin-listen", admin)...)
	c.data, c.admin = data, admin
	return c
}

func freeAddr(t *testing.T) string {
	t.Helper()
	for {
		// Below the ports that the system gives away: another test could have one
		// of those before it is used.
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
}

// eventually polls until ask gives true.
func eventually(t *testing.T, what string, within time.Duration, ask func() bool) {
	t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); {
		if ask() {
			return
		}
		<-time.After(50 * time.Millisecond)
	}
	t.Fatalf("%s is not true after %s", what, within)
}

func (c *child) waitReady() {
	c.t.Helper()
	eventually(c.t, "ready", 60*time.Second, func() bool {
		select {
		case err := <-c.ended:
			c.t.Fatalf("process ended with %v, want it ready", err)
		default:
		}
		code, _, err := get(c.admin, "/readyz")
		return err == nil && code == http.StatusOK
	})
}

// terminate sends SIGTERM and returns the exit code; the process must be gone
// within 10 s.
func (c *child) terminate() int {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	return c.exit(10 * time.Second)
}

func (c *child) exit(within time.Duration) int {
	c.t.Helper()
	select {
	case <-c.ended:
		return c.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		c.t.Fatalf("process lives after %s", within)
		return -1
	}
}

// seqs adds up the seqs of all accounts: the number of updates.
func seqs(t *testing.T, accounts map[string]map[string]any) (n int) {
	t.Helper()
	for _, a := range accounts {
		n += number(t, a["seq"])
	}
	return n
}

// The demo replays the corpus; what its lookups say then is what they say after
// a restart, and after a restart without the local state.
func TestDemoKeepsItsAccounts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broker := freeAddr(t)
	run := func() *child {
		return serve(t, "demo", "--data-dir", dir, "--embedded-listen", broker)
	}
	first := run()
	first.waitReady()
	eventually(t, "replay finished", 90*time.Second, func() bool {
		return strings.Contains(first.stderr.String(), "try, in another terminal")
	})
	var before map[string]map[string]any
	eventually(t, "all updates visible", 10*time.Second, func() bool {
		before = listAccounts(t, first.data)
		return seqs(t, before) == int(wantOutcomes["updated"])
	})
	checkModel(t, lookups(t, first.data))
	if code := first.terminate(); code != 0 {
		t.Fatalf("exit code after SIGTERM is %d, want 0", code)
	}

	second := run()
	second.waitReady()
	same(t, "after a restart", lookups(t, second.data), before)
	if strings.Contains(second.stderr.String(), "set aside") {
		t.Error("restart after a clean stop set the data aside")
	}
	second.terminate()

	if err := os.RemoveAll(filepath.Join(dir, "state")); err != nil {
		t.Fatal(err)
	}
	third := run()
	third.waitReady()
	same(t, "without the local state", lookups(t, third.data), before)
	third.terminate()
}

func same(t *testing.T, when string, got, want map[string]map[string]any) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s there are %d accounts, want %d", when, len(got), len(want))
	}
	for id, w := range want {
		if !reflect.DeepEqual(got[id], w) {
			t.Fatalf("%s an account is\n%v, want\n%v", when, got[id], w)
		}
	}
}

// head returns the first n lines of the corpus.
func head(t *testing.T, n int) []byte {
	t.Helper()
	r, err := corpus.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out bytes.Buffer
	lines := bufio.NewScanner(io.LimitReader(r, 64<<20))
	lines.Buffer(nil, 1<<20)
	for i := 0; i < n && lines.Scan(); i++ {
		out.Write(lines.Bytes())
		out.WriteByte('\n')
	}
	return out.Bytes()
}

// Three members share the group: each partition has one owner, every lookup is
// right on each of them; one is stopped in the middle, and nothing is lost.
func TestThreeProcessesShareTheGroup(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	var members []*child
	for range 3 {
		members = append(members, serve(t, "run", "--brokers", broker, "--replication", "1", "--data-dir", t.TempDir(), "--session-timeout", "6s"))
	}
	for _, m := range members {
		m.waitReady()
	}
	eventually(t, "each partition owned once by one of three", 30*time.Second, func() bool {
		owned := owners(t, members)
		for p := range int32(partitions) {
			if owned[p] != 1 {
				return false
			}
		}
		return len(owned) == partitions
	})

	input := head(t, 20_000)
	half := bytes.IndexByte(input[len(input)/2:], '\n') + len(input)/2 + 1
	emitAll(t, broker, input[:half])
	for _, each := range members {
		shows(t, each, modelOf(t, bytes.NewReader(input[:half])))
	}

	emit := startEmit(t, broker, input[half:], 4000)
	<-time.After(time.Second) // in the middle of the stream
	if code := members[0].terminate(); code != 0 {
		t.Fatalf("exit code after SIGTERM is %d, want 0", code)
	}
	if code := emit.exit(60 * time.Second); code != 0 {
		t.Fatalf("emit ended with %d, want 0", code)
	}
	for _, left := range members[1:] {
		shows(t, left, modelOf(t, bytes.NewReader(input)))
	}
	checkSeqs(t, broker)
}

// shows waits until the process shows the accounts of m, in its list and one by
// one.
func shows(t *testing.T, c *child, m model) {
	t.Helper()
	var accounts map[string]map[string]any
	eventually(t, "all events visible", 60*time.Second, func() bool {
		accounts = listAccounts(t, c.data)
		return matches(m, accounts)
	})
	same(t, "one by one", lookups(t, c.data), accounts)
}

// startEmit emits lines in the background, at so many events a second.
func startEmit(t *testing.T, broker string, lines []byte, rate int) *child {
	t.Helper()
	file := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(file, lines, 0o600); err != nil {
		t.Fatal(err)
	}
	return launch(t, "emit", file, "--brokers", broker, "--rate", strconv.Itoa(rate))
}

func emitAll(t *testing.T, broker string, lines []byte) {
	t.Helper()
	if code := startEmit(t, broker, lines, 100_000).exit(60 * time.Second); code != 0 {
		t.Fatalf("emit ended with %d, want 0", code)
	}
}

// startBroker runs the embedded broker as a process of its own.
func startBroker(t *testing.T) (addr string) {
	t.Helper()
	addr = freeAddr(t)
	b := launch(t, "broker", "--data-dir", t.TempDir(), "--embedded-listen", addr)
	eventually(t, "broker ready", 20*time.Second, func() bool { return strings.Contains(b.stderr.String(), "broker ready") })
	return addr
}

// A process that is killed again and again leaves no gap: an update is written
// before the row that says it is out, and the row before the offset. What is
// processed twice gives the same bytes again.
func TestKilledProcessLeavesNoGap(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	input := head(t, 20_000)
	emit := startEmit(t, broker, input, 4000)
	dir := t.TempDir()
	member := func() *child {
		return serve(t, "run", "--brokers", broker, "--replication", "1", "--data-dir", dir, "--instance-id", "killed")
	}
	for range 4 {
		m := member()
		m.waitReady()
		<-time.After(time.Second) // somewhere in the stream
		if err := m.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		m.exit(10 * time.Second)
	}
	if code := emit.exit(60 * time.Second); code != 0 {
		t.Fatalf("emit ended with %d, want 0", code)
	}
	last := member()
	last.waitReady()
	shows(t, last, modelOf(t, bytes.NewReader(input)))
	checkSeqs(t, broker)
}

// owners counts the members that process each partition.
func owners(t *testing.T, members []*child) map[int32]int {
	t.Helper()
	owned := map[int32]int{}
	for _, m := range members {
		_, body, err := get(m.admin, "/statusz")
		if err != nil {
			t.Fatal(err)
		}
		var s struct {
			Partitions []struct {
				Partition   int32
				Role, State string
			}
		}
		if err := json.Unmarshal(body, &s); err != nil {
			t.Fatal(err)
		}
		for _, p := range s.Partitions {
			if p.Role == "active" && p.State == "running" {
				owned[p.Partition]++
			}
		}
	}
	return owned
}

func matches(m model, accounts map[string]map[string]any) bool {
	for id, want := range m {
		for _, member := range modelled {
			if !reflect.DeepEqual(accounts[id][member], want[member]) {
				return false
			}
		}
	}
	return len(m) == len(accounts)
}

// checkSeqs reads billing.updates: per customer seq is 1, 2, 3 and so on, whoever
// owned the partition and however that ended.
func checkSeqs(t *testing.T, broker string) {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(topics.BillingUpdates),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	end, err := endOffsets(t.Context(), c, topics.BillingUpdates)
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]int{}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for missing(end) {
		f := c.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatal(err)
		}
		f.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= end[r.Partition] {
				delete(end, r.Partition)
			}
			if r.Attrs.IsControl() {
				return
			}
			seq, err := strconv.Atoi(headers(r)["ce_sequence"])
			if err != nil {
				t.Fatal(err)
			}
			if want := last[string(r.Key)] + 1; seq != want {
				t.Fatalf("seq is %d at %d@%d, want %d", seq, r.Partition, r.Offset, want)
			}
			last[string(r.Key)] = seq
		})
	}
}

// refusal is a start that must fail, with its exit code and words of its
// sentence.
type refusal struct {
	name   string
	args   func(t *testing.T) []string
	code   int
	within time.Duration
	want   []string
}

func refusals() []refusal {
	return []refusal{
		{name: "unreachable broker", code: 1, within: 10 * time.Second, want: []string{"is not reachable", "want"}, args: func(t *testing.T) []string {
			return []string{"run", "--brokers", freeAddr(t), "--broker-wait", "2s"}
		}},
		{name: "unknown key", code: 2, within: 5 * time.Second, want: []string{"comit-interval", "commit-interval", ":2"}, args: func(t *testing.T) []string {
			file := filepath.Join(t.TempDir(), "c.yaml")
			os.WriteFile(file, []byte("listen: 127.0.0.1:0\ncomit-interval: 100ms\n"), 0o600)
			return []string{"run", "--config", file}
		}},
		{name: "bad duration", code: 2, within: 5 * time.Second, want: []string{"commit-interval"}, args: func(*testing.T) []string {
			return []string{"run", "--commit-interval", "soon"}
		}},
		{name: "address in use", code: 2, within: 5 * time.Second, want: []string{"address", "want"}, args: func(t *testing.T) []string {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			return []string{"run", "--embedded-listen", freeAddr(t), "--listen", l.Addr().String()}
		}},
		{name: "data directory in use", code: 2, within: 5 * time.Second, want: []string{"data directory", "another process"}, args: func(t *testing.T) []string {
			dir := t.TempDir()
			first := serve(t, "run", "--data-dir", dir, "--embedded-listen", freeAddr(t))
			first.waitReady()
			return []string{"run", "--data-dir", dir, "--embedded-listen", freeAddr(t)}
		}},
		{name: "missing topics", code: 3, within: 5 * time.Second, want: []string{"customer.events", "missing"}, args: func(t *testing.T) []string {
			return []string{"run", "--replication", "1", "--brokers", brokerWith(t, nil)}
		}},
		{name: "partition count", code: 3, within: 5 * time.Second, want: []string{"billing.updates", "partitions is 5, want 12"}, args: func(t *testing.T) []string {
			return []string{"run", "--replication", "1", "--brokers", brokerWith(t, func(s *spec) { s.partitions[topics.BillingUpdates] = 5 })}
		}},
		{name: "cleanup policy", code: 3, within: 5 * time.Second, want: []string{"billing-table", "cleanup.policy is delete, want compact"}, args: func(t *testing.T) []string {
			return []string{"run", "--replication", "1", "--brokers", brokerWith(t, func(s *spec) { s.table = "delete" })}
		}},
		{name: "recreated input topic", code: 3, within: 5 * time.Second, want: []string{"customer.events", "recreated"}, args: recreated},
	}
}

func TestStartIsRefusedInOneSentence(t *testing.T) {
	t.Parallel()
	for _, r := range refusals() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			args := r.args(t)
			for _, flag := range []string{"--listen", "--admin-listen", "--data-dir"} {
				if !strings.Contains(strings.Join(args, " "), " "+flag+" ") {
					args = append(args, flag, map[string]string{"--data-dir": t.TempDir()}[flag])
					if flag != "--data-dir" {
						args[len(args)-1] = "127.0.0.1:0"
					}
				}
			}
			c := launch(t, args...)
			if code := c.exit(r.within); code != r.code {
				t.Errorf("exit code is %d, want %d", code, r.code)
			}
			for _, w := range append(r.want, "billstream: error: ") {
				if !strings.Contains(c.stderr.String(), w) {
					t.Errorf("message does not hold %q:\n%s", w, c.stderr)
				}
			}
		})
	}
}

// spec is how a broker's topics are made, to be wrong on purpose.
type spec struct {
	partitions map[string]int32
	table      string // cleanup policy of billing-table
}

// brokerWith starts a broker without topics, and makes them as change wants;
// nil leaves them out.
func brokerWith(t *testing.T, change func(*spec)) string {
	t.Helper()
	addr := startBroker(t)
	c, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	remove(t, c, topics.Names()...)
	if change == nil {
		return addr
	}
	s := spec{partitions: map[string]int32{}, table: "compact"}
	change(&s)
	for _, want := range topics.Wanted(topics.Options{Partitions: partitions, Embedded: true}) {
		if n, ok := s.partitions[want.Name]; ok {
			want.Partitions = n
		}
		if want.Name == topics.BillingTable {
			want.Config[topics.CleanupPolicy] = s.table
		}
		create(t, c, want)
	}
	return addr
}

func remove(t *testing.T, c *kgo.Client, names ...string) {
	t.Helper()
	req := kmsg.NewPtrDeleteTopicsRequest()
	for _, name := range names {
		rt := kmsg.NewDeleteTopicsRequestTopic()
		rt.Topic = kmsg.StringPtr(name)
		req.Topics, req.TopicNames = append(req.Topics, rt), append(req.TopicNames, name)
	}
	if _, err := req.RequestWith(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, c *kgo.Client, want topics.Topic) {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = want.Name, want.Partitions, 1
	for k, v := range want.Config {
		rc := kmsg.NewCreateTopicsRequestTopicConfig()
		rc.Name, rc.Value = k, kmsg.StringPtr(v)
		rt.Configs = append(rt.Configs, rc)
	}
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(t.Context(), c)
	if err != nil || resp.Topics[0].ErrorCode != 0 {
		t.Fatalf("create %s: %v, code %d", want.Name, err, resp.Topics[0].ErrorCode)
	}
}

// recreated processes one event, then deletes the input topic and makes it
// again: offsets count from 0, and the table would take every event for a
// replay.
func recreated(t *testing.T) []string {
	addr := brokerWith(t, func(*spec) {})
	first := serve(t, "run", "--brokers", addr, "--replication", "1", "--data-dir", t.TempDir())
	first.waitReady()
	c, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := record("c-1", event("e-1", "renamed", "c-1", past, `{"name":"x"}`))
	r.Topic = topics.CustomerEvents
	if err := c.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "event visible", 10*time.Second, func() bool {
		code, _, err := get(first.data, "/v1/accounts/c-1")
		return err == nil && code == http.StatusOK
	})
	if code := first.terminate(); code != 0 {
		t.Fatalf("exit code after SIGTERM is %d, want 0", code)
	}
	remove(t, c, topics.CustomerEvents)
	for _, want := range topics.Wanted(topics.Options{Partitions: partitions, Embedded: true}) {
		if want.Name == topics.CustomerEvents {
			create(t, c, want)
		}
	}
	return []string{"run", "--brokers", addr, "--replication", "1"}
}
