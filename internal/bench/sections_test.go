package bench

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/internal/topics"
)

func TestPeopleAreTheSameInEveryProcess(t *testing.T) {
	for _, events := range []int{1, 5, 50} {
		p, err := newPeople(1000, events, 4)
		if err != nil {
			t.Fatal(err)
		}
		again, err := newPeople(1000, events, 4)
		if err != nil {
			t.Fatal(err)
		}
		var bytesOf int64
		for n := range p.customers {
			if !bytes.Equal(p.row(n), again.row(n)) {
				t.Fatalf("row of customer %d with %d events differs between two lives", n, events)
			}
			bytesOf += int64(len(customerKey(n)) + len(p.row(n)))
		}
		if got := p.bytes(); got != bytesOf {
			t.Errorf("bytes of keys and rows are %d, want %d", got, bytesOf)
		}
		row, err := codecs.ParseRow(p.row(7))
		if err != nil {
			t.Fatal(err)
		}
		if got := codecs.AppendAccountJSON(nil, billing.AccountOf(customer.ID(customerKey(7)), row)); !bytes.Equal(got, p.account(7)) {
			t.Errorf("account is %s, want that of the row, %s", p.account(7), got)
		}
		if row.Seq != uint64(events) || row.AppliedOffset != -1 {
			t.Errorf("row has seq %d and offset %d, want %d and none", row.Seq, row.AppliedOffset, events)
		}
	}
}

// TestEveryEventMakesADifference to its customer: updates are counted.
func TestEveryEventMakesADifference(t *testing.T) {
	p, err := newPeople(10, 5, 4)
	if err != nil {
		t.Fatal(err)
	}
	row := p.kinds[3]
	for n := range 40 {
		r := p.eventRecord(3, n)
		if want := topics.Partition(r.Key, 4); r.Partition != want {
			t.Fatalf("partition is %d, want %d", r.Partition, want)
		}
		var headers []codecs.Header
		for _, h := range r.Headers {
			headers = append(headers, codecs.Header{Key: h.Key, Value: h.Value})
		}
		e, err := codecs.DecodeEvent(customer.ID(r.Key), r.Value, headers)
		if err != nil {
			t.Fatal(err)
		}
		got, err := billing.Apply(row, e, billing.Position{Partition: r.Partition, Offset: int64(n)}, customer.InstantOf(time.Now()))
		if err != nil || got.Update == nil || got.Update.Seq != row.Seq+1 {
			t.Fatalf("event %d has outcome %v and error %v, want the next update", n, got.Outcome, err)
		}
		row = got.Row
	}
}

func TestKeysAreOfAllCustomersOrOfFew(t *testing.T) {
	const customers, draws = 1000, 20_000
	busiest := func(skewed bool) int {
		k, seen := newKeys(1, customers, skewed), map[int]int{}
		for range draws {
			n := k.next()
			if n < 0 || n >= customers {
				t.Fatalf("customer is %d, want 0 to %d", n, customers-1)
			}
			seen[n]++
		}
		most := 0
		for _, n := range seen {
			most = max(most, n)
		}
		return most
	}
	if got := busiest(false); got > draws/customers*4 {
		t.Errorf("busiest of all alike has %d of %d events, want about %d", got, draws, draws/customers)
	}
	if got := busiest(true); got < draws/20 {
		t.Errorf("busiest of skewed customers has %d of %d events, want a twentieth at least", got, draws)
	}
}

// answering is a server that answers all requests alike.
func answering(t *testing.T, status int, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func TestAWrongAnswerGivesNoFigures(t *testing.T) {
	p, err := newPeople(10, 5, 4)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.checkLookups(t.Context(), answering(t, 200, string(p.account(1)))); !errors.Is(err, ErrWrong) {
		t.Errorf("error of another customer's account is %v, want ErrWrong", err)
	}
	for name, body := range map[string]string{
		"one too few": `{"accounts":[]}`,
		"another one": `{"accounts":[{"customer_id":"customer-00000001","account":{}}]}`,
		"an old one":  `{"accounts":[{"customer_id":"customer-00000000","account":{"seq":1}}]}`,
		"no JSON":     `accounts`,
	} {
		w := newWeb(answering(t, 200, body))
		err := w.checkBatch(t.Context(), []string{customerKey(0)}, []json.RawMessage{p.account(0)})
		if !errors.Is(err, ErrWrong) {
			t.Errorf("error of %s is %v, want ErrWrong", name, err)
		}
		w.close()
	}
	c, err := newCrowd(t.Context(), answering(t, 503, "no"), p.requests(Lookup, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := c.ask(t.Context(), time.Second); !errors.Is(err, ErrWrong) {
		t.Errorf("error of answers with status 503 is %v, want ErrWrong", err)
	}
}

func TestGrowthDiffersInOneWayEach(t *testing.T) {
	plan := growthPlan(million, 1000)
	var names []string
	for _, s := range plan {
		c := Cell{Customers: s.customers, Events: s.events, Partitions: s.partitions, Zipf: s.zipf}
		names = append(names, c.label())
	}
	want := "10,000|100,000|1,000,000|1 partitions|4 partitions|64 partitions|1 events each|20 events each|50 events each|100,000 Zipf|1,000,000 Zipf"
	if got := strings.Join(names, "|"); got != want {
		t.Errorf("cells are %s, want %s", got, want)
	}
	if got := growthPlan(500, 10); len(got) != 8 || got[0].customers != 500 {
		t.Errorf("cells of 500 customers are %+v, want 8 of that many", got)
	}
}

// grown are cells as if a customer took 600 B beside 100 MiB, and an event 10 us
// and 2 more for each tenfold of customers.
func grown() []Cell {
	var cells []Cell
	for i, n := range []int{10_000, 100_000, million} {
		cells = append(cells, Cell{
			Customers: n, Events: rowEvents, Partitions: growthPartitions, Guarantee: exactlyOnce, RowBytes: int64(n) * 400,
			Resident: 100<<20 + int64(n)*600, CPUPerEvent: 10 + 2*float64(i), RestoredPerSecond: 500_000, RestoreSeconds: float64(n) / 500_000, P99: 20,
		})
	}
	return cells
}

func TestAHundredMillionAreWorkedOutFromTheLargestCells(t *testing.T) {
	cells := append(grown(), Cell{Customers: 10 * million, Zipf: true}, Cell{Customers: 10 * million, Partitions: 64})
	p := project(cells, 16<<30, 4)
	if p == nil {
		t.Fatal("projection is nil, want one")
	}
	if p.BytesPerCustomer != 600 || p.CPUPerEvent != 14 || p.CPUPerTenfold != 2 || p.From != million {
		t.Errorf("projection is %+v, want 600 B, 14 us and 2 us for each tenfold of 1,000,000", p)
	}
	// 60 GB in parts of 70 % of 16 GiB less a process: 5.03, so 6 machines.
	var got [][3]int
	for _, n := range p.Needs {
		got = append(got, [3]int{n.Machines, n.ByMemory, n.ByCPU})
	}
	want := [][3]int{{6, 6, 1}, {6, 6, 1}, {6, 6, 1}, {7, 6, 7}}
	if !slices.Equal(got, want) {
		t.Errorf("machines are %v, want %v", got, want)
	}
	if project(grown()[:1], 16<<30, 4) != nil || project(grown(), 0, 4) != nil {
		t.Error("projection of one cell, or without a known machine, is there, want none")
	}
}

func TestGrowthIsDrawnWithABarForEachCell(t *testing.T) {
	r := &Report{findings: findings{Growth: &Growth{Cells: grown()}}, Command: "billstream bench --growth"}
	var text bytes.Buffer
	if err := r.Chart(&text); err != nil {
		t.Fatal(err)
	}
	var p struct {
		Group []struct {
			Texts []string   `xml:"text"`
			Rects []struct{} `xml:"rect"`
		} `xml:"g"`
	}
	if err := xml.Unmarshal(text.Bytes(), &p); err != nil {
		t.Fatalf("chart is no XML: %v", err)
	}
	if len(p.Group) != 4 || len(p.Group[0].Rects) != 3 {
		t.Fatalf("panels are %+v, want 4 of 3 bars", p.Group)
	}
	if got, want := strings.Join(p.Group[0].Texts, "|"), "CPU per event, µs|10,000|10.0|100,000|12.0|1,000,000|14.0"; got != want {
		t.Errorf("texts of the first panel are %q, want %q", got, want)
	}
}

func TestPausesAreOfSnapshotsAndOfAsLongWithout(t *testing.T) {
	var out bytes.Buffer
	s := spec{Way: pauser, Dir: t.TempDir(), Customers: 300, Events: 1, Partitions: 2, Snapshots: 10}
	if err := measurePause(t.Context(), &out, s); err != nil {
		t.Fatal(err)
	}
	var h hello
	if err := json.Unmarshal(out.Bytes(), &h); err != nil {
		t.Fatal(err)
	}
	p := h.Paused
	if p == nil || p.Snapshots != s.Snapshots || p.RowsPerSec <= 0 || p.Batches <= 0 {
		t.Fatalf("pauses are %+v, want those of %d snapshots", p, s.Snapshots)
	}
	for _, w := range []Waits{p.Busy, p.Quiet} {
		if w.P50 < 0 || w.P99 < w.P50 || w.Max < w.P99 || w.Max == 0 {
			t.Errorf("waits are %+v, want 0 <= p50 <= p99 <= max, and some", w)
		}
	}
}

func TestAProgramThatForgetsGivesNoFigures(t *testing.T) {
	p, err := newPeople(1, 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	w := newWeb(answering(t, 200, string(p.account(0))))
	defer w.close()
	s := &site{situation: situation{customers: 1}, people: p, happen: map[int]int{}}
	for _, look := range []error{s.untouched(t.Context(), w), s.remembered(t.Context(), w)} {
		if look != nil {
			t.Errorf("error of the right account is %v, want none", look)
		}
	}
	s.happen[0]++
	if err := s.remembered(t.Context(), w); !errors.Is(err, ErrWrong) {
		t.Errorf("error of an account without its last event is %v, want ErrWrong", err)
	}
	p.kinds[0].Seq++
	if err := s.untouched(t.Context(), w); !errors.Is(err, ErrWrong) {
		t.Errorf("error of an account with another seq is %v, want ErrWrong", err)
	}
}
