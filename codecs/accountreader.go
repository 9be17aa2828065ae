package codecs

import (
	"fmt"
	"unsafe"

	"billstream/internal/billing"
	"billstream/internal/customer"
)

// AccountReader reads accounts out of encoded rows, one after the other, into
// memory of its own. It is for who shows accounts: of each timeline it decodes
// the version in force and those ahead, and passes over the history before them,
// which is most of a row. What it passes over it does not check.
//
// The zero value is ready. It must not be used by two at a time.
type AccountReader struct {
	bytes    []byte // of the row in hand; all texts of its account lie here
	row      billing.Row
	versions []billing.Version // of all timelines
	encoded  []string          // the versions of the timeline in hand

	// The values in force. Two facets are addresses.
	addresses     [2]customer.Address
	contact       customer.Contact
	tax           customer.Tax
	paymentMethod customer.PaymentMethod
	plan          customer.Plan
}

// Read returns what billing.AccountOf returns for id and the row in b: nil when
// no update has announced the customer yet. The account and its texts are good
// until the next Read: keep no part of them. Nothing in it refers to b. The
// errors are those of ParseRow.
func (r *AccountReader) Read(id customer.ID, b []byte) (*billing.Account, error) {
	if err := checkFormat(b); err != nil {
		return nil, err
	}
	// The copy keeps the account apart from b, and is not one more to collect:
	// nothing that is handed out is good longer than it.
	r.bytes = append(r.bytes[:0], b...)
	ordered, err := r.read(unsafe.String(unsafe.SliceData(r.bytes), len(r.bytes)))
	if err != nil {
		return nil, err
	}
	row := &r.row
	if !ordered {
		if row, err = ParseRow(b); err != nil {
			return nil, err
		}
	}
	if row.Seq == 0 {
		return nil, nil
	}
	return billing.AccountOf(id, row), nil
}

// read fills the row with what its account shows. It is of no use when the
// row's clock stands behind a timeline, as we never write it: what is in force
// is not known in time. ordered is false then.
func (r *AccountReader) read(src string) (ordered bool, err error) {
	r.row = billing.Row{}
	r.versions = r.versions[:0]
	begun := false
	f := fields{src: src}
	for f.next() {
		switch f.key {
		case rowSeq<<keyBits | wireVarint:
			r.row.Seq = f.num
		case rowRecordedAt<<keyBits | wireVarint:
			if begun {
				return false, nil
			}
			r.row.RecordedAt = customer.Instant(f.num)
		case rowUpdatedAt<<keyBits | wireVarint:
			r.row.UpdatedAt = customer.Instant(f.num)
		case rowRegisteredAt<<keyBits | wireVarint:
			r.row.RegisteredAt = f.instant()
		case rowErasedAt<<keyBits | wireVarint:
			r.row.ErasedAt = f.instant()
		case rowTimelines<<keyBits | wireBytes:
			begun = true
			f.bad = !r.readTimeline(f.str)
		case rowPosition<<keyBits | wireBytes:
			return true, fmt.Errorf("%w: it is a position row", ErrRow)
		}
	}
	if f.bad {
		return true, ErrRow
	}
	return true, nil
}

// readTimeline reads a timeline into the row.
func (r *AccountReader) readTimeline(s string) bool {
	var facet billing.Facet
	truncated := false
	r.encoded = r.encoded[:0]
	f := fields{src: s}
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireVarint:
			facet = enum(&f, billing.FacetPlan)
		case 2<<keyBits | wireVarint:
			truncated = f.num != 0
		case 3<<keyBits | wireBytes:
			r.encoded = append(r.encoded, f.str)
		}
	}
	if f.bad || facet == 0 {
		return false
	}
	t := &r.row.Timelines[facet]
	if t.Truncated || t.Versions != nil {
		return false
	}
	t.Truncated = truncated
	return len(r.encoded) == 0 || r.readVersions(facet, t)
}

// readVersions decodes the versions that the account shows: the one in force and
// those behind it. Of the status it shows when the first and the last interval
// began: these are all.
func (r *AccountReader) readVersions(facet billing.Facet, t *billing.Timeline) bool {
	from := 0
	if facet != billing.FacetStatus {
		var ok bool
		if from, ok = r.inForce(); !ok {
			return false
		}
	}
	first := len(r.versions)
	for i := from; i < len(r.encoded); i++ {
		v, ok := readVersion(r.encoded[i])
		if !ok {
			return false
		}
		next := billing.Version{EffectiveFrom: v.from}
		switch {
		case v.same && i == 0:
			return false
		case v.same && i > from:
			next.Value = r.versions[len(r.versions)-1].Value
		case i == from:
			next.Value, ok = r.firstValue(facet, i, v)
		case v.stated:
			next.Value, ok = parseValue(v.value)
		}
		if !ok || !fits(facet, next.Value) {
			return false
		}
		r.versions = append(r.versions, next)
	}
	n := len(r.versions)
	t.Versions = r.versions[first:n:n]
	return true
}

// inForce returns the index of the version that holds at the row's clock, 0 if
// none does.
func (r *AccountReader) inForce() (at int, ok bool) {
	for i := len(r.encoded) - 1; i > 0; i-- {
		v, ok := readVersion(r.encoded[i])
		if !ok {
			return 0, false
		}
		if v.from <= r.row.RecordedAt {
			return i, true
		}
	}
	return 0, true
}

// firstValue returns the value of version i, which is v. When it is that of the
// version before, it stands there, or still further back.
func (r *AccountReader) firstValue(facet billing.Facet, i int, v version) (value billing.Value, ok bool) {
	for v.same {
		if i == 0 {
			return nil, false
		}
		i--
		if v, ok = readVersion(r.encoded[i]); !ok {
			return nil, false
		}
	}
	if !v.stated {
		return nil, true
	}
	return r.readValue(facet, v.value)
}

// version is an encoded version as far as an account needs it.
type version struct {
	from   customer.Instant
	same   bool   // it has the value of the version before
	stated bool   // it has a value of its own, in value
	value  string // a message Value
}

// readVersion reads the version s as parseVersion does.
func readVersion(s string) (v version, ok bool) {
	f := fields{src: s}
	v.from, f.pos = versionHead(s)
	for f.next() {
		switch f.key {
		case 1<<keyBits | wireVarint:
			v.from = customer.Instant(f.num)
		case 5<<keyBits | wireVarint:
			if f.num == 0 {
				return v, true
			}
			v.same, v.stated = true, false
		case 6<<keyBits | wireBytes:
			v.same, v.stated, v.value = false, true, f.str
		}
	}
	return v, !f.bad
}

// versionHead returns when the version s takes effect, and how long the fields
// are that say so and which event said it, when they stand at the beginning as
// we write them: nearly all of s, in one go.
func versionHead(s string) (from customer.Instant, n int) {
	const effectiveFrom, timeDelta, event = 1<<keyBits | wireVarint, 2<<keyBits | wireVarint, 3<<keyBits | wireFixed64
	if len(s) == 0 || s[0] != effectiveFrom {
		return 0, 0
	}
	v, size := longVarint(s[1:])
	if size == 0 {
		return 0, 0
	}
	n = 1 + size
	if n+2 <= len(s) && s[n] == timeDelta && s[n+1] < 0x80 {
		n += 2
	}
	if n+9 <= len(s) && s[n] == event {
		n += 9
	}
	return customer.Instant(v), n
}

// readValue reads a message Value as parseValue does, into memory that is kept.
func (r *AccountReader) readValue(facet billing.Facet, s string) (v billing.Value, ok bool) {
	f := fields{src: s}
	for f.next() {
		switch f.key {
		case valueStatus<<keyBits | wireVarint:
			v = enum(&f, billing.StatusErased)
		case valueName<<keyBits | wireBytes:
			v = billing.Name(f.str)
		case valueAddress<<keyBits | wireBytes:
			a := &r.addresses[0]
			if facet == billing.FacetShippingAddress {
				a = &r.addresses[1]
			}
			v = readAddress(&f, a)
		case valueContact<<keyBits | wireBytes:
			v = readContact(&f, &r.contact)
		case valueTax<<keyBits | wireBytes:
			v = readTax(&f, &r.tax)
		case valuePaymentMethod<<keyBits | wireBytes:
			v = readPaymentMethod(&f, &r.paymentMethod)
		case valuePlan<<keyBits | wireBytes:
			v = readPlan(&f, &r.plan)
		}
	}
	return v, !f.bad
}
