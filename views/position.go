package views

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/topics"
)

// part is one partition as one answer sees it.
type part struct {
	number int32
	rows   Partition
	*positionAt
	lacks *Problem // says that the rows are not complete; nil: they are
}

// positionAt is what a position row says. It does not change.
type positionAt struct {
	row  []byte   // the row; nil: there is none yet
	next int64    // every input record before this offset has had its effect on the rows
	text []string // the position for a header, alone
}

// parts returns the partitions from first to end-1, or the problem that some
// are not complete, with the records that these are known to lack. With partly
// set those come as well, and say so; they include nothing.
//
// The rows are taken before the question whether they are complete. The other
// way round, a recovery that begins between the two would leave us with its
// empty store, and a customer who is there would look unknown. The positions are
// read before any other row: what is written meanwhile makes the answer newer
// than it says, never older.
func (a *api) parts(first, end int32, partly bool) ([]part, error) {
	parts := make([]part, 0, end-first)
	for p := first; p < end; p++ {
		parts = append(parts, part{number: p, rows: a.Partition(p)})
	}
	ready, sum := true, int64(-1)
	for i := range parts {
		remaining, ok := a.Ready(parts[i].number)
		if ok {
			continue
		}
		ready = false
		parts[i].lacks = recovering(remaining)
		if remaining >= 0 {
			sum = max(sum, 0) + remaining
		}
	}
	if !ready && !partly {
		return nil, recovering(sum)
	}
	for i := range parts {
		if err := a.readPosition(&parts[i]); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// readPosition reads the position row of p. Without one nothing is known to be
// included. It changes less often than it is read: what it says is kept.
func (a *api) readPosition(p *part) error {
	if p.lacks != nil {
		p.positionAt = positionOf(p.number, nil, 0)
		return nil
	}
	row, ok, err := p.rows.Get(a.positionKeys[p.number])
	if err != nil {
		return fmt.Errorf("read the position of partition %d: %w", p.number, err)
	}
	if !ok {
		row = nil
	}
	known := a.positions[p.number].Load()
	if known != nil && (known.row == nil) == (row == nil) && bytes.Equal(known.row, row) {
		p.positionAt = known
		return nil
	}
	next := int64(0)
	if row != nil {
		position, err := codecs.ParsePosition(row)
		if err != nil {
			return fmt.Errorf("read the position of partition %d: %w", p.number, err)
		}
		next = position.NextOffset
	}
	p.positionAt = positionOf(p.number, bytes.Clone(row), next)
	a.positions[p.number].Store(p.positionAt)
	return nil
}

// positionOf returns what the position row of partition p says. What it includes
// ends with its last input record, at -1 before the first.
func positionOf(p int32, row []byte, next int64) *positionAt {
	position := billing.Position{Topic: topics.CustomerEvents, Partition: p, Offset: next - 1}
	return &positionAt{row: row, next: next, text: []string{positionText(position)}}
}

// positionKeys returns the keys of the position rows of n partitions.
func positionKeys(n int32) []string {
	keys := make([]string, n)
	for p := range n {
		keys[p] = string(topics.PositionKey(p, n))
	}
	return keys
}

// highest returns the highest position of each partition, in partition order.
func highest(positions []billing.Position) []billing.Position {
	top := make(map[int32]billing.Position)
	for _, p := range positions {
		if known, ok := top[p.Partition]; !ok || p.Offset > known.Offset {
			top[p.Partition] = p
		}
	}
	return slices.SortedFunc(maps.Values(top), func(a, b billing.Position) int { return cmp.Compare(a.Partition, b.Partition) })
}

// join joins positions for a header.
func join(positions []billing.Position) string {
	texts := make([]string, len(positions))
	for i, p := range positions {
		texts[i] = positionText(p)
	}
	return strings.Join(texts, ", ")
}

// positionsOf is what parts include, for the header.
func positionsOf(parts []part) []string {
	if len(parts) == 1 {
		return parts[0].text
	}
	texts := make([]string, len(parts))
	for i := range parts {
		texts[i] = parts[i].text[0]
	}
	return []string{strings.Join(texts, ", ")}
}

// positionText is the form that everybody reads: customer.events/3@131.
func positionText(p billing.Position) string {
	text := append([]byte(p.Topic), '/')
	text = strconv.AppendInt(text, int64(p.Partition), 10)
	text = strconv.AppendInt(append(text, '@'), p.Offset, 10)
	return string(text)
}

// parsePositions reads Billing-Min-Position: positions joined by commas, on any
// number of lines. Of several for one partition the highest counts. Whether the
// partitions exist is for others to say.
func parsePositions(lines []string) ([]billing.Position, error) {
	var positions []billing.Position
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			p, ok := parsePosition(strings.Trim(item, " \t"))
			if !ok {
				return nil, &Problem{
					Code:   InvalidPosition,
					Detail: fmt.Sprintf("position %d is malformed or of another topic, want %s/PARTITION@OFFSET, several joined by commas", len(positions)+1, topics.CustomerEvents),
				}
			}
			positions = append(positions, p)
		}
	}
	return highest(positions), nil
}

// parsePosition reads one position. The offset -1, from before the first
// record, is one that we give ourselves.
func parsePosition(text string) (billing.Position, bool) {
	rest, ours := strings.CutPrefix(text, topics.CustomerEvents+"/")
	number, offset, both := strings.Cut(rest, "@")
	partition, err := strconv.ParseUint(number, 10, 31)
	if !ours || !both || err != nil {
		return billing.Position{}, false
	}
	p := billing.Position{Topic: topics.CustomerEvents, Partition: int32(partition), Offset: -1}
	if offset == "-1" {
		return p, true
	}
	n, err := strconv.ParseUint(offset, 10, 63)
	p.Offset = int64(n)
	return p, err == nil
}
