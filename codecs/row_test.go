package codecs_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"billstream/codecs"
	billingv1 "billstream/codecs/proto/billing/v1"
	"billstream/internal/billing"
	"billstream/internal/customer"
)

func TestRowComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rows().Draw(t, "row")
		b, err := codecs.AppendRow([]byte("before"), want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := codecs.ParseRow(b[len("before"):])
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("row comes back as %+v, %v, want %+v", got, err, want)
		}
		again, err := codecs.AppendRow(nil, got)
		if err != nil || !bytes.Equal(again, b[len("before"):]) {
			t.Fatalf("row is written as %x, %v, want %x", again, err, b[len("before"):])
		}
	})
}

func TestParsedRowKeepsNothingOfItsBytes(t *testing.T) {
	row := &billing.Row{AppliedOffset: 1}
	row.Timelines[billing.FacetName].Versions = []billing.Version{{Sequence: "0001", Value: billing.Name("Acme")}}
	b, err := codecs.AppendRow(nil, row)
	if err != nil {
		t.Fatal(err)
	}
	got, err := codecs.ParseRow(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if !reflect.DeepEqual(got, row) {
		t.Errorf("row is %+v after its bytes were used again, want %+v", got, row)
	}
}

func TestTimelinesOfAParsedRowGrowApart(t *testing.T) {
	row := &billing.Row{AppliedOffset: 1}
	row.Timelines[billing.FacetName].Versions = []billing.Version{{Value: billing.Name("Acme")}}
	row.Timelines[billing.FacetPlan].Versions = []billing.Version{{Event: 7}}
	got, err := codecs.ParseRow(must(codecs.AppendRow(nil, row)))
	if err != nil {
		t.Fatal(err)
	}
	names := append(got.Timelines[billing.FacetName].Versions, billing.Version{Event: 9})
	if v := got.Timelines[billing.FacetPlan].Versions[0]; v.Event != 7 || len(names) != 2 {
		t.Errorf("plan's version is of event %d after the name's timeline grew, want 7", v.Event)
	}
}

// schemaKnows reports whether the generated code reads b as m and writes the
// same bytes again, with no field left over that the schema does not know.
func schemaKnows(b []byte, m proto.Message) (ok bool, again []byte, err error) {
	if err := proto.Unmarshal(b, m); err != nil {
		return false, nil, err
	}
	again, err = proto.MarshalOptions{Deterministic: true}.Marshal(m)
	return err == nil && bytes.Equal(again, b) && noUnknown(m.ProtoReflect()), again, err
}

func noUnknown(m protoreflect.Message) bool {
	ok := len(m.GetUnknown()) == 0
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				ok = ok && noUnknown(v.List().Get(i).Message())
			}
		default:
			ok = ok && noUnknown(v.Message())
		}
		return ok
	})
	return ok
}

func TestRowIsWhatTheSchemaSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := codecs.AppendRow(nil, rows().Draw(t, "row"))
		if err != nil {
			t.Fatal(err)
		}
		ok, again, err := schemaKnows(b, new(billingv1.AccountRow))
		if !ok || err != nil {
			t.Fatalf("generated code writes %x, %v, want our\n%x", again, err, b)
		}
	})
}

func TestRowFieldsStandWhereTheSchemaPutsThem(t *testing.T) {
	from := customer.Instant(1_000_000)
	row := &billing.Row{
		Seq: 7, RecordedAt: 11, UpdatedAt: 12, AppliedPartition: 3, AppliedOffset: 0, RegisteredAt: new(customer.Instant(0)), ErasedAt: new(customer.Instant(14)),
		Pending: []billing.Pending{{EffectiveFrom: 15, Event: billing.EventRef{Source: "/crm", ID: "evt-1"}}},
	}
	row.Timelines[billing.FacetName] = billing.Timeline{Truncated: true, Versions: []billing.Version{
		{EffectiveFrom: from, Time: from - 5, Sequence: "s", Event: 0xfedcba9876543210, Value: billing.Name("Acme")},
		{EffectiveFrom: from + 1, Time: from + 9, Value: billing.Name("Acme")},
	}}
	b, err := codecs.AppendRow(nil, row)
	if err != nil {
		t.Fatal(err)
	}
	want := &billingv1.AccountRow{
		Format: 1, Seq: 7, RecordedAtUs: 11, UpdatedAtUs: 12, AppliedPartition: 3, AppliedOffset: new(int64(0)),
		RegisteredAtUs: new(int64(0)), ErasedAtUs: new(int64(14)),
		Timelines: []*billingv1.Timeline{{
			Facet: billingv1.Facet_FACET_NAME, Truncated: true, Versions: []*billingv1.Version{
				{EffectiveFromUs: 1_000_000, TimeDeltaUs: -5, Sequence: "s", Event: 0xfedcba9876543210, Value: &billingv1.Value{Value: &billingv1.Value_Name{Name: "Acme"}}},
				{EffectiveFromUs: 1_000_001, TimeDeltaUs: 8, Same: true},
			},
		}},
		Pending: []*billingv1.Pending{{EffectiveFromUs: 15, Event: &billingv1.EventRef{Source: "/crm", Id: "evt-1"}}},
	}
	got := new(billingv1.AccountRow)
	if err := proto.Unmarshal(b, got); err != nil || !proto.Equal(got, want) {
		t.Errorf("row is\n%v, %v, want\n%v", got, err, want)
	}
}

func TestRowOfANewerFormatIsNamed(t *testing.T) {
	b, err := proto.Marshal(&billingv1.AccountRow{Format: 9, Seq: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = codecs.ParseRow(b)
	newer, ok := errors.AsType[*codecs.FormatError](err)
	if !ok || *newer != (codecs.FormatError{Got: 9, Known: billing.RowFormat}) || err.Error() != "row format is 9, want at most 1" {
		t.Errorf("error is %v, want a FormatError that names 9 and 1", err)
	}
	if format, err := codecs.RowFormat(b); format != 9 || err != nil {
		t.Errorf("format is %d, %v, want 9", format, err)
	}
	if _, err := codecs.ParsePosition(b); !errors.As(err, &newer) {
		t.Errorf("position error is %v, want a FormatError", err)
	}
}

func TestBrokenRowsAreRefused(t *testing.T) {
	version := func(v *billingv1.Value) *billingv1.Version { return &billingv1.Version{Value: v} }
	name := &billingv1.Value{Value: &billingv1.Value_Name{Name: "Acme"}}
	status := func(s int32) *billingv1.Value {
		return &billingv1.Value{Value: &billingv1.Value_Status{Status: billingv1.Status(s)}}
	}
	line := func(f int32, vs ...*billingv1.Version) *billingv1.Timeline {
		return &billingv1.Timeline{Facet: billingv1.Facet(f), Versions: vs}
	}
	for what, m := range map[string]*billingv1.AccountRow{
		"no format":                     {Seq: 1},
		"value of another facet":        {Format: 1, Timelines: []*billingv1.Timeline{line(8, version(name))}},
		"no facet":                      {Format: 1, Timelines: []*billingv1.Timeline{line(0, version(name))}},
		"unknown facet":                 {Format: 1, Timelines: []*billingv1.Timeline{line(9, version(name))}},
		"unknown status":                {Format: 1, Timelines: []*billingv1.Timeline{line(1, version(status(4)))}},
		"facet twice":                   {Format: 1, Timelines: []*billingv1.Timeline{line(2, version(name)), line(2, version(name))}},
		"the same as no version":        {Format: 1, Timelines: []*billingv1.Timeline{line(2, &billingv1.Version{Same: true})}},
		"position row in a row's place": {Format: 1, Position: &billingv1.Position{NextOffset: 1}},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := codecs.ParseRow(b); !errors.Is(err, codecs.ErrRow) {
			t.Errorf("%s gives %v, want ErrRow", what, err)
		}
	}
	if _, err := codecs.ParseRow(nil); !errors.Is(err, codecs.ErrRow) {
		t.Errorf("no bytes give %v, want ErrRow", err)
	}
}

func TestFieldsThatAreNotKnownAreSkipped(t *testing.T) {
	b, err := proto.Marshal(&billingv1.AccountRow{Format: 1, Seq: 4, Hold: &billingv1.Hold{Code: "held"}, DataKey: &billingv1.DataKey{Kek: "k"}})
	if err != nil {
		t.Fatal(err)
	}
	row, err := codecs.ParseRow(append(b, 0xfa, 0x7f, 0x01, 'x')) // field 2047
	if err != nil || row.Seq != 4 {
		t.Errorf("row is %+v, %v, want one of seq 4", row, err)
	}
}

func TestRowPastItsCapIsTooLarge(t *testing.T) {
	row := &billing.Row{AppliedOffset: 1}
	for i := range 200 {
		row.Pending = append(row.Pending, billing.Pending{EffectiveFrom: customer.Instant(i), Event: billing.EventRef{Source: strings.Repeat("s", 500)}})
	}
	dst := []byte("before")
	b, err := codecs.AppendRow(dst, row)
	refusal, ok := errors.AsType[*customer.Refusal](err)
	if !ok || refusal.Code != customer.TooLarge || !strings.HasSuffix(refusal.Detail, "bytes, want at most 65536") {
		t.Errorf("error is %v, want too_large", err)
	}
	if string(b) != "before" {
		t.Errorf("bytes are %d long after the refusal, want what was there before", len(b))
	}
}

func TestPositionRowComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &codecs.PositionRow{
			NextOffset: rapid.Int64Min(0).Draw(t, "next"), RecordedAt: instants().Draw(t, "recorded"),
			TopicID: rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"),
		}
		b := codecs.AppendPosition(nil, want)
		got, err := codecs.ParsePosition(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("position row comes back as %+v, %v, want %+v", got, err, want)
		}
		if ok, again, err := schemaKnows(b, new(billingv1.AccountRow)); !ok {
			t.Fatalf("generated code writes %x, %v, want our\n%x", again, err, b)
		}
	})
}

func TestTableCodecNeverFailsToDecode(t *testing.T) {
	row, err := codecs.AppendRow(nil, &billing.Row{Seq: 3, AppliedOffset: 8})
	if err != nil {
		t.Fatal(err)
	}
	decode := func(b []byte) *codecs.RowRecord {
		v, err := codecs.AccountRow{}.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		return v.(*codecs.RowRecord)
	}
	if r := decode(row); r.Err != nil || r.Row.Seq != 3 || r.Position != nil {
		t.Errorf("row is decoded as %+v, want a row of seq 3", r)
	}
	if r := decode(codecs.AppendPosition(nil, &codecs.PositionRow{NextOffset: 5})); r.Err != nil || r.Row != nil || r.Position.NextOffset != 5 {
		t.Errorf("position row is decoded as %+v, want one of next offset 5", r)
	}
	if r := decode([]byte("{}")); !errors.Is(r.Err, codecs.ErrRow) || r.Row != nil {
		t.Errorf("other bytes are decoded as %+v, want ErrRow", r)
	}
	for _, v := range []any{row, &billing.Row{Seq: 3, AppliedOffset: 8}} {
		if b, err := (codecs.AccountRow{}).Encode(v); err != nil || !bytes.Equal(b, row) {
			t.Errorf("%T is encoded as %x, %v, want %x", v, b, err, row)
		}
	}
}

func FuzzParseRow(f *testing.F) {
	row, _ := codecs.AppendRow(nil, &billing.Row{Seq: 3, AppliedOffset: 8, Pending: []billing.Pending{{EffectiveFrom: 1}}})
	f.Add(row)
	f.Add(codecs.AppendPosition(nil, &codecs.PositionRow{NextOffset: 5, TopicID: []byte("0123456789abcdef")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := codecs.ParsePosition(b); err == nil {
			if again, err := codecs.ParsePosition(codecs.AppendPosition(nil, p)); err != nil || !reflect.DeepEqual(again, p) {
				t.Errorf("position comes back as %+v, %v, want %+v", again, err, p)
			}
		}
		row, err := codecs.ParseRow(b)
		if err != nil {
			return
		}
		written, err := codecs.AppendRow(nil, row)
		if err != nil {
			return // sharing of values may be lost, and the row pass its cap
		}
		if again, err := codecs.ParseRow(written); err != nil || !reflect.DeepEqual(again, row) {
			t.Errorf("row comes back as %+v, %v, want %+v", again, err, row)
		}
	})
}
