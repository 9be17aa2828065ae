package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"

	"billstream/internal/app"
)

// stateReset removes what run would start with.
type stateReset struct {
	stateFlags
	DryRun bool `negatable:"" help:"Say what would be done, and do nothing."`
	Yes    bool `negatable:"" help:"Do not ask before something is changed that exists."`
}

// Help is the lower part of the verb's help.
func (*stateReset) Help() string {
	return `Removes the snapshots and the database of a stopped process; the next start reads the whole changelog, and ends with the same accounts. Nothing in Kafka is touched and no event is processed again: for that, the group's offsets and the topic billing-table would have to go as well. It asks before; where it cannot ask it wants --yes.

Exit code 0: done, or nothing to do; 1: it was not wanted, or something stayed; 2: wrong call, or a process uses the directory.

Examples:

    billstream state reset --data-dir /var/lib/billstream --dry-run
    billstream state reset --yes
`
}

// Run removes the state, or says what it would remove.
func (s *stateReset) Run(p *program) (err error) {
	held, err := app.HoldState(s.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	entries, err := held.Entries()
	if err != nil {
		return err
	}
	if !s.DryRun && len(entries) > 0 {
		if err := s.ask(p, entries); err != nil {
			return err
		}
		if err := held.Reset(entries); err != nil {
			return err
		}
	}
	return s.print(p, entries)
}

func (s *stateReset) ask(p *program, entries []app.StateEntry) error {
	if s.Yes {
		return nil
	}
	return confirm(p, question{
		missing: "to remove state", look: "billstream state reset --dry-run",
		table: entryRows(entries), text: fmt.Sprintf("remove %d bytes of state?", sumOf(entries)), no: "nothing was removed",
	})
}

// print says what was removed, or would be.
func (s *stateReset) print(p *program, entries []app.StateEntry) error {
	removed := !s.DryRun && len(entries) > 0
	if s.json() {
		return printJSON(p.stdout, struct {
			Removed bool             `json:"removed"`
			Dir     string           `json:"dir"`
			Bytes   int64            `json:"bytes"`
			Entries []app.StateEntry `json:"entries"`
		}{removed, app.StateDir(s.DataDir), sumOf(entries), append([]app.StateEntry{}, entries...)})
	}
	if len(entries) == 0 {
		_, err := fmt.Fprintln(p.stdout, s.nothingThere())
		return err
	}
	if err := printTable(p.stdout, entryRows(entries)); err != nil {
		return err
	}
	done := "would be removed"
	if removed {
		done = "removed"
	}
	_, err := fmt.Fprintf(p.stdout, "%s: %d bytes; run then reads the whole changelog\n", done, sumOf(entries))
	return err
}

func entryRows(entries []app.StateEntry) [][]string {
	rows := [][]string{{"BYTES", "PATH"}}
	for _, e := range entries {
		rows = append(rows, []string{strconv.FormatInt(e.Bytes, 10), e.Path})
	}
	return rows
}

func sumOf(entries []app.StateEntry) (sum int64) {
	for _, e := range entries {
		sum += e.Bytes
	}
	return sum
}

// question is asked before something is changed that exists.
type question struct {
	missing string // what --yes would allow: "to change an existing topic"
	look    string // the command that shows what would change
	table   [][]string
	text    string
	no      string // said when the answer is no
}

// confirm shows the table and wants a yes. Where nobody can be asked, a missing
// --yes is a mistake in the call; a no ends the program with exit code 1.
func confirm(p *program, q question) error {
	in, ok := p.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return &usage{err: fmt.Errorf("answer is missing, want --yes %s", q.missing), hint: "see what would change: " + q.look}
	}
	if err := printTable(p.stderr, q.table); err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "%s [y/N] ", q.text)
	answer, _ := bufio.NewReader(in).ReadString('\n')
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		fmt.Fprintln(p.stderr, q.no)
		return quiet(exitFailure)
	}
	return nil
}
