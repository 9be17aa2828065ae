package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// getCommand is a client of GET /v1/accounts/{customer}, and with several ids of
// POST /v1/accounts:batchGet.
type getCommand struct {
	serverFlags
	freshness
	outputFlag
	ID []string `arg:"" help:"The customer's id; several are asked for together, at most 1000."`
}

// Help is the lower part of the verb's help.
func (*getCommand) Help() string {
	return `With --output json it prints the bytes of the server. Exit code 1: no such account, erased, not ready, or behind the position that was asked for. The position that is printed is what the answer includes: every event up to it has had its effect. With --min-position the answer includes that one, too; the server waits for it, 5 s unless --wait says otherwise.

Several accounts come in the order of their ids. Where there is none, its problem stands in its place, and the exit code is 1.

Examples:

    billstream get c-1001 c-1002 --server http://billing-0:8080
    billstream get c-1001 --min-position customer.events/3@188 --wait 10s --output json
`
}

// Run looks the account up.
func (g *getCommand) Run(ctx context.Context, p *program) error {
	if len(g.ID) > 1 {
		return g.batch(ctx, p)
	}
	a, err := g.ask(ctx, g.Server, "/v1/accounts/"+escapeID(g.ID[0]), nil)
	if err != nil {
		return err
	}
	if err := a.ok(); err != nil {
		return err
	}
	if g.json() {
		return a.printRaw(p.stdout)
	}
	var account shownAccount
	if err := json.Unmarshal(a.body, &account); err != nil {
		return fmt.Errorf("read the answer of %s: %w", g.Server, err)
	}
	return printTable(p.stdout, append(account.rows(), a.positions()...))
}

// shownAccount is an account as the server writes it, as far as it is shown.
type shownAccount struct {
	CustomerID      string        `json:"customer_id"`
	Status          string        `json:"status"`
	Seq             int64         `json:"seq"`
	RegisteredAt    string        `json:"registered_at"`
	ClosedAt        string        `json:"closed_at"`
	ErasedAt        string        `json:"erased_at"`
	UpdatedAt       string        `json:"updated_at"`
	Name            string        `json:"name"`
	BillingAddress  *shownAddress `json:"billing_address"`
	ShippingAddress *shownAddress `json:"shipping_address"`
	Contact         *shownContact `json:"contact"`
	Tax             *shownTax     `json:"tax"`
	PaymentMethod   *shownPayment `json:"payment_method"`
	Plan            *shownPlan    `json:"plan"`
	Scheduled       []struct {
		Facet         string          `json:"facet"`
		EffectiveFrom string          `json:"effective_from"`
		New           json.RawMessage `json:"new"`
	} `json:"scheduled"`
	Warnings []struct {
		Code  string `json:"code"`
		Facet string `json:"facet"`
		Field string `json:"field"`
	} `json:"warnings"`
}

// The parts of an account that have parts of their own. Members that a newer
// server adds are not shown, and do no harm.
type shownAddress struct {
	Line1       string `json:"line1"`
	Line2       string `json:"line2"`
	City        string `json:"city"`
	PostalCode  string `json:"postal_code"`
	Subdivision string `json:"subdivision"`
	Country     string `json:"country"`
}

type shownContact struct {
	Email    string `json:"email"`
	Phone    string `json:"phone"`
	Locale   string `json:"locale"`
	TimeZone string `json:"time_zone"`
}

type shownTax struct {
	TaxIDs []struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	} `json:"tax_ids"`
	Exempt string `json:"exempt"`
}

type shownPayment struct {
	Ref      string `json:"ref"`
	Brand    string `json:"brand"`
	Last4    string `json:"last4"`
	Kind     string `json:"kind"`
	ExpYear  int    `json:"exp_year"`
	ExpMonth int    `json:"exp_month"`
}

type shownPlan struct {
	Code        string `json:"code"`
	AmountMinor int64  `json:"amount_minor"`
	Currency    string `json:"currency"`
	Interval    string `json:"interval"`
}

// rows are the lines of the table; what is not set is left out.
func (a *shownAccount) rows() [][]string {
	rows := [][]string{{"customer", a.CustomerID}, {"status", a.Status}, {"seq", strconv.FormatInt(a.Seq, 10)}}
	for _, row := range [][]string{
		{"registered", a.RegisteredAt},
		{"closed", a.ClosedAt},
		{"erased", a.ErasedAt},
		{"updated", a.UpdatedAt},
		{"name", a.Name},
		{"billing address", a.BillingAddress.line()},
		{"shipping address", a.ShippingAddress.line()},
		{"contact", a.Contact.line()},
		{"tax", a.Tax.line()},
		{"payment method", a.PaymentMethod.line()},
		{"plan", a.Plan.line()},
	} {
		if row[1] != "" {
			rows = append(rows, row)
		}
	}
	for _, s := range a.Scheduled {
		rows = append(rows, []string{"scheduled", fmt.Sprintf("%s from %s: %s", s.Facet, s.EffectiveFrom, s.New)})
	}
	for _, w := range a.Warnings {
		rows = append(rows, []string{"warning", joined(" ", w.Code, w.Facet, w.Field)})
	}
	return rows
}

func (a *shownAddress) line() string {
	if a == nil {
		return ""
	}
	return joined(", ", a.Line1, a.Line2, joined(" ", a.PostalCode, a.City), a.Subdivision, a.Country)
}

func (c *shownContact) line() string {
	if c == nil {
		return ""
	}
	return joined(", ", c.Email, c.Phone, c.Locale, c.TimeZone)
}

func (t *shownTax) line() string {
	if t == nil {
		return ""
	}
	var ids []string
	for _, id := range t.TaxIDs {
		ids = append(ids, joined(" ", id.Type, id.Value))
	}
	return joined(", ", append(ids, "exempt: "+t.Exempt)...)
}

func (m *shownPayment) line() string {
	if m == nil {
		return ""
	}
	expires := ""
	if m.ExpYear > 0 {
		expires = fmt.Sprintf("until %04d-%02d", m.ExpYear, m.ExpMonth)
	}
	return joined(", ", m.Ref, joined(" ", m.Kind, m.Brand, m.Last4), expires)
}

func (p *shownPlan) line() string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("%s, %d %s (minor units) a %s", p.Code, p.AmountMinor, p.Currency, p.Interval)
}

// joined joins what is not empty.
func joined(separator string, parts ...string) string {
	var full []string
	for _, p := range parts {
		if p != "" {
			full = append(full, p)
		}
	}
	return strings.Join(full, separator)
}
