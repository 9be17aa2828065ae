package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
)

// listCommand is a client of GET /v1/accounts. It prints one page: what a table
// of a million lines would be good for is what --output json is for.
type listCommand struct {
	serverFlags
	freshness
	outputFlag
	Limit  int      `default:"100" help:"Accounts on a page, 1 to 1000."`
	Cursor string   `placeholder:"CURSOR" help:"Where the page before ended."`
	Status []string `enum:"active,closed,unregistered,erased" placeholder:"STATUS" help:"Only accounts of this status: active, closed, unregistered, erased."`
}

// Help is the lower part of the verb's help.
func (*listCommand) Help() string {
	return `Accounts come in the order of their ids, one page at a time. The cursor of the next page is printed on stderr, and is in the JSON.

Examples:

    billstream list --limit 20
    billstream list --status active,closed --output json
`
}

// Run prints one page.
func (l *listCommand) Run(ctx context.Context, p *program) error {
	query := url.Values{"limit": {strconv.Itoa(l.Limit)}}
	if l.Cursor != "" {
		query.Set("cursor", l.Cursor)
	}
	if len(l.Status) > 0 {
		query.Set("status", joined(",", l.Status...))
	}
	a, err := l.ask(ctx, l.Server, "/v1/accounts", query)
	if err != nil {
		return err
	}
	if err := a.ok(); err != nil {
		return err
	}
	if l.json() {
		return a.printRaw(p.stdout)
	}
	return printPage(p, a)
}

// printPage prints the accounts of a page as a table.
func printPage(p *program, a answer) error {
	var page struct {
		Accounts   []shownAccount `json:"accounts"`
		NextCursor string         `json:"next_cursor"`
	}
	if err := json.Unmarshal(a.body, &page); err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	rows := [][]string{{"CUSTOMER", "STATUS", "SEQ", "COUNTRY", "PLAN", "UPDATED", "NAME"}}
	for _, c := range page.Accounts {
		country, plan := "", ""
		if c.BillingAddress != nil {
			country = c.BillingAddress.Country
		}
		if c.Plan != nil {
			plan = c.Plan.Code
		}
		rows = append(rows, []string{c.CustomerID, c.Status, strconv.FormatInt(c.Seq, 10), country, plan, c.UpdatedAt, c.Name})
	}
	if err := printTable(p.stdout, rows); err != nil {
		return err
	}
	if page.NextCursor != "" {
		fmt.Fprintf(p.stderr, "more: --cursor %s\n", printable(page.NextCursor))
	}
	return nil
}
