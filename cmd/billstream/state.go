package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"billstream/internal/app"
)

// stateCommand groups what is done about the files in which run keeps its rows.
type stateCommand struct {
	Inspect stateInspect `cmd:"" help:"Show what run would start with."`
	Verify  stateVerify  `cmd:"" help:"Read all of it and say whether it is whole."`
	Reset   stateReset   `cmd:"" help:"Remove it: run then rebuilds it from the changelog."`
}

// stateFlags say whose state it is.
type stateFlags struct {
	outputFlag
	DataDir string `default:"./billstream-data" help:"Where state and the embedded broker keep their files."`
}

// nothingThere is what is said of a data directory without state.
func (f *stateFlags) nothingThere() string {
	return fmt.Sprintf("no state in %s: run reads the whole changelog", app.StateDir(f.DataDir))
}

// there says that the data directory is not: nobody has kept state in a directory
// whose name is mistyped.
func (f *stateFlags) there() error {
	if _, err := os.Stat(f.DataDir); err != nil {
		return &usage{err: fmt.Errorf("look for the data directory: %w", err)}
	}
	return nil
}

// stateInspect shows files and their rows.
type stateInspect struct {
	stateFlags
	Partition int32  `default:"-1" help:"This partition alone; -1: all."`
	Customer  string `placeholder:"ID" help:"Print the row of this customer."`
	Rows      bool   `negatable:"" help:"Print all rows, one JSON object per line."`
}

// Help is the lower part of the verb's help.
func (*stateInspect) Help() string {
	return `Each snapshot is read to its end, and said to be good, or why it is not. FROM is the offset of the changelog behind which run goes on; rows may be as new as THROUGH. A process may run meanwhile. Nothing is changed and no broker is asked.

Rows are customer data. Those of a database (--store pebble) cannot be shown. Exit code 1: rows were asked for and are not to be had.

Examples:

    billstream state inspect --data-dir /var/lib/billstream
    billstream state inspect --rows --partition 3
`
}

// Run prints the files, or rows.
func (s *stateInspect) Run(ctx context.Context, p *program) error {
	if s.Partition < app.AnyPartition {
		return &usage{err: fmt.Errorf("partition is %d, want 0 or more, or %d for all", s.Partition, app.AnyPartition)}
	}
	if err := s.there(); err != nil {
		return err
	}
	if s.Rows || s.Customer != "" {
		return s.rows(ctx, p)
	}
	files, err := app.InspectState(ctx, s.DataDir, s.Partition)
	if err != nil {
		return err
	}
	if len(files) == 0 && s.Partition != app.AnyPartition && !s.json() {
		_, err := fmt.Fprintln(p.stdout, s.nothing())
		return err
	}
	return printStateFiles(p, &s.stateFlags, files, nil)
}

// nothing is what is said when no file is there that was asked for.
func (s *stateInspect) nothing() string {
	if s.Partition == app.AnyPartition {
		return s.nothingThere()
	}
	return fmt.Sprintf("no snapshot of partition %d in %s", s.Partition, app.StateDir(s.DataDir))
}

func (s *stateInspect) rows(ctx context.Context, p *program) error {
	out := bufio.NewWriter(p.stdout)
	found := int64(0)
	query := app.StateQuery{DataDir: s.DataDir, Partition: s.Partition, Customer: s.Customer}
	files, err := app.StateRows(ctx, query, func(line []byte) error {
		found++
		_, err := out.Write(append(line, '\n'))
		return err
	})
	if err = errors.Join(err, out.Flush()); err != nil {
		return err
	}
	switch {
	case files == 0:
		fmt.Fprintln(p.stderr, s.nothing())
	case s.Customer != "" && found == 0:
		fmt.Fprintln(p.stderr, "customer has no row in the files that were read")
	default:
		return nil
	}
	return quiet(exitFailure)
}

// printStateFiles prints what lies in a state directory. ok, unless it is nil,
// is the verdict on it.
func printStateFiles(p *program, f *stateFlags, files []app.StateFile, ok *bool) error {
	if f.json() {
		return printJSON(p.stdout, struct {
			OK    *bool           `json:"ok,omitempty"`
			Dir   string          `json:"dir"`
			Files []app.StateFile `json:"files"`
		}{ok, app.StateDir(f.DataDir), append([]app.StateFile{}, files...)})
	}
	if len(files) == 0 {
		_, err := fmt.Fprintln(p.stdout, f.nothingThere())
		return err
	}
	return printTable(p.stdout, stateRows(files, time.Now()))
}

func stateRows(files []app.StateFile, now time.Time) [][]string {
	rows := [][]string{{"PARTITION", "KIND", "FROM", "THROUGH", "ROWS", "BYTES", "AGE", "STATE", "FILE"}}
	for i := range files {
		f := &files[i]
		row := []string{strconv.Itoa(int(f.Partition)), f.Kind, "-", "-", "-", strconv.FormatInt(f.Bytes, 10), "-", stateOf(f), f.File}
		if f.Kind != app.StateSnapshot {
			row[0] = "all"
		}
		if f.Reason == "" && !f.Unread {
			row[4] = strconv.FormatInt(f.Rows, 10)
		}
		if f.Reason == "" && f.Kind == app.StateSnapshot {
			row[2], row[3] = strconv.FormatInt(f.From, 10), strconv.FormatInt(f.Through, 10)
		}
		if !f.At.IsZero() {
			row[6] = spaced(max(now.Sub(f.At), 0))
		}
		rows = append(rows, row)
	}
	return rows
}

// stateOf is the state of a file in a word or a few.
func stateOf(f *app.StateFile) string {
	switch {
	case f.Reason != "":
		return f.Reason + ": " + f.Problem
	case f.Unread:
		return "not looked into"
	}
	return "good"
}
