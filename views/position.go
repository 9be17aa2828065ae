package views

import (
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
	next   int64 // every input record before this offset has had its effect on rows
}

// position is what the part includes: its last input record, -1 before the
// first.
func (p part) position() billing.Position {
	return billing.Position{Topic: topics.CustomerEvents, Partition: p.number, Offset: p.next - 1}
}

// parts returns the partitions from first to end-1, or the problem that some
// are not complete, with the records that these are known to lack.
//
// The rows are taken before the question whether they are complete. The other
// way round, a recovery that begins between the two would leave us with its
// empty store, and a customer who is there would look unknown. The positions are
// read before any other row: what is written meanwhile makes the answer newer
// than it says, never older.
func (a *api) parts(first, end int32) ([]part, error) {
	parts := make([]part, 0, end-first)
	for p := first; p < end; p++ {
		parts = append(parts, part{number: p, rows: a.Partition(p)})
	}
	ready, sum := true, int64(-1)
	for p := first; p < end; p++ {
		remaining, ok := a.Ready(p)
		if ok {
			continue
		}
		ready = false
		if remaining >= 0 {
			sum = max(sum, 0) + remaining
		}
	}
	if !ready {
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
// included, and next stays 0.
func (a *api) readPosition(p *part) error {
	value, ok, err := p.rows.Get(a.positionKeys[p.number])
	if err != nil {
		return fmt.Errorf("read the position of partition %d: %w", p.number, err)
	}
	if !ok {
		return nil
	}
	row, err := codecs.ParsePosition(value)
	if err != nil {
		return fmt.Errorf("read the position of partition %d: %w", p.number, err)
	}
	p.next = row.NextOffset
	return nil
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
func positionsOf(parts []part) string {
	positions := make([]billing.Position, len(parts))
	for i, p := range parts {
		positions[i] = p.position()
	}
	return join(positions)
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
