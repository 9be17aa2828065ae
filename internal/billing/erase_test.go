package billing_test

import (
	"encoding/json"
	"strings"
	"testing"

	"billstream/internal/billing"
	"billstream/internal/customer"
)

// TestErasureLeavesNoTrace puts a canary into everything that may name a
// person, in force and ahead, and looks for it in all that is left.
func TestErasureLeavesNoTrace(t *testing.T) {
	const canary = "canary"
	facts := customer.Registered{
		Name:            customer.State(new(canary)),
		BillingAddress:  customer.State(&customer.Address{Line1: canary, Line2: canary, City: canary, PostalCode: canary, Subdivision: "US-NY", Country: "US"}),
		ShippingAddress: customer.State(&customer.Address{Line1: canary, Country: "US"}),
		Contact:         customer.State(&customer.Contact{Email: canary, Phone: canary, Locale: canary, TimeZone: canary, InvoiceRecipients: []string{canary}}),
		Tax:             customer.State(&customer.Tax{TaxIDs: []customer.TaxID{{Type: "us_ein", Value: canary}}}),
		PaymentMethod:   customer.State(&customer.PaymentMethod{Ref: canary, Type: "card", Brand: canary}),
		Plan:            customer.State(&customer.Plan{Code: "pro", AmountMinor: 1, Currency: "USD", Interval: customer.IntervalYear}),
	}
	now, ahead := named(1, customer.TypeRegistered, facts), named(2, customer.TypeRegistered, facts)
	ahead.EffectiveFrom = 50 * day
	erased := named(60, customer.TypeErased, customer.Erased{Reason: "request"})
	var row *billing.Row
	var last billing.Result
	for i, e := range []*customer.Event{now, ahead, erased} {
		res, err := billing.Apply(row, e, billing.Position{Topic: "customer.events", Offset: int64(i)}, e.Time)
		if err != nil {
			t.Fatal(err)
		}
		if row, last = res.Row, res; i == 0 && !strings.Contains(asJSON(t, res), canary) {
			t.Fatal("the canary does not show in the first place")
		}
	}
	if left := asJSON(t, last); strings.Contains(left, canary) {
		t.Fatalf("an erasure leaves %s", left)
	}
	a := last.Update.Account
	if a.Status != billing.StatusErased || a.Plan == nil || *a.BillingAddress != (customer.Address{Subdivision: "US-NY", Country: "US"}) {
		t.Fatalf("what the books need is gone: %s", printAccount(a))
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
