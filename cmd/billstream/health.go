package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// askAgain is the time between two questions while waiting for an answer.
const askAgain = 200 * time.Millisecond

// healthCommand is the probe of images that have no shell and no curl.
type healthCommand struct {
	outputFlag
	Admin   string        `default:"http://127.0.0.1:8081" help:"Where metrics and health are."`
	Live    bool          `negatable:"" help:"Ask whether the process can help itself, not whether it is ready."`
	Verbose bool          `negatable:"" help:"List the checks that pass, too."`
	Wait    time.Duration `default:"0s" help:"Wait at most this long for the answer that is asked for."`
}

// Help is the lower part of the verb's help.
func (*healthCommand) Help() string {
	return `Exit code 0: ready (with --live: alive); 1: not, or nobody answers.

Examples:

    billstream health --wait 60s
    billstream health --admin http://127.0.0.1:8081 --verbose --output json
`
}

// Run asks until the answer is yes or the wait is over.
func (h *healthCommand) Run(ctx context.Context, p *program) error {
	deadline := time.Now().Add(h.Wait)
	for {
		a, err := h.ask(ctx)
		yes := err == nil && a.code == http.StatusOK
		if yes || !time.Now().Before(deadline) {
			return h.print(p, a, err)
		}
		select {
		case <-ctx.Done():
			return h.print(p, a, err)
		case <-time.After(min(askAgain, time.Until(deadline))):
		}
	}
}

func (h *healthCommand) ask(ctx context.Context) (answer, error) {
	path, query := "/readyz", url.Values{}
	if h.Live {
		path = "/livez"
	}
	if h.Verbose {
		query.Set("verbose", "")
	}
	return ask(ctx, h.Admin, path, query)
}

// print shows the last answer and turns it into the exit code.
func (h *healthCommand) print(p *program, a answer, err error) error {
	if err != nil {
		return err
	}
	if a.code != http.StatusOK {
		err = quiet(exitFailure)
	}
	if h.json() {
		if failed := a.printRaw(p.stdout); failed != nil {
			return failed
		}
		return err
	}
	var body struct {
		State  string `json:"state"`
		Checks []struct {
			Name   string `json:"name"`
			OK     bool   `json:"ok"`
			Detail string `json:"detail"`
		} `json:"checks"`
	}
	if failed := json.Unmarshal(a.body, &body); failed != nil {
		return fmt.Errorf("read the answer of %s: %w", h.Admin, failed)
	}
	rows := [][]string{{h.verdict(err == nil), body.State}}
	for _, c := range body.Checks {
		state := "ok"
		if !c.OK {
			state = "failing"
		}
		rows = append(rows, []string{c.Name, state, c.Detail})
	}
	if failed := printTable(p.stdout, rows); failed != nil {
		return failed
	}
	return err
}

// verdict is the answer in words.
func (h *healthCommand) verdict(yes bool) string {
	word := "ready"
	if h.Live {
		word = "alive"
	}
	if !yes {
		word = "not " + word
	}
	return word
}
