package views_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/internal/topics"
	"billstream/views"
)

// now is the wall clock of the tests.
var now = time.Date(2026, 5, 2, 10, 0, 0, 0, time.UTC)

// partition is a views.Partition in a map.
type partition struct {
	mu     sync.Mutex
	rows   map[string][]byte
	err    error
	onNext func() // runs at each step of a walk; may be nil
}

func (p *partition) Get(key string) ([]byte, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	value, ok := p.rows[key]
	return value, ok, p.err
}

func (p *partition) Ascend(from string, yield func(string, []byte) bool) error {
	for {
		key, value, ok := p.next(from)
		if !ok {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.err
		}
		if !yield(key, value) {
			return nil
		}
		from = key + "\x00"
	}
}

// next returns the first row from key from on.
func (p *partition) next(from string) (key string, value []byte, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.onNext != nil {
		p.onNext()
	}
	keys := slices.Sorted(maps.Keys(p.rows))
	i, _ := slices.BinarySearch(keys, from)
	if i == len(keys) {
		return "", nil, false
	}
	return keys[i], p.rows[keys[i]], true
}

// world is a data listener over a table in memory.
type world struct {
	views.Config
	t          testing.TB
	partitions []*partition
	mu         sync.Mutex
	remaining  map[int32]int64 // partitions that are not ready
	registry   *prometheus.Registry
	log        bytes.Buffer
	clock      time.Time
	changed    map[int32]chan struct{} // closed by the next position row
	handler    http.Handler
}

// newWorld returns a listener over n empty partitions; adapt may change its
// configuration.
func newWorld(t testing.TB, n int, adapt ...func(*world)) *world {
	t.Helper()
	w := &world{t: t, clock: now, registry: prometheus.NewRegistry(), remaining: make(map[int32]int64), changed: make(map[int32]chan struct{})}
	for range n {
		w.partitions = append(w.partitions, &partition{rows: make(map[string][]byte)})
	}
	w.Config = views.Config{
		Partitions: int32(n),
		Partition:  func(p int32) views.Partition { return w.partitions[p] },
		Ready: func(p int32) (int64, bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			left, not := w.remaining[p]
			return left, !not
		},
		Changed: w.next,
		Now:     func() time.Time { return w.clock },
		Metrics: views.NewMetrics(w.registry),
		Log:     slog.New(slog.NewTextHandler(&w.log, nil)),
	}
	for _, f := range adapt {
		f(w)
	}
	h, err := views.New(w.Config)
	if err != nil {
		t.Fatal(err)
	}
	w.handler = h
	return w
}

// put stores row under id, in the partition where it belongs.
func (w *world) put(id string, row *billing.Row) {
	w.t.Helper()
	value, err := codecs.AppendRow(nil, row)
	if err != nil {
		w.t.Fatal(err)
	}
	w.putBytes(id, value)
}

func (w *world) putBytes(id string, value []byte) {
	p := w.home(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rows[id] = value
}

func (w *world) home(id string) *partition {
	return w.partitions[topics.Partition([]byte(id), w.Partitions)]
}

// reached stores the position row of partition p and tells of it.
func (w *world) reached(p int32, offset int64) {
	value := codecs.AppendPosition(nil, &codecs.PositionRow{NextOffset: offset + 1, TopicID: []byte("id")})
	part := w.partitions[p]
	part.mu.Lock()
	part.rows[string(topics.PositionKey(p, w.Partitions))] = value
	part.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if c, ok := w.changed[p]; ok {
		close(c)
		delete(w.changed, p)
	}
}

// next is views.Config.Changed.
func (w *world) next(p int32) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.changed[p]; !ok {
		w.changed[p] = make(chan struct{})
	}
	return w.changed[p]
}

// recovering says that partition p has so many records to read.
func (w *world) recovering(p int32, records int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remaining[p] = records
}

// recovered says that all partitions are ready.
func (w *world) recovered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.remaining)
}

// get asks for target and returns the answer.
func (w *world) get(target string, headers ...string) *answer {
	w.t.Helper()
	return w.do(http.MethodGet, target, "", headers...)
}

// do sends a request. Whatever comes back must be as the document says, and
// hold to the rules that all answers share. Headers are names and values.
func (w *world) do(method, target, body string, headers ...string) *answer {
	w.t.Helper()
	var r *http.Request
	if body == "" {
		r = httptest.NewRequest(method, target, http.NoBody)
	} else {
		r = httptest.NewRequest(method, target, strings.NewReader(body))
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	a := &answer{t: w.t, pattern: r.Pattern, code: rec.Code, header: rec.Header(), body: rec.Body.String()}
	if rec.Code == http.StatusTemporaryRedirect {
		return a // the mux's own, to a cleaned path
	}
	a.checkRules()
	if method != http.MethodHead {
		a.checkDocument(method)
	}
	return a
}

// answer is what a client got.
type answer struct {
	t       testing.TB
	pattern string
	code    int
	header  http.Header
	body    string
}

// checkRules holds the answer to what all answers have.
func (a *answer) checkRules() {
	a.t.Helper()
	want := map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
	if a.code != http.StatusNotModified {
		want["Content-Length"] = fmt.Sprint(len(a.body))
	}
	if a.code == http.StatusServiceUnavailable {
		want["Retry-After"] = "1"
	}
	for name, value := range want {
		if got := a.header.Get(name); got != value {
			a.t.Errorf("%s of %d is %q, want %q", name, a.code, got, value)
		}
	}
	if positions := a.header.Get("Billing-Position"); a.hasAccountData() && !positionForm.MatchString(positions) {
		a.t.Errorf("Billing-Position of %d %q is %q, want positions", a.code, a.pattern, positions)
	}
	if a.code != http.StatusNotModified && a.header.Get("Content-Type") == "" {
		a.t.Errorf("Content-Type of %d is empty, want one", a.code)
	}
}

var positionForm = regexp.MustCompile(`^customer\.events/\d+@(-1|\d+)(, customer\.events/\d+@(-1|\d+))*$`)

// hasAccountData reports whether the answer says something about accounts, also
// that there is none, or where events are.
func (a *answer) hasAccountData() bool {
	switch a.code {
	case http.StatusOK, http.StatusNotModified, http.StatusNotFound, http.StatusGone:
		return strings.Contains(a.pattern, " /v1/accounts")
	}
	return a.code == http.StatusAccepted
}

// checkDocument validates the body against the schema that openapi.json has for
// this route, status and media type.
func (a *answer) checkDocument(method string) {
	a.t.Helper()
	schema := openAPI(a.t).responseSchema(a.t, method, a.pattern, a.code, a.header.Get("Content-Type"))
	if schema == nil || !strings.Contains(a.header.Get("Content-Type"), "json") {
		return
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(a.body))
	if err != nil {
		a.t.Fatalf("body of %d is no JSON: %v", a.code, err)
	}
	if err := schema.Validate(value); err != nil {
		a.t.Errorf("answer %d of %q is not as the document says: %v\n%s", a.code, a.pattern, err, a.body)
	}
}

// wantProblem checks that the answer is the problem code, and returns it.
func (a *answer) wantProblem(status int, code views.Code) map[string]any {
	a.t.Helper()
	var p map[string]any
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		a.t.Fatalf("body of %d is no JSON: %v", a.code, err)
	}
	if a.code != status || p["code"] != string(code) || p["type"] != "/problems/"+string(code) || p["status"] != float64(status) {
		a.t.Errorf("answer is %d %s, want %d %s", a.code, a.body, status, code)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		a.t.Errorf("Content-Type is %q, want application/problem+json", got)
	}
	return p
}

// A row that has seen one registration.

const registeredAt = "2026-03-01T09:00:00Z"

func instant(t testing.TB, text string) customer.Instant {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return customer.InstantOf(at)
}

// row returns a row with the status and these values, in force since the
// registration.
func row(t testing.TB, seq uint64, status billing.Status, values map[billing.Facet]billing.Value) *billing.Row {
	t.Helper()
	at := instant(t, registeredAt)
	r := &billing.Row{Seq: seq, RecordedAt: at, UpdatedAt: at, AppliedPartition: 3, AppliedOffset: 131}
	set := func(f billing.Facet, v billing.Value) {
		r.Timelines[f].Versions = append(r.Timelines[f].Versions, billing.Version{EffectiveFrom: at, Time: at, Event: 1, Value: v})
	}
	switch status {
	case billing.StatusErased:
		r.ErasedAt = new(at)
		r.RegisteredAt = new(at)
	case billing.StatusUnregistered:
	default:
		set(billing.FacetStatus, billing.StatusActive)
		if status != billing.StatusActive {
			set(billing.FacetStatus, status)
		}
	}
	for f, v := range values {
		set(f, v)
	}
	return r
}

// acme returns a customer that has a value in every facet.
func acme(t testing.TB, seq uint64) *billing.Row {
	return row(t, seq, billing.StatusActive, map[billing.Facet]billing.Value{
		billing.FacetName:           billing.Name("Acme Widgets GmbH"),
		billing.FacetBillingAddress: &customer.Address{Line1: "Torstrasse 5", City: "Berlin", PostalCode: "10119", Country: "DE"},
		billing.FacetContact:        &customer.Contact{Email: "ap@acme.example", Locale: "de-DE", TimeZone: "Europe/Berlin"},
		billing.FacetTax:            &customer.Tax{TaxIDs: []customer.TaxID{{Type: "eu_vat", Value: "DE123456789"}}},
		billing.FacetPlan:           &customer.Plan{Code: "pro", AmountMinor: 5900, Currency: "EUR", Interval: customer.IntervalMonth},
	})
}

// toJSON encodes v.
func toJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
