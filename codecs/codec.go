package codecs

import (
	"fmt"

	"billstream/internal/billing"
)

// Bytes is the goka codec of the input: values pass as they are, because goka
// stops every partition when a codec fails, and because an event in binary mode
// cannot be decoded without its headers, which a codec never sees.
type Bytes struct{}

// Encode takes a []byte.
func (Bytes) Encode(value any) ([]byte, error) {
	b, ok := value.([]byte)
	if !ok {
		return nil, fmt.Errorf("input value is a %T, want a []byte", value)
	}
	return b, nil
}

// Decode gives data itself; it never fails.
func (Bytes) Decode(data []byte) (any, error) { return data, nil }

// AccountRow is the goka codec of the group table.
type AccountRow struct{}

// RowRecord is one decoded value of the group table. Exactly one of its fields
// is set; Err says why neither of the others could be read.
type RowRecord struct {
	Row      *billing.Row
	Position *PositionRow
	Err      error
}

// Encode takes a row that is encoded already, or a *billing.Row.
func (AccountRow) Encode(value any) ([]byte, error) {
	switch v := value.(type) {
	case []byte:
		return v, nil
	case *billing.Row:
		return AppendRow(nil, v)
	}
	return nil, fmt.Errorf("table value is a %T, want an encoded row", value)
}

// Decode gives a *RowRecord; it never fails, so that one broken row does not
// stop every partition.
func (AccountRow) Decode(data []byte) (any, error) {
	// Each event reads a row: record and row are one allocation.
	both := new(struct {
		record RowRecord
		row    billing.Row
	})
	if err := parseRow(data, &both.row); err != nil {
		if p, notPosition := ParsePosition(data); notPosition == nil {
			return &RowRecord{Position: p}, nil
		}
		return &RowRecord{Err: err}, nil
	}
	both.record.Row = &both.row
	return &both.record, nil
}
