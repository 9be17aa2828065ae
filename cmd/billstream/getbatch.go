package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// batch looks several accounts up with one request.
func (g *getCommand) batch(ctx context.Context, p *program) error {
	body, err := json.Marshal(map[string][]string{"ids": g.ID})
	if err != nil {
		return fmt.Errorf("write the request: %w", err)
	}
	a, err := g.send(ctx, http.MethodPost, g.Server, "/v1/accounts:batchGet", body)
	if err != nil {
		return err
	}
	if err := a.ok(); err != nil {
		return err
	}
	var found struct {
		Accounts []batchItem `json:"accounts"`
	}
	if err := json.Unmarshal(a.body, &found); err != nil {
		return fmt.Errorf("read the answer of %s: %w", g.Server, err)
	}
	if g.json() {
		err = a.printRaw(p.stdout)
	} else {
		err = printBatch(p.stdout, found.Accounts, a)
	}
	if err != nil {
		return err
	}
	return missing(found.Accounts)
}

// batchItem is what came of one id.
type batchItem struct {
	CustomerID string        `json:"customer_id"`
	Account    *shownAccount `json:"account"`
	Problem    struct {
		Type             string `json:"type"`
		ErasedAt         string `json:"erased_at"`
		RequestID        string `json:"request_id"`
		RemainingRecords *int64 `json:"remaining_records"`
	} `json:"problem"`
}

// rows are the lines of the item's table.
func (i *batchItem) rows() [][]string {
	if i.Account != nil {
		return i.Account.rows()
	}
	rows := [][]string{{"customer", i.CustomerID}, {"problem", strings.TrimPrefix(i.Problem.Type, "/problems/")}}
	if i.Problem.ErasedAt != "" {
		rows = append(rows, []string{"erased", i.Problem.ErasedAt})
	}
	if i.Problem.RequestID != "" {
		rows = append(rows, []string{"request id", i.Problem.RequestID})
	}
	if n := i.Problem.RemainingRecords; n != nil {
		rows = append(rows, []string{"records left", fmt.Sprint(*n)})
	}
	return rows
}

// printBatch prints a table for each item, and one of what all of them include.
func printBatch(w io.Writer, items []batchItem, a answer) error {
	for i := range items {
		if err := printTable(w, items[i].rows()); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return printTable(w, a.positions())
}

// missing says how many of the items have no account.
func missing(items []batchItem) error {
	n := 0
	for i := range items {
		if items[i].Account == nil {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d ids have no account to show", n, len(items))
}

// send sends a request for an answer that is new enough; body is JSON, nil for
// none. An error never names the path, which can hold a customer id.
func (f freshness) send(ctx context.Context, method, server, path string, body []byte) (answer, error) {
	header, err := f.header()
	if err != nil {
		return answer{}, err
	}
	if u, err := url.Parse(server); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return answer{}, &usage{err: fmt.Errorf("server is %q, want a URL such as http://127.0.0.1:8080", server)}
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout+max(f.Wait, defaultWait))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(server, "/")+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, &usage{err: fmt.Errorf("server is %q, want a URL such as http://127.0.0.1:8080", server)}
	}
	request.Header = header
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return answer{}, fmt.Errorf("ask %s: %w", server, err)
	}
	defer response.Body.Close()
	answered, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer of %s: %w", server, err)
	}
	return answer{code: response.StatusCode, header: response.Header, body: answered}, nil
}
