package views

import (
	"encoding/json"
	"net/http"
	"strconv"

	"billstream/codecs"
	"billstream/internal/customer"
)

// Code names a kind of problem. The list is closed; each has one status, one
// title and one page under /problems/.
type Code string

// The kinds of problem.
const (
	InvalidRequest       Code = "invalid-request"
	InvalidCustomerID    Code = "invalid-customer-id"
	InvalidPosition      Code = "invalid-position"
	InvalidCursor        Code = "invalid-cursor"
	MalformedBody        Code = "malformed-body"
	Forbidden            Code = "forbidden"
	IngestOff            Code = "ingest-off"
	UnknownAccount       Code = "unknown-account"
	UnknownRoute         Code = "unknown-route"
	MethodNotAllowed     Code = "method-not-allowed"
	Erased               Code = "erased"
	TooLarge             Code = "too-large"
	URITooLong           Code = "uri-too-long"
	UnsupportedMediaType Code = "unsupported-media-type"
	InvalidEvent         Code = "invalid-event"
	Internal             Code = "internal"
	Recovering           Code = "recovering"
	ViewBehind           Code = "view-behind"
	BrokerUnavailable    Code = "broker-unavailable"
	Overload             Code = "overload"
	Draining             Code = "draining"
)

// Problem is an answer that is not the one asked for (RFC 9457). It never
// holds a customer id or a customer's data, except the instant of an erasure.
type Problem struct {
	Code   Code
	Detail string // for people: what was found and what is wanted; may be ""

	// Members that only some kinds have.
	Parameter        string            // of invalid-request: the query parameter or member of the body at fault
	ErasedAt         *customer.Instant // of erased
	Limit            int64             // of too-large and uri-too-long: what is allowed
	Errors           []EventError      // of invalid-event
	RequestID        string            // of internal: stands in the log line as well
	RemainingRecords *int64            // of recovering: records still to read
	Position         string            // of view-behind: where the partitions stand that are behind
}

// EventError says why one event was refused. Code is the refusal's
// (customer.Code); Pointer is the JSON pointer (RFC 6901) of the member at
// fault in the whole event, "" when it is not about one.
type EventError struct {
	Index   int           `json:"index"`
	Code    customer.Code `json:"code"`
	Pointer string        `json:"pointer,omitempty"`
	Detail  string        `json:"detail"`
}

// Error returns the code and the detail.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return string(p.Code)
	}
	return string(p.Code) + ": " + p.Detail
}

// kind is what all problems of one code share.
type kind struct {
	code   Code
	status int
	title  string
	page   string // what it means and what to do, served under /problems/
}

// kindOf returns the entry of code in the closed list.
func kindOf(code Code) (kind, bool) {
	for _, k := range kinds {
		if k.code == code {
			return k, true
		}
	}
	return kind{}, false
}

// write sends p as the whole answer.
func (p *Problem) write(w http.ResponseWriter) {
	k, ok := kindOf(p.Code)
	if !ok {
		panic("a problem has no kind, want one of the closed list")
	}
	body, err := json.Marshal(p.document(k))
	if err != nil {
		panic("a problem is not JSON, want strings and numbers")
	}
	h := w.Header()
	h["Content-Type"] = problemType
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if k.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(k.status)
	_, _ = w.Write(body) // the client is gone: nobody is left to tell
}

// appendItem appends p as it stands in a list among answers: what it is, and
// the members that the caller needs to go on.
func (p *Problem) appendItem(dst []byte) []byte {
	k, ok := kindOf(p.Code)
	if !ok {
		panic("a problem has no kind, want one of the closed list")
	}
	dst = append(dst, `{"type":"/problems/`...)
	dst = append(dst, p.Code...)
	dst = strconv.AppendInt(append(dst, `","status":`...), int64(k.status), 10)
	if p.ErasedAt != nil {
		dst = codecs.AppendInstant(append(dst, `,"erased_at":`...), *p.ErasedAt)
	}
	if p.RequestID != "" {
		dst = codecs.AppendString(append(dst, `,"request_id":`...), p.RequestID)
	}
	if p.RemainingRecords != nil {
		dst = strconv.AppendInt(append(dst, `,"remaining_records":`...), *p.RemainingRecords, 10)
	}
	return append(dst, '}')
}

// document is p on the wire, with its members in their order.
func (p *Problem) document(k kind) any {
	d := struct {
		Type             string       `json:"type"`
		Title            string       `json:"title"`
		Status           int          `json:"status"`
		Code             Code         `json:"code"`
		Detail           string       `json:"detail,omitempty"`
		Parameter        string       `json:"parameter,omitempty"`
		ErasedAt         string       `json:"erased_at,omitempty"`
		Limit            int64        `json:"limit,omitempty"`
		Errors           []EventError `json:"errors,omitempty"`
		RequestID        string       `json:"request_id,omitempty"`
		RemainingRecords *int64       `json:"remaining_records,omitempty"`
		Position         string       `json:"position,omitempty"`
	}{
		Type: "/problems/" + string(p.Code), Title: k.title, Status: k.status, Code: p.Code,
		Detail: p.Detail, Parameter: p.Parameter, Limit: p.Limit, Errors: p.Errors,
		RequestID: p.RequestID, RemainingRecords: p.RemainingRecords, Position: p.Position,
	}
	if p.ErasedAt != nil {
		d.ErasedAt = p.ErasedAt.String()
	}
	return d
}
