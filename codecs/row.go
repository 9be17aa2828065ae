package codecs

import (
	"encoding/binary"
	"errors"
	"fmt"

	"billstream/internal/billing"
	"billstream/internal/customer"
)

// ErrRow says that bytes are no row of the group table.
var ErrRow = errors.New("row is broken, want a message AccountRow")

// FormatError says that a row was written by a newer program.
type FormatError struct {
	Got, Known uint32
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("row format is %d, want at most %d", e.Got, e.Known)
}

// Hint says what to do about it.
func (e *FormatError) Hint() string {
	return "run the version that wrote the table, or a newer one"
}

// The fields of message AccountRow.
const (
	rowFormat = iota + 1
	rowSeq
	rowRecordedAt
	rowUpdatedAt
	rowAppliedPartition
	rowAppliedOffset
	rowRegisteredAt
	rowErasedAt
	rowTimelines
	rowPending
	_ // hold
	_ // data_key
	rowPosition
)

// AppendRow appends row as a message AccountRow. Equal rows have equal bytes.
// The error is a *customer.Refusal, too_large, when the row would pass
// billing.MaxRowBytes; dst then comes back as it was.
func AppendRow(dst []byte, row *billing.Row) ([]byte, error) {
	begin := len(dst)
	dst = appendUint(dst, rowFormat, billing.RowFormat)
	dst = appendUint(dst, rowSeq, row.Seq)
	dst = appendTime(dst, rowRecordedAt, row.RecordedAt)
	dst = appendTime(dst, rowUpdatedAt, row.UpdatedAt)
	dst = appendInt(dst, rowAppliedPartition, int64(row.AppliedPartition))
	if row.AppliedOffset >= 0 {
		dst = binary.AppendUvarint(appendKey(dst, rowAppliedOffset, wireVarint), uint64(row.AppliedOffset))
	}
	dst = appendOptional(dst, rowRegisteredAt, row.RegisteredAt)
	dst = appendOptional(dst, rowErasedAt, row.ErasedAt)
	for facet := billing.FacetStatus; facet <= billing.FacetPlan; facet++ {
		dst = appendTimeline(dst, facet, &row.Timelines[facet])
	}
	for i := range row.Pending {
		p := &row.Pending[i]
		var start int
		dst, start = openMessage(dst, rowPending)
		dst = appendTime(dst, 1, p.EffectiveFrom)
		dst = appendEventRef(dst, 2, &p.Event)
		dst = closeMessage(dst, start)
	}
	if n := len(dst) - begin; n > billing.MaxRowBytes {
		return dst[:begin], &customer.Refusal{
			Code:   customer.TooLarge,
			Detail: fmt.Sprintf("row is %d bytes, want at most %d", n, billing.MaxRowBytes),
		}
	}
	return dst, nil
}

func appendTimeline(dst []byte, facet billing.Facet, t *billing.Timeline) []byte {
	if len(t.Versions) == 0 && !t.Truncated {
		return dst
	}
	dst, start := openMessage(dst, rowTimelines)
	dst = appendUint(dst, 1, uint64(facet))
	dst = appendFlag(dst, 2, t.Truncated)
	var before billing.Value
	for i := range t.Versions {
		v := &t.Versions[i]
		var at int
		dst, at = openMessage(dst, 3)
		dst = appendTime(dst, 1, v.EffectiveFrom)
		dst = appendZigzag(dst, 2, int64(v.Time-v.EffectiveFrom))
		if v.Event != 0 {
			dst = binary.LittleEndian.AppendUint64(appendKey(dst, 3, wireFixed64), v.Event)
		}
		dst = appendStr(dst, 4, v.Sequence)
		if v.Value != nil && billing.Equal(before, v.Value) {
			dst = appendFlag(dst, 5, true)
		} else {
			dst = appendValueMessage(dst, 6, v.Value)
		}
		dst = closeMessage(dst, at)
		before = v.Value
	}
	return closeMessage(dst, start)
}

func appendEventRef(dst []byte, num int, e *billing.EventRef) []byte {
	dst, start := openMessage(dst, num)
	dst = appendStr(dst, 1, e.Source)
	dst = appendStr(dst, 2, e.ID)
	return closeMessage(dst, start)
}

// ParseRow reads a row; nothing in it refers to b. The error is, or wraps,
// ErrRow, or is a *FormatError for a row that a newer program wrote.
func ParseRow(b []byte) (*billing.Row, error) {
	row := new(billing.Row)
	if err := parseRow(b, row); err != nil {
		return nil, err
	}
	return row, nil
}

// parseRow is ParseRow into an empty row.
func parseRow(b []byte, row *billing.Row) error {
	if err := checkFormat(b); err != nil {
		return err
	}
	row.AppliedOffset = -1
	// The timelines share one array of versions, which has room for those of
	// most rows; it may move when it has not.
	versions := make([]billing.Version, 0, 2+len(b)/bytesPerVersion)
	f := fields{src: string(b)}
	for f.next() {
		switch f.key {
		case rowSeq<<keyBits | wireVarint:
			row.Seq = f.num
		case rowRecordedAt<<keyBits | wireVarint:
			row.RecordedAt = customer.Instant(f.num)
		case rowUpdatedAt<<keyBits | wireVarint:
			row.UpdatedAt = customer.Instant(f.num)
		case rowAppliedPartition<<keyBits | wireVarint:
			row.AppliedPartition = int32(f.num)
		case rowAppliedOffset<<keyBits | wireVarint:
			row.AppliedOffset = max(int64(f.num), -1)
		case rowRegisteredAt<<keyBits | wireVarint:
			row.RegisteredAt = f.instant()
		case rowErasedAt<<keyBits | wireVarint:
			row.ErasedAt = f.instant()
		case rowTimelines<<keyBits | wireBytes:
			var ok bool
			versions, ok = parseTimeline(f.str, row, versions)
			f.bad = !ok
		case rowPending<<keyBits | wireBytes:
			row.Pending = append(row.Pending, parsePending(&f))
		case rowPosition<<keyBits | wireBytes:
			return fmt.Errorf("%w: it is a position row", ErrRow)
		}
	}
	if f.bad {
		return ErrRow
	}
	return nil
}

func checkFormat(b []byte) error {
	format, err := RowFormat(b)
	switch {
	case err != nil:
		return err
	case format == 0:
		return fmt.Errorf("%w: it has no format", ErrRow)
	case format > billing.RowFormat:
		return &FormatError{Got: format, Known: billing.RowFormat}
	}
	return nil
}

// RowFormat returns the format of an encoded row, 0 when it states none. It
// reads no further than that. The error is ErrRow.
func RowFormat(b []byte) (uint32, error) {
	// Every writer so far puts the format first, in one byte.
	if len(b) > 1 && b[0] == rowFormat<<keyBits|wireVarint && b[1] < 0x80 {
		return uint32(b[1]), nil
	}
	f := fields{src: string(b)}
	for f.next() {
		if f.key == rowFormat<<keyBits|wireVarint {
			return uint32(min(f.num, 1<<32-1)), nil
		}
	}
	if f.bad {
		return 0, ErrRow
	}
	return 0, nil
}

// bytesPerVersion is what a version takes at least in nearly all rows: with the
// mean, 39, every second row would move its versions.
const bytesPerVersion = 34

// parseTimeline reads a timeline into row and appends its versions to those of
// the timelines before it.
func parseTimeline(s string, row *billing.Row, versions []billing.Version) (all []billing.Version, ok bool) {
	var facet billing.Facet
	truncated := false
	first := len(versions)
	f := fields{src: s}
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireVarint:
			facet = enum(&f, billing.FacetPlan)
		case 2<<keyBits | wireVarint:
			truncated = f.num != 0
		case 3<<keyBits | wireBytes:
			versions = append(versions, billing.Version{})
			f.bad = !parseVersion(f.str, versions[first:])
		}
	}
	if f.bad || facet == 0 || row.Timelines[facet].Truncated || row.Timelines[facet].Versions != nil {
		return versions, false
	}
	t := billing.Timeline{Truncated: truncated}
	if n := len(versions); n > first {
		t.Versions = versions[first:n:n]
	}
	for i := range t.Versions {
		if !fits(facet, t.Versions[i].Value) {
			return versions, false
		}
	}
	row.Timelines[facet] = t
	return versions, true
}

// parseVersion fills the last of vs.
func parseVersion(s string, vs []billing.Version) bool {
	v := &vs[len(vs)-1]
	var delta int64
	f := fields{src: s}
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireVarint:
			v.EffectiveFrom = customer.Instant(f.num)
		case 2<<keyBits | wireVarint:
			delta = unzigzag(f.num)
		case 3<<keyBits | wireFixed64:
			v.Event = f.num
		case 4<<keyBits | wireBytes:
			v.Sequence = f.str
		case 5<<keyBits | wireVarint:
			if len(vs) < 2 || f.num == 0 {
				return f.num == 0
			}
			v.Value = vs[len(vs)-2].Value
		case 6<<keyBits | wireBytes:
			var ok bool
			if v.Value, ok = parseValue(f.str); !ok {
				return false
			}
		}
	}
	v.Time = v.EffectiveFrom + customer.Instant(delta)
	return !f.bad
}

func parsePending(outer *fields) (p billing.Pending) {
	f := fields{src: outer.str}
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireVarint:
			p.EffectiveFrom = customer.Instant(f.num)
		case 2<<keyBits | wireBytes:
			p.Event = parseEventRef(&f)
		}
	}
	outer.bad = outer.bad || f.bad
	return p
}

func parseEventRef(outer *fields) (e billing.EventRef) {
	f := fields{src: outer.str}
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireBytes:
			e.Source = f.str
		case 2<<keyBits | wireBytes:
			e.ID = f.str
		}
	}
	outer.bad = outer.bad || f.bad
	return e
}
