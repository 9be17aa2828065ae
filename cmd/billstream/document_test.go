package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// session is an example in a document: a command and what it prints.
type session struct {
	command, output string
}

// sessions returns the commands of a document's console blocks: lines that
// begin with "$ ", each followed by its output.
func sessions(document string) []session {
	var found []session
	console := false
	for line := range strings.Lines(document) {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			console = strings.TrimSpace(line) == "```console"
		case console && isCommand:
			found = append(found, session{command: strings.TrimSpace(command)})
		case console && len(found) > 0:
			found[len(found)-1].output += line
		}
	}
	return found
}

// pattern is the regular expression of an output in which … stands for what
// varies: alone on a line for one line or more, else for a part of the line.
// How far columns are apart varies with it.
func pattern(output string) string {
	columns := regexp.MustCompile(" {2,}")
	var p strings.Builder
	for line := range strings.Lines(output) {
		if line == "…\n" {
			p.WriteString(`(?s:.+)`)
			continue
		}
		line = columns.ReplaceAllString(regexp.QuoteMeta(line), " {2,}")
		p.WriteString(strings.ReplaceAll(line, "…", ".*"))
	}
	return `\A` + p.String() + `\z`
}

// readme is a command of scripts: it runs the commands of README.md against a
// demo that is running, and compares what they print.
func readme(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: readme")
	}
	document, err := os.ReadFile(ts.Getenv("README"))
	ts.Check(err)
	// The document speaks of the defaults and of a fresh clone.
	here := strings.NewReplacer(
		"bin/billstream", "billstream", "127.0.0.1:8080", ts.Getenv("DATA"), "127.0.0.1:8081", ts.Getenv("ADMIN"),
	)
	all := sessions(string(document))
	if len(all) == 0 {
		ts.Fatalf("README has no commands, want some")
	}
	for _, s := range all {
		cmd := exec.Command("sh", "-c", here.Replace(s.command))
		cmd.Dir = ts.Getenv("WORK")
		for _, name := range []string{"PATH", "HOME", "BILLSTREAM_SERVER", "BILLSTREAM_ADMIN", "BILLSTREAM_BROKERS"} {
			cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
		}
		out, err := cmd.CombinedOutput()
		ts.Logf("$ %s\n%s", s.command, out)
		if err != nil {
			ts.Fatalf("%s: %v", s.command, err)
		}
		if !regexp.MustCompile(pattern(s.output)).Match(out) {
			ts.Fatalf("%s printed\n%s\nwant\n%s", s.command, out, s.output)
		}
	}
}

func readmePath() (string, error) { return filepath.Abs("../../README.md") }

func TestOutputsOfDocumentsMatchUpToTheDots(t *testing.T) {
	found := sessions("text\n```\n$ no\n```\n```console\n$ a b\none … three\n…\nan  end\n$ c\n```\n$ no\n")
	if len(found) != 2 || found[0].command != "a b" || found[1] != (session{command: "c"}) {
		t.Fatalf("commands are %+v, want a b and c", found)
	}
	for output, want := range map[string]bool{
		"one two three\nx\ny\nan  end\n":    true,
		"one two three\nx\nan    end\n":     true,
		"one two three\nan  end\n":          false, // … on its line is at least one
		"one two four\nx\nan  end\n":        false,
		"one 2 three\nx\nan  end\nmore\n":   false,
		"before\none 2 three\nx\nan  end\n": false,
	} {
		if got := regexp.MustCompile(pattern(found[0].output)).MatchString(output); got != want {
			t.Errorf("%q matches %t, want %t", output, got, want)
		}
	}
}

// TestTheComparisonIsWhatBenchPrints keeps the figures of README.md and of its
// picture those of the report that they are from.
func TestTheComparisonIsWhatBenchPrints(t *testing.T) {
	t.Parallel()
	report, err := readReport("../../internal/bench/comparison.json")
	if err != nil {
		t.Fatal(err)
	}
	var table, picture bytes.Buffer
	if err := errors.Join(report.Markdown(&table), report.Chart(&picture)); err != nil {
		t.Fatal(err)
	}
	drawn, err := os.ReadFile("../../internal/bench/comparison.svg")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(drawn, picture.Bytes()) {
		t.Error("picture is not what bench draws of the report")
	}
	document, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, begun := strings.Cut(string(document), "compared in a test -->\n")
	shown, _, ended := strings.Cut(rest, "\n<!-- end of comparison -->")
	if !begun || !ended || len(shown) < 1000 || !strings.HasSuffix(table.String(), shown+"\n") {
		t.Errorf("comparison in README.md is not what bench prints, want\n%s", table.String())
	}
}
