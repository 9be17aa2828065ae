package customer

// Code says why a record is refused. The list is closed: it is the dlq_code
// header of the dead letter and the label of its metric.
type Code string

// The reasons to refuse a record, in the order in which they are checked.
const (
	NoKey               Code = "no_key"
	BadKey              Code = "bad_key"
	WrongPartition      Code = "wrong_partition"
	ErasedCustomer      Code = "erased_customer"
	NoValue             Code = "no_value"
	TooLarge            Code = "too_large"
	NotCloudEvent       Code = "not_cloudevent"
	UnknownType         Code = "unknown_type"
	UnknownVersion      Code = "unknown_version"
	KeyMismatch         Code = "key_mismatch"
	BadData             Code = "bad_data"
	CardNumber          Code = "card_number"
	InvalidField        Code = "invalid_field"
	TimeInFuture        Code = "time_in_future"
	EffectiveOutOfRange Code = "effective_out_of_range"
	ScheduleFull        Code = "schedule_full"
	BeyondHorizon       Code = "beyond_horizon"
	ApplyFailed         Code = "apply_failed"
)

// Refusal is the error for a record that cannot be applied. Pointer is the
// JSON pointer (RFC 6901) of the member at fault inside the event's data, ""
// when it is not about one. Detail says what was found and what is wanted; it
// never holds a customer's data.
type Refusal struct {
	Code    Code
	Pointer string
	Detail  string
}

// Error returns the code, the pointer and the detail.
func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Text() }

// Text returns pointer and detail, the form of the dlq_detail header:
// "/billing_address/country is a string of 13 characters, want two letters".
func (r *Refusal) Text() string {
	if r.Pointer == "" {
		return r.Detail
	}
	return r.Pointer + " " + r.Detail
}

// Warning marks content that is doubtful but accepted. It never holds the
// value. Facet is the name of the facet ("address.billing"), "" when it is
// about the whole customer; Field the leaf inside it.
type Warning struct{ Code, Facet, Field string }
