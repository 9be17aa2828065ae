package billing_test

import (
	"math"
	"testing"

	"billstream/internal/billing"
	"billstream/internal/customer"
)

func TestAnnualAmountsAreExact(t *testing.T) {
	for interval, want := range map[customer.Interval]int64{
		customer.IntervalMonth: 12, customer.IntervalQuarter: 4, customer.IntervalHalfYear: 2, customer.IntervalYear: 1,
	} {
		for _, amount := range []int64{0, 1, 4900, customer.MaxAmountMinor} {
			got, err := billing.AnnualMinor(&customer.Plan{AmountMinor: amount, Interval: interval})
			if err != nil || got != amount*want {
				t.Errorf("%d per %s: got %d, %v, want %d", amount, interval, got, err, amount*want)
			}
		}
	}
	for _, p := range []customer.Plan{{AmountMinor: 1}, {AmountMinor: -1, Interval: customer.IntervalYear}, {AmountMinor: 1 << 53, Interval: customer.IntervalYear}} {
		if got, err := billing.AnnualMinor(&p); err == nil {
			t.Errorf("%+v: got %d, want an error", p, got)
		}
	}
}

func TestMonthlyAmountsRoundHalfAwayFromZero(t *testing.T) {
	for annual, want := range map[int64]int64{
		0: 0, 5: 0, 6: 1, 11: 1, 12: 1, 17: 1, 18: 2, -5: 0, -6: -1, -18: -2,
		math.MaxInt64: math.MaxInt64/12 + 1, math.MinInt64: math.MinInt64/12 - 1,
	} {
		if got := billing.MonthlyMinor(annual); got != want {
			t.Errorf("%d a year: got %d, want %d", annual, got, want)
		}
	}
}

func TestSumsSayWhenTheyOverflow(t *testing.T) {
	for _, c := range []struct {
		a, b, sum int64
		ok        bool
	}{
		{1, 2, 3, true},
		{5, 0, 5, true},
		{0, -5, -5, true},
		{-1, 1, 0, true},
		{math.MaxInt64, 0, math.MaxInt64, true},
		{math.MinInt64, 0, math.MinInt64, true},
		{math.MaxInt64, 1, math.MinInt64, false},
		{math.MinInt64, -1, math.MaxInt64, false},
	} {
		if sum, ok := billing.AddMinor(c.a, c.b); sum != c.sum || ok != c.ok {
			t.Errorf("%d + %d: got %d, %v, want %d, %v", c.a, c.b, sum, ok, c.sum, c.ok)
		}
	}
}
