package devbroker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"billstream/internal/devbroker"
)

// envDir tells the test binary to be a broker over a directory, and to die.
const envDir = "DEVBROKER_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(envDir); dir != "" {
		b, err := devbroker.Start(devbroker.Options{Dir: dir, Addr: "127.0.0.1:0"})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(b.Addr())
		select {} // until it is killed
	}
	os.Exit(m.Run())
}

func start(t *testing.T, dir string) *devbroker.Broker {
	t.Helper()
	b, err := devbroker.Start(devbroker.Options{Dir: dir, Addr: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func stop(t *testing.T, b *devbroker.Broker) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func client(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

// fill makes a topic and writes n records.
func fill(t *testing.T, addr, topic string, n int) {
	t.Helper()
	cl := client(t, addr)
	defer cl.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	of := kmsg.NewCreateTopicsRequestTopic()
	of.Topic, of.NumPartitions, of.ReplicationFactor = topic, 2, 1
	req.Topics = append(req.Topics, of)
	resp, err := req.RequestWith(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: fmt.Append(nil, i), Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// values returns what a topic holds, sorted.
func values(t *testing.T, addr, topic string, n int) []string {
	t.Helper()
	cl := client(t, addr, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var out []string
	for len(out) < n {
		f := cl.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatalf("%d of %d values: %v", len(out), n, err)
		}
		f.EachRecord(func(r *kgo.Record) { out = append(out, string(r.Value)) })
	}
	slices.Sort(out)
	return out
}

// identity asks for the cluster id and a topic's id.
func identity(t *testing.T, addr, topic string) string {
	t.Helper()
	cl := client(t, addr)
	defer cl.Close()
	req := kmsg.NewPtrMetadataRequest()
	of := kmsg.NewMetadataRequestTopic()
	of.Topic = &topic
	req.Topics = append(req.Topics, of)
	req.AllowAutoTopicCreation = true
	resp, err := req.RequestWith(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s %x", *resp.ClusterID, resp.Topics[0].TopicID)
}

// commit sets a group's offset, as a member of a generation would.
func commit(t *testing.T, addr, group, topic string, offset int64) {
	t.Helper()
	cl := client(t, addr, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit())
	defer cl.Close()
	if f := cl.PollRecords(t.Context(), 1); f.Err() != nil {
		t.Fatal(f.Err())
	}
	at := map[string]map[int32]kgo.EpochOffset{topic: {1: {Epoch: -1, Offset: offset}}}
	cl.CommitOffsetsSync(t.Context(), at, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			t.Error(err)
		}
	})
}

func committed(t *testing.T, addr, group, topic string) int64 {
	t.Helper()
	// A newer version of the request asks for several groups.
	cl := client(t, addr, kgo.MaxVersions(kversion.V2_8_0()))
	defer cl.Close()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = group
	of := kmsg.NewOffsetFetchRequestTopic()
	of.Topic, of.Partitions = topic, []int32{1}
	req.Topics = append(req.Topics, of)
	resp, err := req.RequestWith(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Topics[0].Partitions[0].Offset
}

func TestCloseAndStartKeepEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := start(t, dir)
	fill(t, b.Addr(), "t", 100)
	commit(t, b.Addr(), "billing", "t", 17)
	was, id := values(t, b.Addr(), "t", 100), identity(t, b.Addr(), "t")
	for range 3 {
		addr := b.Addr()
		stop(t, b)
		var err error
		if b, err = devbroker.Start(devbroker.Options{Dir: dir, Addr: addr}); err != nil {
			t.Fatal(err) // the address must be free again
		}
		if b.SetAside() != "" {
			t.Fatalf("set aside after a clean end is %s, want nothing", b.SetAside())
		}
	}
	defer stop(t, b)
	if got := values(t, b.Addr(), "t", 100); !slices.Equal(got, was) {
		t.Errorf("values after restarts are %v, want %v", got, was)
	}
	if got := committed(t, b.Addr(), "billing", "t"); got != 17 {
		t.Errorf("committed offset after restarts is %d, want 17", got)
	}
	if got := identity(t, b.Addr(), "t"); got != id {
		t.Errorf("cluster and topic are %s, want %s", got, id)
	}
}

func TestTwoDirectoriesAreTwoClusters(t *testing.T) {
	t.Parallel()
	var ids []string
	for range 2 {
		b := start(t, t.TempDir())
		fill(t, b.Addr(), "t", 0)
		id, _, _ := strings.Cut(identity(t, b.Addr(), "t"), " ")
		ids = append(ids, id)
		stop(t, b)
	}
	if ids[0] == ids[1] {
		t.Errorf("both clusters are %s, want two", ids[0])
	}
}

func TestTopicsAreNotMadeByAsking(t *testing.T) {
	t.Parallel()
	b := start(t, t.TempDir())
	defer stop(t, b)
	if got, want := identity(t, b.Addr(), "typo"), kerr.UnknownTopicOrPartition.Error(); got != want {
		t.Errorf("answer is %q, want %q", got, want)
	}
}

func TestDirectoryBelongsToOneBroker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := start(t, dir)
	_, err := devbroker.Start(devbroker.Options{Dir: dir, Addr: "127.0.0.1:0"})
	if !errors.Is(err, devbroker.ErrInUse) || err.Error() != "data directory "+dir+" is used by another process" {
		t.Errorf("error is %v, want that %s is in use", err, dir)
	}
	stop(t, b)
	stop(t, start(t, dir))
}

func TestAddressInUseLeavesTheDirectoryAlone(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	_, err = devbroker.Start(devbroker.Options{Dir: dir, Addr: l.Addr().String()})
	if !errors.Is(err, devbroker.ErrAddress) || err.Error() != "address "+l.Addr().String()+" is taken by another process" {
		t.Errorf("error is %v, want that the address is taken", err)
	}
	b := start(t, dir)
	defer stop(t, b)
	if b.SetAside() != "" {
		t.Errorf("set aside is %s, want nothing", b.SetAside())
	}
}

func TestUncleanEndSetsDataAndStateAside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "state", "snapshot"), "state")
	writeFile(t, filepath.Join(dir, "other"), "stays")
	kill(t, dir)

	// A start that cannot listen must not use up the news.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := devbroker.Start(devbroker.Options{Dir: dir, Addr: l.Addr().String()}); !errors.Is(err, devbroker.ErrAddress) {
		t.Fatalf("error is %v, want %v", err, devbroker.ErrAddress)
	}
	b := start(t, dir)
	aside := b.SetAside()
	if !strings.HasPrefix(aside, filepath.Join(dir, "set-aside-2")) || !strings.HasSuffix(aside, "Z") {
		t.Fatalf("set aside is %q, want a directory with the time in its name", aside)
	}
	if got := identity(t, b.Addr(), "t"); got != kerr.UnknownTopicOrPartition.Error() {
		t.Errorf("topic after an unclean end is %s, want that there is none", got)
	}
	for path, want := range map[string]bool{
		filepath.Join(aside, "state", "snapshot"): true, filepath.Join(aside, "broker", "meta.json"): true,
		filepath.Join(dir, "state"): false, filepath.Join(dir, "other"): true,
	} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", path, err == nil, want)
		}
	}
	stop(t, b)
	b = start(t, dir)
	defer stop(t, b)
	if b.SetAside() != "" {
		t.Errorf("set aside after a clean end is %s, want nothing", b.SetAside())
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// kill starts a broker in a process of its own, writes to it, and kills it.
func kill(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("broker's address is missing, want a line")
	}
	fill(t, lines.Text(), "t", 10)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("broker ended with %v, want that it was killed", err)
	}
}
