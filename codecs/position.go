package codecs

import (
	"fmt"

	"billstream/internal/billing"
	"billstream/internal/customer"
)

// PositionKeyPrefix begins the keys of position rows. No customer id begins
// like it, so the two cannot meet.
const PositionKeyPrefix = "~position."

// PositionRow says how far a partition of the input has been processed. It is
// written to the group table with each commit, behind all rows of that commit.
type PositionRow struct {
	NextOffset int64            // of the first input record not yet processed
	RecordedAt customer.Instant // timestamp of the record before NextOffset
	TopicID    []byte           // of the input topic; another id means another log
}

// AppendPosition appends p as a message AccountRow that holds nothing else.
func AppendPosition(dst []byte, p *PositionRow) []byte {
	dst = appendUint(dst, rowFormat, billing.RowFormat)
	dst, start := openMessage(dst, rowPosition)
	dst = appendInt(dst, 1, p.NextOffset)
	dst = appendTime(dst, 2, p.RecordedAt)
	dst = appendStr(dst, 3, p.TopicID)
	return closeMessage(dst, start)
}

// ParsePosition reads a position row; nothing in it refers to b. The error is,
// or wraps, ErrRow, or is a *FormatError.
func ParsePosition(b []byte) (*PositionRow, error) {
	format, err := RowFormat(b)
	if err != nil {
		return nil, err
	}
	if format > billing.RowFormat {
		return nil, &FormatError{Got: format, Known: billing.RowFormat}
	}
	var p *PositionRow
	f := fields{src: string(b)}
	for f.next() {
		if f.key == rowPosition<<keyBits|wireBytes {
			p = parsePositionMessage(&f)
		}
	}
	switch {
	case f.bad:
		return nil, ErrRow
	case p == nil:
		return nil, fmt.Errorf("%w: it is no position row", ErrRow)
	}
	return p, nil
}

func parsePositionMessage(outer *fields) *PositionRow {
	p := new(PositionRow)
	f := fields{src: outer.str}
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireVarint:
			p.NextOffset = int64(f.num)
		case 2<<keyBits | wireVarint:
			p.RecordedAt = customer.Instant(f.num)
		case 3<<keyBits | wireBytes:
			p.TopicID = []byte(f.str)
		}
	}
	outer.bad = outer.bad || f.bad
	return p
}
