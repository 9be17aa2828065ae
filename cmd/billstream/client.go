package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// How long a client waits and how much it takes. Lists have up to 1,000
// accounts.
const (
	answerTimeout = 15 * time.Second // beside the wait that is asked for
	defaultWait   = 5 * time.Second  // the server's, when a position is asked for
	maxWait       = 30 * time.Second // the longest that it grants
	maxAnswer     = 64 << 20
)

// serverFlags say where accounts are asked for.
type serverFlags struct {
	Server string `default:"http://127.0.0.1:8080" help:"Where lookups are answered."`
}

// answer is what a server said.
type answer struct {
	code   int
	header http.Header
	body   []byte
}

// ask sends a GET. An error never names the path, which can hold a customer id.
func ask(ctx context.Context, server, path string, query url.Values) (answer, error) {
	return freshness{}.ask(ctx, server, path, query)
}

// freshness are the flags for reading what was just written.
type freshness struct {
	MinPosition string        `placeholder:"TOPIC/PARTITION@OFFSET" help:"Answer only with what is at or behind this position; several are joined by commas."`
	Wait        time.Duration `default:"0s" help:"Wait at most this long for the answer that is asked for."`
}

// header says what is wanted in headers. Positions may come as emit prints
// them, on lines of their own.
func (f freshness) header() (http.Header, error) {
	h := http.Header{}
	if f.Wait < 0 || f.Wait > maxWait {
		return nil, &usage{err: fmt.Errorf("wait is %s, want 0s to %s", f.Wait, maxWait)}
	}
	if f.MinPosition != "" {
		h.Set("Billing-Min-Position", strings.Join(strings.FieldsFunc(f.MinPosition, func(r rune) bool {
			return r == ',' || unicode.IsSpace(r)
		}), ", "))
	}
	if f.Wait > 0 {
		h.Set("Prefer", "wait="+strconv.Itoa(int((f.Wait+time.Second-1)/time.Second)))
	}
	return h, nil
}

// ask is ask for an answer that is new enough.
func (f freshness) ask(ctx context.Context, server, path string, query url.Values) (answer, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return f.send(ctx, http.MethodGet, server, path, nil)
}

// problem is an error that a server explains (RFC 9457).
type problem struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Status int    `json:"-"`
}

// Error is the problem's title and detail.
func (p *problem) Error() string {
	text := p.Title
	if text == "" {
		text = fmt.Sprintf("status is %d, want 200", p.Status)
	}
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	return printable(text)
}

// Hint says what helps against a problem that passes.
func (p *problem) Hint() string {
	switch p.Code {
	case "recovering":
		return "wait until it is ready: billstream health --wait 60s"
	case "view-behind":
		return "allow more time with --wait, at most 30s"
	}
	return ""
}

// ok returns the problem of an answer that is not 200.
func (a answer) ok() error {
	if a.code == http.StatusOK {
		return nil
	}
	p := &problem{}
	if err := json.Unmarshal(a.body, p); err != nil {
		p = &problem{} // not from us: the status says it all
	}
	p.Status = a.code
	return p
}

// positions are the lines of a table that say what the answer includes.
func (a answer) positions() [][]string {
	var rows [][]string
	for p := range strings.SplitSeq(a.header.Get("Billing-Position"), ",") {
		if p = strings.TrimSpace(p); p != "" {
			rows = append(rows, []string{"position", p})
		}
	}
	return rows
}

// printRaw writes the server's bytes, ended by a line feed.
func (a answer) printRaw(w io.Writer) error {
	_, err := w.Write(append(bytes.TrimRight(a.body, "\n"), '\n'))
	return err
}

// escapeID writes a customer id as one segment of a path. An id of dots alone
// would be taken for a way up; its dots are escaped, too.
func escapeID(id string) string {
	if strings.Trim(id, ".") == "" {
		return strings.Repeat("%2E", len(id))
	}
	return url.PathEscape(id)
}
