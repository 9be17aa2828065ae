package app_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"
)

// model is a second opinion on the corpus that shares no code with the product:
// the last statement about each value wins. That is right for the corpus alone,
// whose events stand in the order of their time and hold from then on.
type model map[string]map[string]any

// modelled are the account members that the corpus states.
var modelled = []string{"status", "name", "billing_address", "contact", "plan"}

func modelOf(t *testing.T, corpus io.Reader) model {
	t.Helper()
	m := model{}
	lines := bufio.NewScanner(corpus)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct {
			Type, Subject string
			Data          map[string]any
		}
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.UseNumber()
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		m.add(t, e.Type, e.Subject, e.Data)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m model) add(t *testing.T, kind, subject string, data map[string]any) {
	t.Helper()
	account := m[subject]
	if account == nil {
		account = map[string]any{"status": "unregistered"}
		for _, member := range modelled[1:] {
			account[member] = nil
		}
		m[subject] = account
	}
	switch kind {
	case "customer.registered.v1":
		account["status"] = "active"
	case "customer.closed.v1":
		account["status"] = "closed"
		return
	case "customer.address_changed.v1":
		if data["kind"] != "billing" {
			t.Fatalf("kind is %v, want billing", data["kind"])
		}
		data = map[string]any{"billing_address": data["address"]}
	}
	for member, v := range data {
		account[member] = tidy(member, v)
	}
}

var subdivisionCode = regexp.MustCompile(`^[A-Za-z]{2}-[A-Za-z0-9]{1,3}$`)

// tidy brings a value of the corpus to the form in which accounts show it.
func tidy(member string, v any) any {
	switch v := v.(type) {
	case string:
		s := strings.Join(strings.Fields(v), " ")
		switch {
		case s == "":
			return nil
		case member == "subdivision" && subdivisionCode.MatchString(s):
			return strings.ToUpper(s)
		case member == "email":
			at := strings.LastIndexByte(s, '@')
			return s[:at+1] + strings.ToLower(s[at+1:])
		}
		return s
	case map[string]any:
		out := map[string]any{}
		for k, inner := range v {
			if t := tidy(k, inner); t != nil {
				out[k] = t
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	}
	return v
}
