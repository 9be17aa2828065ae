package bench

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Markdown writes the figures as a table for people who read it where it is
// kept, the ratios as another one, and what they hold for.
func (r *Report) Markdown(w io.Writer) error {
	out := bufio.NewWriter(w)
	figures := r.figures()
	head := []string{"arm"}
	for _, f := range figures {
		head = append(head, f.title())
	}
	rows := [][]string{head}
	for _, a := range r.Arms {
		row := []string{"`" + string(a.Way) + "`"}
		for _, f := range figures {
			cell := "-"
			if s, ok := f.spread(a.Way); ok {
				cell = s.short(f.format)
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	markdown(out, rows)
	if ratios := r.ratioRows(); len(ratios) > 1 {
		fmt.Fprintln(out)
		markdown(out, ratios)
	}
	fmt.Fprintf(out, "\n%s\n", strings.Join(r.caption(), "  \n"))
	if len(r.Targets) > 0 {
		fmt.Fprintln(out)
		markdown(out, r.targetRows())
	}
	if r.Command != "" {
		fmt.Fprintf(out, "\n    %s\n", r.Command)
	}
	return out.Flush()
}

// ratioRows has a row for each figure and a column for each pair.
func (r *Report) ratioRows() [][]string {
	type pair struct{ of, to Way }
	var columns []pair
	var whats []string
	cells := map[pair]map[string]string{}
	for _, q := range r.Ratios {
		p := pair{q.Of, q.To}
		if cells[p] == nil {
			cells[p] = map[string]string{}
			columns = append(columns, p)
		}
		if !slices.Contains(whats, q.What) {
			whats = append(whats, q.What)
		}
		cells[p][q.What] = q.short("%.2f")
	}
	head := []string{"ratio within rounds"}
	for _, p := range columns {
		head = append(head, fmt.Sprintf("`%s` to `%s`", p.of, p.to))
	}
	rows := [][]string{head}
	for _, what := range whats {
		row := []string{what}
		for _, p := range columns {
			cell := cells[p][what]
			if cell == "" {
				cell = "-"
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	return rows
}

// markdown writes a table whose first row is the heading; out keeps its errors.
func markdown(out *bufio.Writer, rows [][]string) {
	for i, row := range rows {
		fmt.Fprintln(out, "| "+strings.Join(row, " | ")+" |")
		if i == 0 {
			fmt.Fprintln(out, "|---"+strings.Repeat("|---:", len(row)-1)+"|")
		}
	}
}
