package codecs_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
)

var rewrite = flag.Bool("rewrite", false, "write the golden bytes anew; only for a record kind that is new")

// golden holds the bytes of a released version: they must decode for ever, and
// come out again without a loss. The files are hexadecimal.
type golden struct {
	name   string
	wrote  func() []byte                  // what we write today
	reread func(b []byte) ([]byte, error) // decoded and encoded again
}

func goldens(t *testing.T) []golden {
	t.Helper()
	frame := func(r codecs.Record) func() []byte {
		return func() []byte { return codecs.AppendFrame(nil, &r) }
	}
	envelope, err := codecs.ParseStructured([]byte(structured("customer.renamed.v1", `{"name":"Ærø A/S"}`)))
	if err != nil {
		t.Fatal(err)
	}
	l := letter()
	return []golden{
		{"row", func() []byte { return must(codecs.AppendRow(nil, goldenRow(t))) }, func(b []byte) ([]byte, error) {
			row, err := codecs.ParseRow(b)
			if err != nil {
				return nil, err
			}
			return codecs.AppendRow(nil, row)
		}},
		{"position", func() []byte {
			return codecs.AppendPosition(nil, &codecs.PositionRow{NextOffset: 132, RecordedAt: 1773131400250000, TopicID: []byte("0123456789abcdef")})
		}, func(b []byte) ([]byte, error) {
			p, err := codecs.ParsePosition(b)
			if err != nil {
				return nil, err
			}
			return codecs.AppendPosition(nil, p), nil
		}},
		{"update", func() []byte { return codecs.AppendUpdate(nil, moved(t)) }, func(b []byte) ([]byte, error) {
			u, err := codecs.ParseUpdate(b)
			if err != nil {
				return nil, err
			}
			return codecs.AppendUpdate(nil, u), nil
		}},
		{"update-record", frame(codecs.UpdateRecord(moved(t), 3, codecs.Protobuf, true)), reframe},
		{"update-record-json", frame(codecs.UpdateRecord(moved(t), 3, codecs.JSON, false)), reframe},
		{"dead-letter", frame(l.Record()), func(b []byte) ([]byte, error) {
			r, err := codecs.ParseFrame(b)
			if err != nil {
				return nil, err
			}
			l, err := codecs.ParseDeadLetter(&r)
			if err != nil {
				return nil, err
			}
			again := l.Record()
			return codecs.AppendFrame(nil, &again), nil
		}},
		{"event-record", frame(envelope.Record(1773131400250)), reframe},
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func reframe(b []byte) ([]byte, error) {
	r, err := codecs.ParseFrame(b)
	if err != nil {
		return nil, err
	}
	return codecs.AppendFrame(nil, &r), nil
}

// goldenRow uses every field that a row has.
func goldenRow(t *testing.T) *billing.Row {
	from := instant(t, "2026-03-01T09:00:00Z")
	version := func(days int, v billing.Value) billing.Version {
		at := from + customer.Instant(days)*86_400_000_000
		return billing.Version{EffectiveFrom: at, Time: at + 5_000_000, Sequence: "0001", Event: 0xdeadbeefcafe0000 + uint64(days), Value: v}
	}
	row := &billing.Row{
		Seq: 7, RecordedAt: from + 250_000, UpdatedAt: from, AppliedPartition: 3, AppliedOffset: 131,
		RegisteredAt: new(from - 1), ErasedAt: new(from + 1),
		Pending: []billing.Pending{{EffectiveFrom: from + 9, Event: billing.EventRef{Source: "/crm", ID: "evt-3"}}},
	}
	u := moved(t)
	for f, vs := range map[billing.Facet][]billing.Value{
		billing.FacetStatus:          {billing.StatusActive, billing.StatusClosed, billing.StatusActive, billing.StatusUnregistered},
		billing.FacetName:            {billing.Name("Acme"), nil, billing.Name("Acme"), billing.Name("Acme")},
		billing.FacetBillingAddress:  {u.Changes[0].Old, u.Changes[0].New},
		billing.FacetShippingAddress: {&customer.Address{Line2: "c/o", Subdivision: "US-DC", Country: "US"}},
		billing.FacetContact:         {u.Account.Contact, &customer.Contact{Phone: "+4930", InvoiceRecipients: []string{"a@b.c"}}},
		billing.FacetTax:             {u.Account.Tax, &customer.Tax{Exempt: customer.ExemptReverse}},
		billing.FacetPaymentMethod:   {&customer.PaymentMethod{Ref: "pm_1", Type: "card", Brand: "visa", Last4: "4242", ExpMonth: 11, ExpYear: 2028}},
		billing.FacetPlan:            {u.Account.Plan, nil},
	} {
		for i, v := range vs {
			row.Timelines[f].Versions = append(row.Timelines[f].Versions, version(i, v))
		}
	}
	row.Timelines[billing.FacetName].Truncated = true
	return row
}

func TestGoldenBytesAreReadAndWrittenAlike(t *testing.T) {
	for _, g := range goldens(t) {
		file := filepath.Join("testdata", "golden", g.name+".v1.hex")
		if *rewrite {
			if err := os.WriteFile(file, dump(g.wrote()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b, err := hex.DecodeString(string(bytes.Join(bytes.Fields(text), nil)))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if got, err := g.reread(b); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s comes out as %x, %v, want %x", g.name, got, err, b)
		}
		if got := g.wrote(); !bytes.Equal(got, b) {
			t.Errorf("%s is written as %x, want %x", g.name, got, b)
		}
	}
}

// dump writes hexadecimal lines of 32 bytes.
func dump(b []byte) []byte {
	var out bytes.Buffer
	for len(b) > 0 {
		n := min(len(b), 32)
		out.WriteString(hex.EncodeToString(b[:n]) + "\n")
		b = b[n:]
	}
	return out.Bytes()
}

func TestGoldenRowIsTheOneItWasWrittenFrom(t *testing.T) {
	want := goldenRow(t)
	got, err := codecs.ParseRow(must(codecs.AppendRow(nil, want)))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("row is %+v, %v, want %+v", got, err, want)
	}
}
