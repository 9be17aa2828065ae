package verify

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"

	"billstream/internal/billing"
	"billstream/internal/topics"
)

// readManifest reads topic ids by topic.
func readManifest(file string) (map[string]string, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%w: read manifest: %w", ErrConfig, err)
	}
	ids := map[string]string{}
	if err := json.Unmarshal(b, &ids); err != nil {
		return nil, fmt.Errorf("%w: manifest is no JSON object of topic ids", ErrConfig)
	}
	return ids, nil
}

// entry is a line of a history: an event of the producer or of the harness.
// Lines of other kinds than acked are counted and say no more.
type entry struct {
	Kind      string `json:"event"` // produced, acked, killed, paused, healed
	Source    string `json:"source"`
	ID        string `json:"id"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// history is what was acknowledged to the producer: for each place of the input
// the hash of the event's name, 0 if the line does not tell it.
type history struct {
	acked map[int32]map[int64]uint64
	kinds map[string]int64
}

func readHistory(file string) (*history, error) {
	h := &history{acked: map[int32]map[int64]uint64{}, kinds: map[string]int64{}}
	if file == "" {
		return h, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%w: read history: %w", ErrConfig, err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		e := entry{Offset: -1}
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Kind == "" {
			return nil, fmt.Errorf("%w: line %d of the history is no JSON object with an event", ErrConfig, n)
		}
		h.add(&e)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: read history: %w", ErrConfig, err)
	}
	return h, nil
}

func (h *history) add(e *entry) {
	h.kinds[e.Kind]++
	if e.Kind != "acked" || e.Offset < 0 {
		return
	}
	part := h.acked[e.Partition]
	if part == nil {
		part = map[int64]uint64{}
		h.acked[e.Partition] = part
	}
	part[e.Offset] = 0
	if e.ID != "" {
		part[e.Offset] = billing.EventHash(e.Source, e.ID)
	}
}

// seen strikes a record of the input out.
func (h *history) seen(partition int32, rec *Record) {
	part := h.acked[partition]
	want, ok := part[rec.Offset]
	if !ok {
		return
	}
	id := header(rec, "ce_id")
	if want == 0 || id == "" || want == billing.EventHash(header(rec, "ce_source"), id) {
		delete(part, rec.Offset)
	}
}

// lost notes what was acknowledged and is not in the input.
func (h *history) lost(r *Report) {
	for kind, n := range h.kinds {
		r.Counts["history "+kind] = n
	}
	for _, p := range slices.Sorted(maps.Keys(h.acked)) {
		for _, at := range slices.Sorted(maps.Keys(h.acked[p])) {
			r.anomaly(Anomaly{Class: Lost, Topic: topics.CustomerEvents, Partition: p, Offset: at, Detail: "event was acknowledged to its producer and is not there"})
		}
	}
}
