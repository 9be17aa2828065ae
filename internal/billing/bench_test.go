package billing_test

import (
	"fmt"
	"testing"

	"billstream/internal/billing"
	"billstream/internal/customer"
)

// BenchmarkApply folds one event into a row like those of the bundled history:
// four facets, two versions each. Half of the events change something.
func BenchmarkApply(b *testing.B) {
	row, at := benchmarkRow(b)
	events := []*customer.Event{
		named(100, customer.TypeRenamed, customer.Renamed{Name: new("Acme Holding")}),
		named(101, customer.TypeAddressChanged, customer.AddressChanged{Kind: customer.BillingAddress, Address: address("3 Main St")}),
		named(102, customer.TypePlanChanged, customer.PlanChanged{Plan: &customer.Plan{Code: "pro", AmountMinor: 5, Currency: "EUR", Interval: customer.IntervalMonth}}),
		registered(103, "Acme Widgets", "2 Main St"),
	}
	at.Offset++
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e := events[i%len(events)]
		if _, err := billing.Apply(row, e, at, e.Time); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkApplyDeep folds into a row at its horizon: a load of very many
// events per customer, and not the usual one.
func BenchmarkApplyDeep(b *testing.B) {
	row, at := benchmarkRow(b)
	for n := range 3 * billing.Horizon {
		at.Offset++
		e := registered(10+n, fmt.Sprint("Acme ", n), fmt.Sprint(n, " Main St"))
		res, err := billing.Apply(row, e, at, e.Time)
		if err != nil {
			b.Fatal(err)
		}
		row = res.Row
	}
	at.Offset++
	e := registered(100, "Acme Holding", "3 Main St")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := billing.Apply(row, e, at, e.Time); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkRow(b *testing.B) (*billing.Row, billing.Position) {
	at := billing.Position{Topic: "customer.events", Partition: 3, Offset: -1}
	var row *billing.Row
	for n := range 2 {
		at.Offset++
		e := registered(n, "Acme Widgets", fmt.Sprint(n+1, " Main St"))
		res, err := billing.Apply(row, e, at, e.Time)
		if err != nil {
			b.Fatal(err)
		}
		row = res.Row
	}
	return row, at
}

func registered(n int, called, line1 string) *customer.Event {
	return named(n, customer.TypeRegistered, customer.Registered{
		Name:           customer.State(&called),
		BillingAddress: customer.State(address(line1)),
		Plan:           customer.State(&customer.Plan{Code: "pro", AmountMinor: 4900, Currency: "EUR", Interval: customer.IntervalMonth}),
	})
}

func named(n int, typ customer.Type, c customer.Change) *customer.Event {
	t := customer.Instant(n) * day
	return &customer.Event{Customer: "c-1001", Source: "/crm", ID: fmt.Sprint("evt-", n), Type: typ, Time: t, EffectiveFrom: t, Change: c}
}

func address(line1 string) *customer.Address {
	return &customer.Address{Line1: line1, City: "Springfield", PostalCode: "62701", Subdivision: "US-IL", Country: "US"}
}
