package billing

import (
	"fmt"

	"billstream/internal/customer"
)

// AnnualMinor returns what a plan amounts to in a year, in minor units of its
// currency. Run-rate is kept in this form alone, since every interval divides
// the year: it is an exact integer. The error says that p is no valid plan.
func AnnualMinor(p *customer.Plan) (int64, error) {
	perYear, err := chargesPerYear(p.Interval)
	if err != nil {
		return 0, err
	}
	if p.AmountMinor < 0 || p.AmountMinor > customer.MaxAmountMinor {
		return 0, fmt.Errorf("amount is out of range, want 0 to %d", int64(customer.MaxAmountMinor))
	}
	return p.AmountMinor * perYear, nil // at most 2^57
}

func chargesPerYear(i customer.Interval) (int64, error) {
	switch i {
	case customer.IntervalMonth:
		return 12, nil
	case customer.IntervalQuarter:
		return 4, nil
	case customer.IntervalHalfYear:
		return 2, nil
	case customer.IntervalYear:
		return 1, nil
	}
	return 0, fmt.Errorf("interval is %d, want month, quarter, half_year or year", i)
}

// AddMinor returns a+b for two amounts of one currency; ok is false when the
// sum does not fit into 64 bits.
func AddMinor(a, b int64) (sum int64, ok bool) {
	sum = a + b
	return sum, (sum > a) == (b > 0)
}

// MonthlyMinor returns a twelfth of an annual amount, rounded half away from
// zero. It is for display: sums are made of annual amounts.
func MonthlyMinor(annual int64) int64 {
	month, rest := annual/12, annual%12
	switch {
	case rest >= 6:
		return month + 1
	case rest <= -6:
		return month - 1
	}
	return month
}
