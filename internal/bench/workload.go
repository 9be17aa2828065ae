package bench

import (
	"fmt"
	"math/rand/v2"
)

// event is the input of the job: something that happened to a customer, with
// the whole new state of what it is about. It takes about 165 bytes.
type event struct {
	At       int64 // unix nanoseconds of sending
	Kind     kind
	Amount   int64 // in cents
	ID       string
	Name     string
	Email    string
	Street   string
	City     string
	Country  string
	Plan     string
	Currency string
	Phone    string
	TaxID    string
}

// kind says which part of an account an event changes.
type kind uint8

const (
	opened kind = iota
	moved
	planned
	paid
	renamed
	kinds // how many there are
)

// account is the row of a customer: 16 fields, about 180 bytes in binary.
type account struct {
	Seq      int64  `json:"seq"` // of the last update
	OpenedAt int64  `json:"opened_at"`
	At       int64  `json:"at"`
	Balance  int64  `json:"balance"`
	Paid     int64  `json:"paid"`
	Last     string `json:"last"` // id of the last event
	Name     string `json:"name"`
	Email    string `json:"email"`
	Street   string `json:"street"`
	City     string `json:"city"`
	Country  string `json:"country"`
	Plan     string `json:"plan"`
	Before   string `json:"before"` // the plan before this one
	Currency string `json:"currency"`
	Phone    string `json:"phone"`
	TaxID    string `json:"tax_id"`
}

// update is the output of the job: what is now, and what was.
type update struct {
	Kind    kind    `json:"kind"`
	Old     int64   `json:"old"` // the balance before
	Account account `json:"account"`
}

// apply folds an event into the account.
func (a *account) apply(e *event) update {
	old := a.Balance
	switch e.Kind {
	case opened:
		a.OpenedAt = e.At
		a.Name, a.Email, a.Currency = e.Name, e.Email, e.Currency
		a.Street, a.City, a.Country = e.Street, e.City, e.Country
		a.Plan, a.Phone, a.TaxID = e.Plan, e.Phone, e.TaxID
		a.Balance -= e.Amount
	case moved:
		a.Street, a.City, a.Country = e.Street, e.City, e.Country
	case planned:
		a.Before, a.Plan = a.Plan, e.Plan
		a.Balance -= e.Amount
	case paid:
		a.Balance += e.Amount
		a.Paid += e.Amount
	case renamed:
		a.Name, a.Email, a.Phone = e.Name, e.Email, e.Phone
	}
	a.Seq++
	a.At, a.Last = e.At, e.ID
	return update{Kind: e.Kind, Old: old, Account: *a}
}

// Words of which events are made.
var (
	names     = []string{"Halvorsen", "Okonkwo", "Lindqvist", "Marchetti", "Yamashita", "Dubois", "Kowalczyk", "Fernandes"}
	firsts    = []string{"Ingrid", "Chidi", "Annika", "Paolo", "Haruka", "Camille", "Tomasz", "Beatriz"}
	streets   = []string{"Kirkegata", "Marina Road", "Storgatan", "Via Garibaldi", "Sakura-dori", "Rue Lafayette", "Nowy Swiat", "Rua Augusta"}
	cities    = []string{"Trondheim", "Lagos", "Uppsala", "Bologna", "Nagoya", "Toulouse", "Krakow", "Coimbra"}
	countries = []string{"NO", "NG", "SE", "IT", "JP", "FR", "PL", "PT"}
	plans     = []string{"starter-monthly", "team-monthly", "team-yearly", "business-yearly"}
)

// script makes the events of a run. The same seed gives the same bytes.
type script struct {
	random    *rand.Rand
	customers int
	made      int
	started   []bool // customers that were opened
}

func newScript(seed uint64, customers int) *script {
	return &script{random: rand.New(rand.NewPCG(seed, 1)), customers: customers, started: make([]bool, customers)}
}

// next returns the next event and the number of its customer. at is when it is
// sent. Customers come in no order; the first event of each opens its account.
func (s *script) next(at int64) (customer int, e event) {
	r := s.random
	customer = r.IntN(s.customers)
	who, where := r.IntN(len(names)), r.IntN(len(streets))
	e = event{
		At:       at,
		Kind:     1 + kind(r.IntN(int(kinds)-1)),
		Amount:   int64(100 + r.IntN(100_000)),
		ID:       fmt.Sprintf("evt-%016x", r.Uint64()),
		Name:     firsts[r.IntN(len(firsts))] + " " + names[who],
		Street:   fmt.Sprintf("%s %d", streets[where], 1+r.IntN(200)),
		City:     fmt.Sprintf("%05d %s", r.IntN(100_000), cities[where]),
		Country:  countries[where],
		Plan:     plans[r.IntN(len(plans))],
		Currency: "EUR",
		Phone:    fmt.Sprintf("+00 555 %06d", r.IntN(1_000_000)),
		TaxID:    fmt.Sprintf("%s%07d", countries[where], r.IntN(10_000_000)),
	}
	e.Email = fmt.Sprintf("%s.%d@customers.example", names[who], r.IntN(10_000))
	if !s.started[customer] {
		s.started[customer] = true
		e.Kind = opened
	}
	s.made++
	return customer, e
}

// customerKey is the key of a customer's records.
func customerKey(n int) string { return fmt.Sprintf("customer-%08d", n) }
