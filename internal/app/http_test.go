package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// metric returns the series of a counter by the value of their label result.
func (p *process) metric(name string) map[string]float64 {
	p.t.Helper()
	out := map[string]float64{}
	for _, m := range p.families()[name].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "result" {
				out[l.GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	return out
}

// lookups walks the list and compares each account with the lookup of the same
// customer, byte for byte. The process must be at rest.
func lookups(t *testing.T, addr string) map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]any{}
	for id, listed := range pages(t, addr) {
		code, body, err := get(addr, "/v1/accounts/"+url.PathEscape(id))
		if err != nil || code != http.StatusOK || !bytes.Equal(bytes.TrimSpace(body), listed) {
			t.Fatalf("lookup is %d, %v:\n%s\nwant what the list has:\n%s", code, err, body, listed)
		}
		all[id] = account(t, listed)
	}
	return all
}

// listAccounts walks the list.
func listAccounts(t *testing.T, addr string) map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]any{}
	for id, listed := range pages(t, addr) {
		all[id] = account(t, listed)
	}
	return all
}

func account(t *testing.T, body []byte) map[string]any {
	t.Helper()
	var a map[string]any
	decode(t, body, &a)
	return a
}

// pages walks the list, page by page, and returns each account as it stands
// there, by id.
func pages(t *testing.T, addr string) map[string]json.RawMessage {
	t.Helper()
	all := map[string]json.RawMessage{}
	for cursor, last := "", ""; ; {
		code, body, err := get(addr, "/v1/accounts?limit=1000"+cursor)
		if err != nil || code != http.StatusOK {
			t.Fatalf("list is %d %s, %v", code, body, err)
		}
		var page struct {
			Accounts   []json.RawMessage
			NextCursor *string `json:"next_cursor"`
		}
		decode(t, body, &page)
		for _, a := range page.Accounts {
			var of struct {
				ID string `json:"customer_id"`
			}
			decode(t, a, &of)
			if of.ID <= last {
				t.Fatal("list is out of order, want ids in ascending order")
			}
			last, all[of.ID] = of.ID, a
		}
		if page.NextCursor == nil {
			return all
		}
		cursor = "&cursor=" + url.QueryEscape(*page.NextCursor)
	}
}

func decode(t *testing.T, body []byte, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%v in %s", err, strings.TrimSpace(string(body)))
	}
}

func number(t *testing.T, v any) int {
	t.Helper()
	n, err := v.(json.Number).Int64()
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// endOffsets asks the broker for the end of each partition of topic, and leaves
// out the empty ones.
func endOffsets(ctx context.Context, c *kgo.Client, topic string) (map[int32]int64, error) {
	meta := kmsg.NewPtrMetadataRequest()
	mt := kmsg.NewMetadataRequestTopic()
	mt.Topic = kmsg.StringPtr(topic)
	meta.Topics = append(meta.Topics, mt)
	found, err := meta.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	req := kmsg.NewPtrListOffsetsRequest()
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = topic
	for _, p := range found.Topics[0].Partitions {
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = p.Partition, -1
		rt.Partitions = append(rt.Partitions, rp)
	}
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	ends := map[int32]int64{}
	for _, p := range resp.Topics[0].Partitions {
		if p.Offset > 0 {
			ends[p.Partition] = p.Offset
		}
	}
	return ends, nil
}
