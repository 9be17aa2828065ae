//go:build chaos || apache

package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// generator makes events: renames and contacts of some customers, with no-ops,
// repeats, unknown types, and bad records for a fixed twentieth of the
// customers.
type generator struct {
	rng  *rand.Rand
	n    int
	last []*kgo.Record
}

// first is the time of the first event; the others follow by a millisecond.
var first = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (g *generator) event() *kgo.Record {
	g.n++
	if len(g.last) > 0 && g.rng.IntN(20) == 0 { // the customer system sends it once more
		r := g.last[g.rng.IntN(len(g.last))]
		return &kgo.Record{Key: r.Key, Value: r.Value}
	}
	c := g.rng.IntN(customers)
	id := fmt.Sprintf("customer-%d", c)
	r := &kgo.Record{Key: []byte(id), Value: []byte(g.value(c, id))}
	if len(g.last) < 1000 {
		g.last = append(g.last, r)
	} else {
		g.last[g.n%1000] = r
	}
	return r
}

func (g *generator) value(c int, id string) string {
	at := first.Add(time.Duration(g.n) * time.Millisecond).Format("2006-01-02T15:04:05.000Z")
	event := func(kind, data string) string {
		return fmt.Sprintf(`{"specversion":"1.0","id":"e-%d","source":"/chaos","type":"customer.%s.v1","subject":%q,"time":%q,"datacontenttype":"application/json","data":%s}`, g.n, kind, id, at, data)
	}
	switch n := g.rng.IntN(100); {
	case c%20 == 7 && n < 50:
		return []string{`no event`, `{"specversion":"1.0"}`, event("renamed", `{"name":7}`), event("renamed", `{}`)}[g.rng.IntN(4)]
	case n < 5:
		return event("waved", `{}`) // of no known type
	case n < 15:
		return event("renamed", `{"name":"The same"}`) // often changes nothing
	}
	return event("renamed", fmt.Sprintf(`{"name":"Name %d"}`, g.n))
}
