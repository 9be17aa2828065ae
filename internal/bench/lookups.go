package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// The servers that are compared by their lookups.
const (
	// Echo is the least that answers HTTP: a socket, the end of a request, bytes
	// that lie ready. They are as many as those of a lookup.
	Echo Way = "echo"
	// Bare is net/http with the data listener's limits and mux, and the same
	// bytes: what it needs above Echo is not the program's to save.
	Bare Way = "net/http"
	// Lookup is the program's data listener, asked for one account at a time.
	Lookup Way = "lookup"
	// Batch is the same one, asked for batchKeys at a time.
	Batch Way = "batch"
)

// lookupWays are the servers in the order of a table.
var lookupWays = []Way{Echo, Bare, Lookup, Batch}

const (
	// batchKeys is how many accounts a request of Batch is about.
	batchKeys = 100
	// callers is how many connections ask at once, each for one answer after
	// the other.
	callers = 32
	// callWarm is how long they do so before it counts.
	callWarm = 300 * time.Millisecond
)

// Looked is what a server used in one round.
type Looked struct {
	Way               Way     `json:"arm"`
	Round             int     `json:"round"`
	Requests          int     `json:"requests"`
	Keys              int     `json:"keys_per_request"`
	CPUPerRequest     float64 `json:"cpu_us_per_request"`
	RequestsPerSecond float64 `json:"requests_per_second"`
	KeysPerCore       float64 `json:"keys_per_core_second"` // of CPU time
	AnswerBytes       int     `json:"answer_bytes"`         // of a first body
	AllocsPerRequest  float64 `json:"allocs_per_request"`
	Drift             float64 `json:"drift"`
	Noisy             bool    `json:"noisy"`
}

// lookups compares the servers, round after round, in child processes.
func (b *bench) lookups(ctx context.Context, deadline time.Time) (all []Looked, err error) {
	p, err := newPeople(b.o.Customers, rowEvents, b.o.Partitions)
	if err != nil {
		return nil, err
	}
	s := spec{Way: Lookup, Customers: p.customers, Events: p.events, Partitions: p.partitions}
	b.o.Progress(fmt.Sprintf("lookups: filling a store with %s customers", thousands(p.customers)))
	product, err := start(ctx, b.pins.command(b.o.Exe), s)
	if err != nil {
		return nil, err
	}
	defer product.kill()
	servers := map[Way]*process{Lookup: product, Batch: product}
	for _, w := range []Way{Echo, Bare} {
		server, err := start(ctx, b.pins.command(b.o.Exe), spec{Way: w, Bytes: len(p.account(0))})
		if err != nil {
			return nil, err
		}
		defer server.kill()
		servers[w] = server
	}
	if err := p.checkLookups(ctx, product.first.Addr); err != nil {
		return nil, err
	}
	g, order := newGuard(), rand.New(rand.NewPCG(b.o.Seed, 4))
	for round := range b.o.Rounds + 1 {
		if round == 0 && b.o.cold {
			continue
		}
		ways := slices.Clone(lookupWays)
		if round > 1 && time.Now().Add(time.Duration(len(ways)*b.o.tries)*(b.o.LookupTime+time.Second)).After(deadline) {
			break
		}
		order.Shuffle(len(ways), func(i, j int) { ways[i], ways[j] = ways[j], ways[i] })
		for _, w := range ways {
			b.o.Progress(fmt.Sprintf("lookups, round %d of %d: %s", round, b.o.Rounds, w))
			l, err := b.lookQuietly(ctx, g, w, servers[w], p)
			if err != nil {
				return nil, fmt.Errorf("look up by %s: %w", w, err)
			}
			if l.Round = round; round > 0 {
				all = append(all, l)
			}
		}
	}
	return all, nil
}

// rowEvents is how many events have happened to a customer of whom nothing else
// is said.
const rowEvents = 5

// checkLookups compares answers with what the rows say.
func (p *people) checkLookups(ctx context.Context, addr string) error {
	w := newWeb(addr)
	defer w.close()
	var ids []string
	var want []json.RawMessage
	for n := 0; n < p.customers && len(ids) < batchKeys; n += max(1, p.customers/batchKeys) {
		ids, want = append(ids, customerKey(n)), append(want, p.account(n))
		status, body, err := w.account(ctx, customerKey(n), "")
		switch {
		case err != nil:
			return err
		case status != http.StatusOK || !bytes.Equal(body, p.account(n)):
			return fmt.Errorf("%w: lookup of customer %d has status %d and %d bytes, want what its row says", ErrWrong, n, status, len(body))
		}
	}
	return w.checkBatch(ctx, ids, want)
}

// checkBatch compares the answer about several customers with theirs.
func (w *web) checkBatch(ctx context.Context, ids []string, want []json.RawMessage) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.base+batchPath, strings.NewReader(batchBody(ids)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := w.client.Do(r)
	if err != nil {
		return fmt.Errorf("look accounts up: %w", err)
	}
	defer answer.Body.Close()
	var got struct {
		Accounts []struct {
			Customer string          `json:"customer_id"`
			Account  json.RawMessage `json:"account"`
		} `json:"accounts"`
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: lookup of %d customers has status %d, want 200", ErrWrong, len(ids), answer.StatusCode)
	}
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		return fmt.Errorf("%w: read the accounts of %d customers: %w", ErrWrong, len(ids), err)
	}
	if len(got.Accounts) != len(ids) {
		return fmt.Errorf("%w: accounts are %d, want %d", ErrWrong, len(got.Accounts), len(ids))
	}
	for i, a := range got.Accounts {
		if a.Customer != ids[i] || !bytes.Equal(a.Account, want[i]) {
			return fmt.Errorf("%w: account %d of %d is not what its row says", ErrWrong, i, len(ids))
		}
	}
	return nil
}

// lookQuietly looks again while the machine is busy with something else.
func (b *bench) lookQuietly(ctx context.Context, g *guard, w Way, p *process, of *people) (l Looked, err error) {
	for range b.o.tries {
		if l, err = b.look(ctx, g, w, p, of); err != nil || !l.Noisy {
			break
		}
	}
	return l, err
}

// look lets all callers ask for a while, and says what it cost the server.
func (b *bench) look(ctx context.Context, g *guard, w Way, p *process, of *people) (l Looked, err error) {
	l = Looked{Way: w, Keys: 1}
	requests := of.requests(w, b.o.Seed)
	if w == Batch {
		l.Keys = batchKeys
	}
	drift := g.drift()
	crowd, err := newCrowd(ctx, p.first.Addr, requests)
	if err != nil {
		return l, err
	}
	defer crowd.close()
	if err := crowd.ask(ctx, callWarm); err != nil {
		return l, err
	}
	before, err := p.sample()
	if err != nil {
		return l, err
	}
	began := time.Now()
	crowd.done.Store(0)
	if err := crowd.ask(ctx, b.o.LookupTime); err != nil {
		return l, err
	}
	seconds := time.Since(began).Seconds()
	after, err := p.sample()
	if err != nil {
		return l, err
	}
	n := float64(crowd.done.Load())
	l.Requests, l.AnswerBytes = int(n), int(crowd.bytes.Load())
	l.CPUPerRequest = micros(after.CPU-before.CPU) / n
	l.RequestsPerSecond = n / seconds
	l.KeysPerCore = float64(l.Keys) * 1e6 / l.CPUPerRequest
	l.AllocsPerRequest = float64(after.Allocs-before.Allocs) / n
	l.Drift = max(drift, g.drift())
	l.Noisy = l.Drift > maxDrift
	return l, nil
}

// requests are what callers ask, as bytes that lie ready.
func (p *people) requests(w Way, seed uint64) [][]byte {
	random := rand.New(rand.NewPCG(seed, 5))
	id := func() string { return customerKey(random.IntN(p.customers)) }
	var all [][]byte
	if w == Batch {
		for range 256 {
			ids := make([]string, batchKeys)
			for i := range ids {
				ids[i] = id()
			}
			body := batchBody(ids)
			all = append(all, fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", batchPath, len(body), body))
		}
		return all
	}
	for range 4096 {
		all = append(all, fmt.Appendf(nil, "GET /v1/accounts/%s HTTP/1.1\r\nHost: bench\r\n\r\n", id()))
	}
	return all
}

const batchPath = "/v1/accounts:batchGet"

// batchBody asks for several customers, whose ids need no escapes.
func batchBody(ids []string) string { return `{"ids":["` + strings.Join(ids, `","`) + `"]}` }

// crowd is connections that ask.
type crowd struct {
	requests [][]byte
	callers  []*caller
	tally
}

// newCrowd opens the connections.
func newCrowd(ctx context.Context, addr string, requests [][]byte) (*crowd, error) {
	c := &crowd{requests: requests}
	for range callers {
		one, err := dial(ctx, addr)
		if err != nil {
			c.close()
			return nil, err
		}
		c.callers = append(c.callers, one)
	}
	return c, nil
}

func (c *crowd) close() {
	for _, one := range c.callers {
		_ = one.conn.Close()
	}
}

// ask keeps all connections busy for so long.
func (c *crowd) ask(ctx context.Context, while time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, while)
	defer cancel()
	var failed firstError
	var work sync.WaitGroup
	for i, one := range c.callers {
		work.Go(func() {
			for n := i * len(c.requests) / callers; ctx.Err() == nil; n++ {
				if err := one.call(c.requests[n%len(c.requests)], &c.tally); err != nil {
					failed.set(err)
					cancel()
				}
			}
		})
	}
	work.Wait()
	return failed.get()
}

// lookupRatios compares the servers within rounds.
func lookupRatios(all []Looked) []Ratio {
	byRound := map[int]map[Way]float64{}
	for _, l := range all {
		if byRound[l.Round] == nil {
			byRound[l.Round] = map[Way]float64{}
		}
		byRound[l.Round][l.Way] = l.CPUPerRequest
	}
	var ratios []Ratio
	for _, w := range []Way{Lookup, Bare} {
		var values []float64
		for _, m := range byRound {
			if m[Echo] > 0 && m[w] > 0 {
				values = append(values, m[w]/m[Echo])
			}
		}
		if len(values) > 0 {
			ratios = append(ratios, Ratio{Of: w, To: Echo, What: lookupCPU, Spread: spread(values)})
		}
	}
	return ratios
}

// lookupCPU is what the ratio of two servers is about.
const lookupCPU = "CPU per request"
