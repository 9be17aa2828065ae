package billing_test

import (
	"fmt"
	"strings"

	"billstream/internal/billing"
	"billstream/internal/customer"
)

func printResult(r billing.Result) string {
	if r.Update == nil {
		if r.Row == nil {
			return r.Outcome.String() + "\n"
		}
		return r.Outcome.String() + ", remembered\n"
	}
	u := r.Update
	var b strings.Builder
	fmt.Fprintf(&b, "%s: seq %d, %s, recorded %s\n", r.Outcome, u.Seq, u.Class, printInstant(u.RecordedAt))
	for _, c := range u.Changes {
		b.WriteString(printChange(c))
	}
	if u.Reason != "" {
		fmt.Fprintf(&b, "  reason: %s\n", u.Reason)
	}
	b.WriteString(printWarnings(u.Warnings))
	return b.String()
}

func printChange(c billing.Change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  %s: %s -> %s\n", c.Facet, printValue(c.Old), printValue(c.New))
	fmt.Fprintf(&b, "    from %s", printInstant(c.EffectiveFrom))
	if c.EffectiveTo != nil {
		fmt.Fprintf(&b, " to %s", printInstant(*c.EffectiveTo))
	}
	if c.Current {
		b.WriteString(", current")
	}
	if c.Fields != nil {
		fmt.Fprintf(&b, "; differs in %s", strings.Join(c.Fields, ", "))
	}
	if c.ScheduledBy != nil {
		fmt.Fprintf(&b, "; scheduled by %s", c.ScheduledBy.ID)
	}
	return b.String() + "\n"
}

func printWarnings(all []customer.Warning) string {
	var b strings.Builder
	for _, w := range all {
		b.WriteString(strings.TrimRight(fmt.Sprintf("  warning: %s %s %s", w.Code, w.Facet, w.Field), " ") + "\n")
	}
	return b.String()
}

// printInstant leaves out of the time what is zero.
func printInstant(i customer.Instant) string {
	s := strings.TrimSuffix(strings.Replace(i.String(), "T", " ", 1), "Z")
	return strings.TrimSuffix(strings.TrimSuffix(s, ":00"), " 00:00")
}

func printOptional(name string, i *customer.Instant) string {
	if i == nil {
		return ""
	}
	return fmt.Sprintf(", %s %s", name, printInstant(*i))
}

func printValue(v billing.Value) string {
	switch v := v.(type) {
	case nil:
		return "none"
	case billing.Name:
		return string(v)
	case *customer.Address:
		return joined(v.Line1, v.Line2, v.City, v.PostalCode, v.Country, v.Subdivision)
	case *customer.Contact:
		return joined(v.Email, v.Phone, v.Locale, v.TimeZone, strings.Join(v.InvoiceRecipients, " "))
	case *customer.Tax:
		s := v.Exempt.String()
		for _, id := range v.TaxIDs {
			s += ", " + id.Type + " " + id.Value
		}
		return s
	case *customer.PaymentMethod:
		return joined(v.Ref, v.Type, v.Brand, v.Last4, fmt.Sprint(v.ExpMonth), fmt.Sprint(v.ExpYear))
	case *customer.Plan:
		return fmt.Sprintf("%s %d %s %s", v.Code, v.AmountMinor, v.Currency, v.Interval)
	default:
		return fmt.Sprint(v)
	}
}

// joined joins the parts that are there.
func joined(parts ...string) string {
	var there []string
	for _, p := range parts {
		if p != "" {
			there = append(there, p)
		}
	}
	return strings.Join(there, ", ")
}

func printAccount(a *billing.Account) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, seq %d, updated %s", a.Customer, a.Status, a.Seq, printInstant(a.UpdatedAt))
	b.WriteString(printOptional("registered", a.RegisteredAt) + printOptional("closed", a.ClosedAt) + printOptional("erased", a.ErasedAt) + "\n")
	if a.Name != nil {
		fmt.Fprintf(&b, "  name: %s\n", *a.Name)
	}
	value(&b, "billing address", a.BillingAddress)
	value(&b, "shipping address", a.ShippingAddress)
	value(&b, "contact", a.Contact)
	value(&b, "tax", a.Tax)
	value(&b, "payment method", a.PaymentMethod)
	value(&b, "plan", a.Plan)
	for _, s := range a.Scheduled {
		fmt.Fprintf(&b, "  scheduled for %s: %s %s\n", printInstant(s.EffectiveFrom), s.Facet, printValue(s.New))
	}
	return b.String() + printWarnings(a.Warnings)
}

func value[T any](b *strings.Builder, name string, v *T) {
	if v != nil {
		fmt.Fprintf(b, "  %s: %s\n", name, printValue(v))
	}
}

// printHistory prints what a row remembers.
func printHistory(r *billing.Row) string {
	if r == nil {
		return "nothing\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "seq %d, clock %s, updated %s, applied %d@%d%s%s\n", r.Seq, printInstant(r.RecordedAt), printInstant(r.UpdatedAt),
		r.AppliedPartition, r.AppliedOffset, printOptional("registered", r.RegisteredAt), printOptional("erased", r.ErasedAt))
	for f := billing.FacetStatus; f <= billing.FacetPlan; f++ {
		t := r.Timelines[f]
		if t.Truncated {
			fmt.Fprintf(&b, "  %s: older ones were dropped\n", f)
		}
		for _, v := range t.Versions {
			fmt.Fprintf(&b, "  %s: %s from %s, said %s%s\n", f, printValue(v.Value), printInstant(v.EffectiveFrom), printInstant(v.Time), v.Sequence)
		}
	}
	for _, p := range r.Pending {
		fmt.Fprintf(&b, "  pending: %s from %s\n", p.Event.ID, printInstant(p.EffectiveFrom))
	}
	return b.String()
}
