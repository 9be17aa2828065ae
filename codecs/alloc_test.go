package codecs_test

import (
	"testing"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
)

// Times depend on the machine, allocations do not: they are what is bounded.
func TestHotPathsAllocateLittle(t *testing.T) {
	records := load(t, 2000)
	rows := rowsAfter(t, records)
	id := string(records[0].Key)
	row, err := codecs.ParseRow(rows[id])
	if err != nil {
		t.Fatal(err)
	}
	account, update := billing.AccountOf(customer.ID(id), row), moved(t)
	event := func(data string) func() error {
		headers := inBinary("customer.registered.v1")
		return func() error {
			_, err := codecs.DecodeEvent("c-1", []byte(data), headers)
			return err
		}
	}
	buf := make([]byte, 0, 1<<16)
	for _, c := range []struct {
		what string
		most float64
		f    func() error
	}{
		{"decode an event", 10, event(`{"name":"ACHP","billing_address":{"country":"US","city":"Washington","subdivision":"US-DC"},"plan":{"code":"federal","amount_minor":0,"currency":"USD","interval":"year"}}`)},
		{"decode a small event", 5, event(`{"name":"ACHP"}`)},
		{"parse a row", 6, func() error { _, err := codecs.ParseRow(rows[id]); return err }},
		{"append a row", 0, func() error { _, err := codecs.AppendRow(buf, row); return err }},
		{"append an update", 0, func() error { codecs.AppendUpdate(buf, update); return nil }},
		{"append an update as JSON", 0, func() error { codecs.AppendUpdateJSON(buf, update, true); return nil }},
		{"append an account as JSON", 0, func() error { codecs.AppendAccountJSON(buf, account); return nil }},
		{"make an update's record", 2, func() error { codecs.UpdateRecord(update, 3, codecs.Protobuf, true); return nil }},
	} {
		got := testing.AllocsPerRun(50, func() {
			if err := c.f(); err != nil {
				t.Fatal(err)
			}
		})
		if got > c.most {
			t.Errorf("to %s takes %.0f allocations, want at most %.0f", c.what, got, c.most)
		}
	}
}
