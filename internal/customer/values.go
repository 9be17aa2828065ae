package customer

// Address is a postal address in normal form. Country is always set; every
// other field may be empty, which means absent.
type Address struct {
	Line1, Line2, City, PostalCode, Subdivision, Country string
}

// Contact is how to reach the customer. At least one field is set.
type Contact struct {
	Email, Phone, Locale, TimeZone string
	InvoiceRecipients              []string // sorted, no repeats, at most 16
}

// TaxID is one tax identification number, such as {eu_vat, DE123456789}.
type TaxID struct{ Type, Value string }

// Exempt says how a customer stands to tax.
type Exempt uint8

// The closed set of exemptions; the zero value is none.
const (
	ExemptNone Exempt = iota
	ExemptExempt
	ExemptReverse
)

// Tax is a customer's tax identity: at least one id, or an exemption.
type Tax struct {
	TaxIDs []TaxID // sorted by type, then value; no repeats, at most 16
	Exempt Exempt
}

// PaymentMethod refers to a means of payment kept by a payment provider. Ref
// is the provider's token; it is never a card number.
type PaymentMethod struct {
	Ref, Type, Brand, Last4 string
	ExpMonth, ExpYear       uint32 // 0 means absent
}

// Interval is how often a plan is charged.
type Interval uint8

// The closed set of intervals; the zero value is none of them.
const (
	IntervalMonth Interval = iota + 1
	IntervalQuarter
	IntervalHalfYear
	IntervalYear
)

// Plan is what a customer pays: AmountMinor minor units of Currency (ISO 4217)
// per Interval. AmountMinor is 0 to 2^53-1.
type Plan struct {
	Code        string
	AmountMinor int64
	Currency    string
	Interval    Interval
}
