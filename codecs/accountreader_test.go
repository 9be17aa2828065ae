package codecs_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"billstream/codecs"
	billingv1 "billstream/codecs/proto/billing/v1"
	"billstream/internal/billing"
	"billstream/internal/customer"
)

// announced is how an account is read without the reader.
func announced(id customer.ID, b []byte) (*billing.Account, error) {
	row, err := codecs.ParseRow(b)
	if err != nil || row.Seq == 0 {
		return nil, err
	}
	return billing.AccountOf(id, row), nil
}

func TestAccountReaderReadsTheAccountsOfTheBundledHistory(t *testing.T) {
	var r codecs.AccountReader
	rows := rowsAfter(t, load(t, 30000))
	if len(rows) < 5000 {
		t.Fatalf("number of rows is %d, want the customers of 30000 events", len(rows))
	}
	for id, b := range rows {
		want, err := announced(customer.ID(id), b)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Read(customer.ID(id), b); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("account is %+v, %v, want %+v", got, err, want)
		}
	}
}

// sensible gives a row its sequence of values back in normal form where the
// account's warnings rely on it, and instants on both sides of its clock.
func sensible(t *rapid.T) *billing.Row {
	row := rows().Draw(t, "row")
	row.RecordedAt = customer.Instant(rapid.Int64Range(0, 20).Draw(t, "clock"))
	for f := range row.Timelines {
		vs := row.Timelines[f].Versions
		for i := range vs {
			vs[i].EffectiveFrom = customer.Instant(rapid.Int64Range(0, 24).Draw(t, "from"))
			switch v := vs[i].Value.(type) {
			case *customer.Address:
				v.Country = rapid.SampledFrom([]string{"DE", "US", "ZZ"}).Draw(t, "country")
			case *customer.Plan:
				v.Currency = rapid.SampledFrom([]string{"EUR", "ZZZ"}).Draw(t, "currency")
			}
		}
	}
	return row
}

func TestAccountReaderReadsWhatTheWholeRowSays(t *testing.T) {
	var r codecs.AccountReader
	rapid.Check(t, func(t *rapid.T) {
		b, err := codecs.AppendRow(nil, sensible(t))
		if err != nil {
			t.Fatal(err)
		}
		want, err := announced("c-1", b)
		if err != nil {
			t.Fatal(err)
		}
		kept := bytes.Clone(b)
		got, err := r.Read("c-1", b)
		clear(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("account is %+v, %v, want %+v\nof %x", got, err, want, kept)
		}
	})
}

// What a value is goes back through versions that state it again, also past the
// one in force.
func TestAccountReaderFollowsARepeatedValueToItsOrigin(t *testing.T) {
	m := &billingv1.AccountRow{Format: 1, Seq: 4, RecordedAtUs: 30, Timelines: []*billingv1.Timeline{{
		Facet: billingv1.Facet_FACET_NAME, Versions: []*billingv1.Version{
			{EffectiveFromUs: 10, Value: &billingv1.Value{Value: &billingv1.Value_Name{Name: "Acme"}}},
			{EffectiveFromUs: 20, Same: true},
			{EffectiveFromUs: 30, Same: true},
			{EffectiveFromUs: 40, Same: true},
			{EffectiveFromUs: 50, Value: &billingv1.Value{Value: &billingv1.Value_Name{Name: "Acme Holding"}}},
		},
	}}}
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	want := &billing.Account{
		Customer: "c-1", Seq: 4, Name: new("Acme"),
		Scheduled: []billing.Scheduled{{Facet: billing.FacetName, EffectiveFrom: 50, New: billing.Name("Acme Holding")}},
	}
	if got, err := new(codecs.AccountReader).Read("c-1", b); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("account is %+v, %v, want %+v", got, err, want)
	}
}

// A writer may put fields in any order: the clock behind the timelines.
func TestAccountReaderReadsAClockThatStandsLast(t *testing.T) {
	head, err := proto.Marshal(&billingv1.AccountRow{Format: 1, Seq: 1, Timelines: []*billingv1.Timeline{{
		Facet: billingv1.Facet_FACET_NAME, Versions: []*billingv1.Version{
			{EffectiveFromUs: 10, Value: &billingv1.Value{Value: &billingv1.Value_Name{Name: "Acme"}}},
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	clock, err := proto.Marshal(&billingv1.AccountRow{RecordedAtUs: 11})
	if err != nil {
		t.Fatal(err)
	}
	got, err := new(codecs.AccountReader).Read("c-1", append(head, clock...))
	if err != nil || got.Name == nil || *got.Name != "Acme" || got.Scheduled != nil {
		t.Errorf("account is %+v, %v, want the name in force", got, err)
	}
}

func TestAccountReaderRefusesWhatIsNoRow(t *testing.T) {
	var r codecs.AccountReader
	for what, b := range map[string][]byte{
		"nothing":             nil,
		"no format":           {0x10, 0x01},
		"position row":        codecs.AppendPosition(nil, &codecs.PositionRow{NextOffset: 1}),
		"truncated":           {0x08, 0x01, 0x10},
		"value of no facet":   {0x08, 0x01, 0x10, 0x01, 0x4a, 0x04, 0x08, 0x02, 0x1a, 0x00, 0x4a, 0x04, 0x08, 0x02, 0x1a, 0x00},
		"the same as nothing": {0x08, 0x01, 0x10, 0x01, 0x4a, 0x06, 0x08, 0x02, 0x1a, 0x02, 0x28, 0x01},
	} {
		if _, err := announced("c-1", b); !errors.Is(err, codecs.ErrRow) {
			t.Fatalf("%s is %v to ParseRow, want ErrRow", what, err)
		}
		if a, err := r.Read("c-1", b); !errors.Is(err, codecs.ErrRow) {
			t.Errorf("%s gives %+v, %v, want ErrRow", what, a, err)
		}
	}
	if _, err := r.Read("c-1", []byte{0x08, 0x09}); !errors.As(err, new(*codecs.FormatError)) {
		t.Errorf("a newer format gives %v, want a FormatError", err)
	}
	if a, err := r.Read("c-1", []byte{0x08, 0x01}); a != nil || err != nil {
		t.Errorf("a row without an update gives %+v, %v, want nothing", a, err)
	}
}

// An account of the reader's costs the account itself, and its name twice: as a
// value of the timeline and as one of the account.
func TestAccountReaderAllocatesThreeTimes(t *testing.T) {
	row := &billing.Row{Seq: 5, RecordedAt: 30}
	for f, v := range map[billing.Facet]billing.Value{
		billing.FacetStatus:         billing.StatusActive,
		billing.FacetName:           billing.Name("Acme Widgets GmbH"),
		billing.FacetBillingAddress: &customer.Address{City: "Berlin", Country: "DE"},
		billing.FacetContact:        &customer.Contact{Email: "ap@acme.example"},
		billing.FacetPlan:           &customer.Plan{Code: "pro", Currency: "EUR"},
	} {
		row.Timelines[f].Versions = []billing.Version{{EffectiveFrom: 10}, {EffectiveFrom: 20, Value: v}}
	}
	b, err := codecs.AppendRow(nil, row)
	if err != nil {
		t.Fatal(err)
	}
	var r codecs.AccountReader
	if got := testing.AllocsPerRun(100, func() {
		if _, err := r.Read("c-1", b); err != nil {
			t.Fatal(err)
		}
	}); got != 3 {
		t.Errorf("to read an account takes %.0f allocations, want 3", got)
	}
}

func BenchmarkReadAccount(b *testing.B) {
	rows := rowsAfter(b, load(b, 0))
	ids, encoded := make([]customer.ID, 0, len(rows)), make([][]byte, 0, len(rows))
	for id, row := range rows {
		ids, encoded = append(ids, customer.ID(id)), append(encoded, row)
	}
	b.Run("reader", func(b *testing.B) {
		var r codecs.AccountReader
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := r.Read(ids[i%len(ids)], encoded[i%len(ids)]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("whole", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := announced(ids[i%len(ids)], encoded[i%len(ids)]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// What is a row is read alike, whatever its bytes. Where the values are not in
// normal form there are no warnings to compare.
func FuzzAccountReader(f *testing.F) {
	row := &billing.Row{Seq: 3, RecordedAt: 20}
	row.Timelines[billing.FacetName].Versions = []billing.Version{
		{EffectiveFrom: 10, Value: billing.Name("Acme")}, {EffectiveFrom: 20, Value: billing.Name("Acme")}, {EffectiveFrom: 30},
	}
	row.Timelines[billing.FacetStatus].Versions = []billing.Version{{EffectiveFrom: 10, Value: billing.StatusActive}}
	b, _ := codecs.AppendRow(nil, row)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		row, err := codecs.ParseRow(b)
		if err != nil || row.Seq == 0 || !inNormalForm(row) {
			return
		}
		want := billing.AccountOf("c-1", row)
		if got, err := new(codecs.AccountReader).Read("c-1", b); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("account is %+v, %v, want %+v", got, err, want)
		}
	})
}

func inNormalForm(row *billing.Row) bool {
	for f := range row.Timelines {
		for _, v := range row.Timelines[f].Versions {
			switch v := v.Value.(type) {
			case *customer.Address:
				if len(v.Country) != 2 {
					return false
				}
			case *customer.Plan:
				if len(v.Currency) != 3 || v.Currency[0] < 'A' || v.Currency[0] > 'Z' {
					return false
				}
			}
		}
	}
	return true
}
