package processors_test

import (
	"testing"
)

// Times depend on the machine, allocations do not: what one record costs is held
// exactly, so that a change is seen, for better or worse.
func TestEachRecordAllocatesAsOftenAsItMust(t *testing.T) {
	const (
		head       = `{"specversion":"1.0","source":"/crm","subject":"c-1","datacontenttype":"application/json",`
		registered = head + `"id":"e-1","type":"customer.registered.v1","time":"2026-01-01T00:00:00Z","data":{"name":"Acme","billing_address":{"country":"US","city":"Washington","subdivision":"US-DC"},"plan":{"code":"pro","amount_minor":900,"currency":"USD","interval":"year"}}}`
		renamed    = head + `"id":"e-2","type":"customer.renamed.v1","time":"2026-01-02T00:00:00Z","data":{"name":"Acme Widgets"}}`
		same       = head + `"id":"e-3","type":"customer.renamed.v1","time":"2026-01-03T00:00:00Z","data":{"name":"Acme"}}`
		broken     = head + `"id":"e-4","type":"customer.renamed.v1","time":"2026-01-04T00:00:00Z","data":{"name":7}}`
	)
	for _, c := range []struct {
		what, event string
		known       bool
		offset      int64
		want        made
		allocations float64
	}{
		{"a first event", registered, false, 2, made{rows: 1, updates: 1}, 27},
		{"a change", renamed, true, 2, made{rows: 1, updates: 1}, 22},
		{"a change to what is", same, true, 2, made{rows: 1}, 15},
		{"a repeat of an event", registered, true, 2, made{}, 17},
		{"a record that comes again", registered, true, 1, made{}, 6},
		{"an event that is refused", broken, true, 2, made{letters: 1}, 26},
	} {
		group, s := alone(), &staged{rows: make(map[string][]byte)}
		first, r := structured(t, []byte(registered)), structured(t, []byte(c.event))
		if c.known {
			s.take(&first, 1)
			group.Process(s)
		}
		row, known := s.rows["c-1"]
		process := func() {
			if known {
				s.rows["c-1"] = row
			} else {
				delete(s.rows, "c-1")
			}
			s.take(&r, c.offset)
			group.Process(s)
		}
		for range 512 { // room in what is kept until the commit
			process()
		}
		group.Committed(0, 3)
		got := testing.AllocsPerRun(200, process)
		if s.outcome != c.want {
			t.Errorf("%s makes %+v, want %+v", c.what, s.outcome, c.want)
		}
		if got != c.allocations {
			t.Errorf("%s takes %.2f allocations, want %.0f", c.what, got, c.allocations)
		}
	}
}
