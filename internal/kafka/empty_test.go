package kafka_test

import (
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker that answers two fetches with nothing (throttled, or a new leader
// whose high watermark trails) must not move the end of recovery back.
func TestEmptyAnswersDoNotMoveTheEndBack(t *testing.T) {
	t.Parallel()
	cluster, c := fake(t, "t")
	a := openAdmin(t, c)
	tx := client(t, c, kgo.TransactionalID("x"))
	v := make([]string, 150)
	for i := range v {
		v[i] = "x"
	}
	transaction(t, tx, "t", 0, kgo.TryCommit, v...) // 0..149, marker 150
	transaction(t, tx, "t", 0, kgo.TryCommit, v...) // 151..300, marker 301
	want, err := a.RecoveryEnd(t.Context(), "t", 0, true, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int32
	cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		r := req.(*kmsg.FetchRequest)
		if n.Add(1) > 2 {
			return nil, nil, false
		}
		resp := r.ResponseKind().(*kmsg.FetchResponse)
		resp.ThrottleMillis = 50
		for _, rt := range r.Topics {
			st := kmsg.NewFetchResponseTopic()
			st.Topic, st.TopicID = rt.Topic, rt.TopicID
			for _, rp := range rt.Partitions {
				sp := kmsg.NewFetchResponseTopicPartition()
				sp.Partition, sp.HighWatermark, sp.LastStableOffset, sp.RecordBatches = rp.Partition, 202, 202, []byte{}
				st.Partitions = append(st.Partitions, sp)
			}
			resp.Topics = append(resp.Topics, st)
		}
		return resp, nil, true
	})
	got, err := a.RecoveryEnd(t.Context(), "t", 0, true, func(int64) {})
	if err != nil || got != want || n.Load() < 3 {
		t.Fatalf("end is %d (%v) after %d fetches, want %d after three or more", got, err, n.Load(), want)
	}
}
