package codecs_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"billstream/cmd/billstream/corpus"
	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
)

// figures is what the bundled history leads to.
type figures struct {
	Outcomes map[billing.Outcome]int
	Classes  map[string]int
	Changes  map[string]int
	Warnings map[string]int
	Refused  int
	Same     []string // ids of the events that changed nothing
}

func TestCorpusLeadsToTheKnownFigures(t *testing.T) {
	records := load(t, 0)
	rows := make(map[string][]byte)
	got := figures{
		Outcomes: make(map[billing.Outcome]int), Classes: make(map[string]int),
		Changes: make(map[string]int), Warnings: make(map[string]int),
	}
	for i := range records {
		res, e, err := fold(rows, &records[i], i)
		if err != nil {
			got.Refused++
			continue
		}
		got.Outcomes[res.Outcome]++
		if res.Row != nil {
			if rows[string(records[i].Key)], err = codecs.AppendRow(nil, res.Row); err != nil {
				t.Fatal(err)
			}
		}
		if res.Update == nil {
			got.Same = append(got.Same, e.ID)
			continue
		}
		got.Classes[res.Update.Class.String()]++
		for _, c := range res.Update.Changes {
			got.Changes[c.Facet.String()]++
		}
		for _, w := range res.Update.Warnings {
			got.Warnings[w.Code]++
		}
	}
	want := figures{
		Outcomes: map[billing.Outcome]int{billing.Updated: 93216, billing.Unchanged: 1},
		Classes:  map[string]int{"applied": 82969, "closed": 10247},
		Changes:  map[string]int{"status": 37033, "name": 49217, "address.billing": 20703, "contact": 20375, "plan": 23548},
		Warnings: map[string]int{"subdivision_missing": 1154, "subdivision_unknown": 8},
		Same:     []string{"dotgov-018206"},
	}
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("history leads to\n%s, want\n%s", g, w)
	}
	checkAccounts(t, rows)
	checkAsOf(t, rows)
}

// accounts are the accounts at the end of the history, counted.
type accounts struct {
	Active, Closed, LargestSeq                    int
	NoContact, NoSubdivision, City, County, State int // of the active ones
}

func checkAccounts(t *testing.T, rows map[string][]byte) {
	t.Helper()
	var got accounts
	sum := sha256.New()
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		row, err := codecs.ParseRow(rows[id])
		if err != nil {
			t.Fatal(err)
		}
		a := billing.AccountOf(customer.ID(id), row)
		fmt.Fprintf(sum, "%s\t%d\t%s\n", id, a.Seq, a.Status)
		got.count(a)
	}
	want := accounts{
		Active: 16539, Closed: 915, LargestSeq: 22,
		NoContact: 6628, NoSubdivision: 5, City: 8978, County: 2639, State: 1409,
	}
	if got != want {
		t.Errorf("accounts are %+v, want %+v", got, want)
	}
	const digest = "bd4752af807522354c091455764a3a3ee197a192ec9f2c7c7e4cab8fc2206507"
	if d := hex.EncodeToString(sum.Sum(nil)); d != digest {
		t.Errorf("digest of id, seq and status is %s, want %s", d, digest)
	}
}

func (n *accounts) count(a *billing.Account) {
	n.LargestSeq = max(n.LargestSeq, int(a.Seq))
	if a.Status != billing.StatusActive {
		n.Closed++
		return
	}
	n.Active++
	if a.Contact == nil {
		n.NoContact++
	}
	if a.BillingAddress == nil || a.BillingAddress.Subdivision == "" {
		n.NoSubdivision++
	}
	if a.Plan == nil {
		return
	}
	switch a.Plan.Code {
	case "city":
		n.City++
	case "county":
		n.County++
	case "state-or-territory":
		n.State++
	}
}

func checkAsOf(t *testing.T, rows map[string][]byte) {
	t.Helper()
	moments := []struct {
		at              string
		active, unnamed int
	}{
		{"2020-01-01T00:00:00Z", 5795, -1},
		{"2024-02-28T21:00:00Z", 9892, -1},
		{"2024-02-28T21:30:00Z", 896, -1},
		{"2024-02-28T22:00:00Z", 9892, -1},
		{"2025-09-24T12:00:00Z", -1, 13584},
		{"2026-01-01T00:00:00Z", 14785, -1},
	}
	for _, m := range moments {
		at, err := time.Parse(time.RFC3339, m.at)
		if err != nil {
			t.Fatal(err)
		}
		active, unnamed := 0, 0
		for _, b := range rows {
			row, err := codecs.ParseRow(b)
			if err != nil {
				t.Fatal(err)
			}
			if row.At(billing.FacetStatus, customer.InstantOf(at)) != billing.StatusActive {
				continue
			}
			active++
			if row.At(billing.FacetName, customer.InstantOf(at)) == nil {
				unnamed++
			}
		}
		if m.active >= 0 && active != m.active || m.unnamed >= 0 && unnamed != m.unnamed {
			t.Errorf("at %s %d customers are active, %d of them without a name, want %d and %d (-1: any)", m.at, active, unnamed, m.active, m.unnamed)
		}
	}
}

func TestCorpusEventsAreTheSameInBothModes(t *testing.T) {
	r, err := corpus.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan() && n <= 5000; n++ {
		e, err := codecs.ParseStructured(lines.Bytes())
		if err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		record := e.Record(0)
		binary, err1 := codecs.DecodeEvent(customer.ID(record.Key), record.Value, record.Headers)
		structured, err2 := codecs.DecodeEvent(customer.ID(record.Key), lines.Bytes(), nil)
		if err1 != nil || err2 != nil || !reflect.DeepEqual(binary, structured) {
			t.Errorf("line %d is %+v, %v in binary mode, want %+v, %v", n, binary, err1, structured, err2)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}
