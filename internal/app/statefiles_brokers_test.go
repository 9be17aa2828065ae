package app_test

import (
	"encoding/base64"
	"errors"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
			files, err := app.VerifyState(t.Context(), app.StateCheck{DataDir: dir, Brokers: []string{addr}, Wait: 10 * time.Second})
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
	_, err = app.VerifyState(t.Context(), app.StateCheck{DataDir: t.TempDir(), Brokers: []string{b.Addr()}, Wait: 10 * time.Second})
	if !errors.Is(err, app.ErrRefused) || !strings.Contains(err.Error(), "topic billing-table is missing") {
		t.Errorf("error is %v, want that the topic is missing", err)
	}
}
