package app_test

import (
	"encoding/base64"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/app"
	"billstream/internal/devbroker"
	"billstream/internal/store"
	"billstream/internal/topics"
)

// tableOnBroker makes the topics on a broker of their own and fills partition 1
// of the table up to offset 49. It returns the broker and what a snapshot of
// that partition says of itself.
func tableOnBroker(t *testing.T) (addr string, o store.Origin) {
	t.Helper()
	b, err := devbroker.Start(devbroker.Options{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	if _, err := app.TopicsApply(t.Context(), app.TopicsConfig{Brokers: []string{b.Addr()}, Wait: 10 * time.Second, Partitions: statePartitions, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	records := make([]*kgo.Record, 50)
	for i := range records {
		records[i] = &kgo.Record{Topic: topics.BillingTable, Partition: 1, Key: []byte("secret")}
	}
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(topics.BillingTable)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	id := resp.Topics[0].TopicID
	o = stateOrigin(1)
	o.Cluster, o.TopicID = *resp.ClusterID, base64.RawURLEncoding.EncodeToString(id[:])
	return b.Addr(), o
}

func TestStateIsComparedWithTheTableOfTheBrokers(t *testing.T) {
	addr, own := tableOnBroker(t)
	for _, c := range []struct {
		name   string
		change func(o *store.Origin)
		want   string // "" for a good one
	}{
		{"its own", func(*store.Origin) {}, ""},
		{"another cluster", func(o *store.Origin) { o.Cluster = "other" }, "cluster id is other, want " + own.Cluster},
		{"a topic made anew", func(o *store.Origin) { o.TopicID = "other" }, "topic id is other, want " + own.TopicID},
		{"fewer partitions", func(o *store.Origin) { o.Partitions = 2 }, "partition count is 2, want 4"},
		{"a changelog that ends before", func(o *store.Origin) { o.Partition = 2 }, "last offset is 41, want less than 0, the end of the changelog"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := own
			c.change(&o)
			r := stateRows{}
			if o.Partition == 1 && o.Partitions == statePartitions {
				r = stateRowsOf(t, 1)
			}
			dir := t.TempDir()
			file := putSnapshot(t, dir, o, r)
			files, err := app.VerifyState(t.Context(), app.StateCheck{DataDir: dir, Table: app.TableBrokers{Brokers: []string{addr}, Wait: 10 * time.Second}})
			reason := ""
			if c.want != "" {
				reason = "foreign"
			}
			if got := map[string]string{filepath.Base(file): reason}; !maps.Equal(verdicts(files), got) || (err == nil) != (reason == "") {
				t.Fatalf("verdicts are %v, %v, want %v", verdicts(files), err, got)
			}
			if reason != "" && (!errors.Is(err, app.ErrState) || !strings.HasSuffix(err.Error(), "is foreign: "+c.want)) {
				t.Errorf("error is %v, want %s", err, c.want)
			}
			// Offline nothing is wrong with any of them.
			if _, err := app.VerifyState(t.Context(), app.StateCheck{DataDir: dir}); err != nil {
				t.Errorf("error without brokers is %v, want none", err)
			}
		})
	}
}

func TestStateCannotBeComparedWithATableThatIsNotThere(t *testing.T) {
	b, err := devbroker.Start(devbroker.Options{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	_, err = app.VerifyState(t.Context(), app.StateCheck{DataDir: t.TempDir(), Table: app.TableBrokers{Brokers: []string{b.Addr()}, Wait: 10 * time.Second}})
	if !errors.Is(err, app.ErrRefused) || !strings.Contains(err.Error(), "topic billing-table is missing") {
		t.Errorf("error is %v, want that the topic is missing", err)
	}
}

// fillDatabase makes the database of a stopped process with one partition.
func fillDatabase(t *testing.T, dir string, o store.Origin, offset int64, r stateRows) {
	t.Helper()
	if err := os.MkdirAll(app.StateDir(dir), 0o750); err != nil {
		t.Fatal(err)
	}
	db, err := store.OpenPebble(filepath.Join(app.StateDir(dir), "pebble"), o, store.PebbleOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := db.Partition(o.Partition)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Apply(offset, maps.All(r)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Flush(), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestADatabaseIsLookedIntoWithBrokers(t *testing.T) {
	addr, own := tableOnBroker(t)
	brokers := app.TableBrokers{Brokers: []string{addr}, Wait: 10 * time.Second}
	for _, c := range []struct {
		name         string
		change       func(o *store.Origin, offset *int64, r stateRows)
		reason, want string
	}{
		{"its own", func(*store.Origin, *int64, stateRows) {}, "", ""},
		{"another cluster", func(o *store.Origin, _ *int64, _ stateRows) { o.Cluster = "other" }, "foreign", "other"},
		{"a changelog that ends before", func(_ *store.Origin, at *int64, _ stateRows) { *at = 50 }, "foreign", "last offset is 50, want less than 50, the end of the changelog"},
		{"a key of another partition", func(_ *store.Origin, _ *int64, r stateRows) { maps.Copy(r, stateRowsOf(t, 2)) }, "corrupt", "key belongs into partition 2, want 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, offset, r := own, int64(41), stateRowsOf(t, 1)
			c.change(&o, &offset, r)
			dir := t.TempDir()
			fillDatabase(t, dir, o, offset, r)
			files, err := app.VerifyState(t.Context(), app.StateCheck{DataDir: dir, Table: brokers})
			if len(files) != 1 || files[0].Reason != c.reason || files[0].Unread || !strings.Contains(files[0].Problem, c.want) || (err == nil) != (c.reason == "") {
				t.Fatalf("files are %+v, %v, want one that is %q: %s", files, err, c.reason, c.want)
			}
			if c.reason == "" && files[0].Rows != int64(len(r)) {
				t.Errorf("rows are %d, want %d", files[0].Rows, len(r))
			}
			if strings.Contains(files[0].Problem, "secret") {
				t.Errorf("problem is %q, want no customer in it", files[0].Problem)
			}
			// Without brokers nobody knows whose it is.
			files, err = app.VerifyState(t.Context(), app.StateCheck{DataDir: dir})
			if !errors.Is(err, app.ErrState) || !strings.Contains(err.Error(), "was not looked into") || len(files) != 1 || !files[0].Unread || files[0].Bytes == 0 {
				t.Errorf("files without brokers are %+v, %v, want one that is not read, and no pass", files, err)
			}
			// Nor are rows of snapshots shown that lie beside it.
			n, err := app.StateRows(t.Context(), app.StateQuery{DataDir: dir, Partition: app.AnyPartition}, func([]byte) error { return nil })
			if n != 0 || !errors.Is(err, app.ErrState) || !strings.Contains(err.Error(), "cannot be read here") {
				t.Errorf("rows are of %d files, %v, want none beside a database", n, err)
			}
		})
	}
}

func TestDumpsOfADatabaseAreItsRows(t *testing.T) {
	addr, o := tableOnBroker(t)
	dir, want := t.TempDir(), stateRowsOf(t, 1)
	fillDatabase(t, dir, o, 41, want)
	held, err := app.HoldState(dir)
	if err != nil {
		t.Fatal(err)
	}
	dumps, err := held.Dumps(t.Context(), app.TableBrokers{Brokers: []string{addr}, Wait: 10 * time.Second})
	if err != nil || len(dumps) != 1 || dumps[0].Partition != 1 || dumps[0].From != 41 || dumps[0].Through != 41 {
		t.Fatalf("dumps are %+v, %v, want partition 1 at 41", dumps, err)
	}
	got := stateRows{}
	if err := dumps[0].Each(func(key string, value []byte) error { got[key] = value; return nil }); err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("rows are %d, want the %d that were written", len(got), len(want))
	}
	// Whoever comes next finds it closed.
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	fillDatabase(t, dir, o, 42, want)
	held, err = app.HoldState(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if _, err := held.Dumps(t.Context(), app.TableBrokers{}); err == nil || !strings.Contains(err.Error(), "brokers are none") {
		t.Errorf("error without brokers is %v, want that they are missing", err)
	}
}

func TestALostRowOfADatabaseIsFound(t *testing.T) {
	addr, o := tableOnBroker(t)
	dir, r := t.TempDir(), stateRowsOf(t, 1)
	fillDatabase(t, dir, o, 41, r)
	db, err := pebble.Open(filepath.Join(app.StateDir(dir), "pebble"), &pebble.Options{FormatMajorVersion: pebble.FormatValueSeparation})
	if err != nil {
		t.Fatal(err)
	}
	key := append([]byte{0, 0, 0, 1, 1}, topics.PositionKey(1, statePartitions)...)
	if err := errors.Join(db.Delete(key, pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
	files, err := app.VerifyState(t.Context(), app.StateCheck{DataDir: dir, Table: app.TableBrokers{Brokers: []string{addr}, Wait: 10 * time.Second}})
	if !errors.Is(err, app.ErrState) || len(files) != 1 || files[0].Reason != "corrupt" || files[0].Problem != "rows of partition 1 are 3, want 4" {
		t.Errorf("files are %+v, %v, want the row to be missed", files, err)
	}
}
