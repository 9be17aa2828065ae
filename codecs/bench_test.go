package codecs_test

import (
	"bufio"
	"bytes"
	"strconv"
	"testing"

	"billstream/cmd/billstream/corpus"
	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
)

// load returns the first limit events of the bundled history as records in
// binary mode; 0 means all.
func load(tb testing.TB, limit int) []codecs.Record {
	tb.Helper()
	r, err := corpus.Open()
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	var records []codecs.Record
	for lines.Scan() && (limit == 0 || len(records) < limit) {
		e, err := codecs.ParseStructured(lines.Bytes())
		if err != nil {
			tb.Fatalf("line %d: %v", len(records)+1, err)
		}
		records = append(records, e.Record(0))
	}
	if err := lines.Err(); err != nil {
		tb.Fatal(err)
	}
	return records
}

func BenchmarkDecodeEvent(b *testing.B) {
	records := load(b, 10000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		r := &records[i%len(records)]
		i++
		if _, err := codecs.DecodeEvent(customer.ID(r.Key), r.Value, r.Headers); err != nil {
			b.Fatal(err)
		}
	}
}

// fold applies record i of the corpus to the encoded rows.
func fold(rows map[string][]byte, r *codecs.Record, i int) (billing.Result, *customer.Event, error) {
	var row *billing.Row
	if b, ok := rows[string(r.Key)]; ok {
		var err error
		if row, err = codecs.ParseRow(b); err != nil {
			return billing.Result{}, nil, err
		}
	}
	e, err := codecs.DecodeEvent(customer.ID(r.Key), r.Value, r.Headers)
	if err != nil {
		return billing.Result{}, nil, err
	}
	if err := e.Check(e.Time); err != nil {
		return billing.Result{}, nil, err
	}
	at := billing.Position{Topic: "customer.events", Offset: int64(i)}
	res, err := billing.Apply(row, e, at, e.Time)
	return res, e, err
}

// rowsAfter returns the rows that the records lead to.
func rowsAfter(tb testing.TB, records []codecs.Record) map[string][]byte {
	tb.Helper()
	rows := make(map[string][]byte)
	for i := range records {
		res, _, err := fold(rows, &records[i], i)
		if err != nil {
			tb.Fatal(err)
		}
		if res.Row == nil {
			continue
		}
		b, err := codecs.AppendRow(nil, res.Row)
		if err != nil {
			tb.Fatal(err)
		}
		rows[string(records[i].Key)] = b
	}
	return rows
}

func BenchmarkRow(b *testing.B) {
	var encoded [][]byte
	var rows []*billing.Row
	size := 0
	for _, row := range rowsAfter(b, load(b, 0)) {
		encoded = append(encoded, row)
		size += len(row)
		parsed, err := codecs.ParseRow(row)
		if err != nil {
			b.Fatal(err)
		}
		rows = append(rows, parsed)
	}
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(size / len(rows)))
		i := 0
		for b.Loop() {
			if _, err := codecs.ParseRow(encoded[i%len(encoded)]); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		i := 0
		for b.Loop() {
			var err error
			if buf, err = codecs.AppendRow(buf[:0], rows[i%len(rows)]); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	records := load(b, 20000)
	rows := make(map[string][]byte)
	var updates []*billing.Update
	for i := range records {
		res, _, err := fold(rows, &records[i], i)
		if err != nil {
			b.Fatal(err)
		}
		if res.Row != nil {
			rows[string(records[i].Key)], _ = codecs.AppendRow(nil, res.Row)
		}
		if res.Update != nil {
			updates = append(updates, res.Update)
		}
	}
	var buf []byte
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			buf = codecs.AppendUpdate(buf[:0], updates[i%len(updates)])
			i++
		}
	})
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			buf = codecs.AppendUpdateJSON(buf[:0], updates[i%len(updates)], true)
			i++
		}
	})
	b.Run("record", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			r := codecs.UpdateRecord(updates[i%len(updates)], 3, codecs.Protobuf, true)
			buf = codecs.AppendFrame(buf[:0], &r)
			i++
		}
	})
	b.Run("parse", func(b *testing.B) {
		var encoded [][]byte
		for _, u := range updates {
			encoded = append(encoded, codecs.AppendUpdate(nil, u))
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if _, err := codecs.ParseUpdate(encoded[i%len(encoded)]); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
}

// BenchmarkApply is the whole path of one event but for Kafka and the store:
// parse the row, decode the event, apply it, write row and update. Customers
// have about five events each, as in the bundled history.
func BenchmarkApply(b *testing.B) {
	records := load(b, 0)
	rows := make(map[string][]byte)
	var update []byte
	b.ReportAllocs()
	i, n := 0, 0
	for b.Loop() {
		if i == len(records) {
			clear(rows)
			i = 0
		}
		r := &records[i]
		res, _, err := fold(rows, r, i)
		if err != nil {
			b.Fatal(err)
		}
		if res.Row != nil {
			if rows[string(r.Key)], err = codecs.AppendRow(rows[string(r.Key)][:0], res.Row); err != nil {
				b.Fatal(err)
			}
		}
		if res.Update != nil {
			update = codecs.AppendUpdate(update[:0], res.Update)
		}
		i++
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkAccountJSON(b *testing.B) {
	rows := rowsAfter(b, load(b, 20000))
	var accounts []*billing.Account
	for id, row := range rows {
		parsed, err := codecs.ParseRow(row)
		if err != nil {
			b.Fatal(err)
		}
		accounts = append(accounts, billing.AccountOf(customer.ID(id), parsed))
	}
	b.ReportAllocs()
	var buf []byte
	i := 0
	for b.Loop() {
		buf = codecs.AppendAccountJSON(buf[:0], accounts[i%len(accounts)])
		i++
	}
	if !bytes.Contains(buf, []byte(strconv.Quote("customer_id"))) {
		b.Fatal("account has no customer_id")
	}
}
