package views_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"billstream/internal/billing"
	"billstream/internal/topics"
	"billstream/views"
)

// homeOf returns the partition of id among n.
func homeOf(id string, n int32) int32 { return topics.Partition([]byte(id), n) }

// at is a position as a header has it.
func at(p int32, offset int64) string { return fmt.Sprintf("customer.events/%d@%d", p, offset) }

func TestEveryAnswerSaysHowFarItsPartitionIs(t *testing.T) {
	w := newWorld(t, 4)
	w.put("c-1", acme(t, 5))
	w.put("gone", row(t, 2, billing.StatusErased, nil))
	for p := range w.Partitions {
		w.reached(p, 100+int64(p))
	}
	for _, c := range []struct {
		id     string
		code   int
		header []string
	}{
		{"c-1", 200, nil},
		{"c-1", 304, []string{"If-None-Match", `"5"`}},
		{"nobody", 404, nil},
		{"gone", 410, nil},
	} {
		p := homeOf(c.id, w.Partitions)
		a := w.get("/v1/accounts/"+c.id, c.header...)
		if got, want := a.header.Get("Billing-Position"), at(p, 100+int64(p)); a.code != c.code || got != want {
			t.Errorf("%s is answered %d at %q, want %d at %q", c.id, a.code, got, c.code, want)
		}
	}
}

func TestAListSaysHowFarAllPartitionsAre(t *testing.T) {
	w := newWorld(t, 3)
	w.reached(0, 7)
	w.reached(2, 1<<40)
	want := "customer.events/0@7, customer.events/1@-1, customer.events/2@1099511627776"
	if got := w.get("/v1/accounts").header.Get("Billing-Position"); got != want {
		t.Errorf("list is at %q, want %q", got, want)
	}
}

// moving is a partition whose position moves on with each read of another row,
// as if the processor were quick.
type moving struct {
	*partition
	advance func()
}

func (m moving) Get(key string) ([]byte, bool, error) {
	if !strings.HasPrefix(key, "~") {
		m.advance()
	}
	return m.partition.Get(key)
}

func (m moving) Ascend(from string, yield func(string, []byte) bool) error {
	m.advance()
	return m.partition.Ascend(from, yield)
}

// What is written while an answer is made can make it newer than it says, but
// never older.
func TestAnAnswerClaimsNoMoreThanWasThereBeforeItsRows(t *testing.T) {
	offset := int64(0)
	var w *world
	w = newWorld(t, 1, func(c *world) {
		c.Partition = func(p int32) views.Partition {
			return moving{c.partitions[p], func() { offset++; w.reached(p, offset) }}
		}
	})
	w.put("c-1", acme(t, 5))
	w.reached(0, 0)
	for i, target := range []string{"/v1/accounts/c-1", "/v1/accounts/nobody", "/v1/accounts"} {
		if got, want := w.get(target).header.Get("Billing-Position"), at(0, int64(i)); got != want {
			t.Errorf("%s is at %q, want %q from before its rows were read", target, got, want)
		}
	}
}

func TestAPositionThatIsNoneIsRefused(t *testing.T) {
	w := newWorld(t, 4)
	for _, min := range []string{
		"", "x", "customer.events", "customer.events/3", "customer.events/3@", "customer.events/@3", "customer.events/x@3",
		"customer.events/3@x", "customer.events/-1@3", "customer.events/3@-2", "customer.events/3@1.5", "customer.events/3@0x1",
		"customer.events/3@9223372036854775808", "customer.events/4294967296@1", "customer.events/3@1 customer.events/2@1",
		"customer.events/3@1;customer.events/2@1", "billing.updates/3@1", "customer.events/4@1", "customer.events/3@1, customer.events/4@1",
		"customer.events/3@1, x",
	} {
		for _, target := range []string{"/v1/accounts/c-1", "/v1/accounts"} {
			p := w.get(target, "Billing-Min-Position", min).wantProblem(400, views.InvalidPosition)
			if detail, _ := p["detail"].(string); !strings.Contains(detail, ", want ") {
				t.Errorf("detail of %q is %q, want what is wanted", min, detail)
			}
		}
	}
}

// How many partitions there are is not known before the first of them is ready.
func TestWhileRecoveringNoPartitionIsOutOfRange(t *testing.T) {
	w := newWorld(t, 1)
	w.recovering(0, -1)
	for _, target := range []string{"/v1/accounts/c-1", "/v1/accounts"} {
		w.get(target, "Billing-Min-Position", at(7, 1)).wantProblem(503, views.Recovering)
	}
}

func TestAReachedPositionIsAnsweredAtOnce(t *testing.T) {
	w := newWorld(t, 2)
	w.put("c-1", acme(t, 5))
	home := homeOf("c-1", 2)
	w.reached(home, 7)
	for _, min := range []string{
		at(home, 7), at(home, 6), at(home, 0), at(home, -1),
		at(1-home, 1<<60), // of another partition: says nothing about this account
		at(1-home, 1<<60) + "," + at(home, 7),
		at(home, 7) + " , " + at(home, 3),
	} {
		a := w.get("/v1/accounts/c-1", "Billing-Min-Position", min, "Prefer", "wait=0")
		if a.code != 200 || a.header.Get("Billing-Position") != at(home, 7) {
			t.Errorf("asked for %s the answer is %d at %q, want 200 at %q", min, a.code, a.header.Get("Billing-Position"), at(home, 7))
		}
	}
	for _, min := range [][]string{
		{at(home, 8)},
		{at(home, 8) + ", " + at(home, 7)}, // the highest counts, wherever it stands
		{at(home, 7) + ", " + at(home, 8)},
		{at(home, 7), at(home, 8)}, // two lines are one list
	} {
		headers := []string{"Prefer", "wait=0"}
		for _, line := range min {
			headers = append(headers, "Billing-Min-Position", line)
		}
		p := w.get("/v1/accounts/c-1", headers...).wantProblem(503, views.ViewBehind)
		if p["position"] != at(home, 7) {
			t.Errorf("asked for %q the position is %v, want %s", min, p["position"], at(home, 7))
		}
	}
}

// An instance that was asked for its own positions, one after the other, never
// goes back.
func TestAnInstanceNeverGoesBack(t *testing.T) {
	w := newWorld(t, 1)
	var seen []string
	last := at(0, -1)
	for offset := range int64(4) {
		a := w.get("/v1/accounts", "Billing-Min-Position", last, "Prefer", "wait=0")
		last = a.header.Get("Billing-Position")
		seen = append(seen, last)
		w.reached(0, offset)
	}
	if want := []string{at(0, -1), at(0, 0), at(0, 1), at(0, 2)}; !slices.Equal(seen, want) {
		t.Errorf("positions are %q, want %q", seen, want)
	}
}

// A position row that cannot be read is our fault, and nothing is guessed.
func TestABrokenPositionRowIsOurFault(t *testing.T) {
	w := newWorld(t, 1)
	w.partitions[0].rows[string(topics.PositionKey(0, 1))] = []byte("\xff")
	for _, target := range []string{"/v1/accounts/c-1", "/v1/accounts"} {
		w.get(target).wantProblem(500, views.Internal)
	}
}
