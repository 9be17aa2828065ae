package views

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/internal/topics"
)

// account answers GET /v1/accounts/{customer}.
func (a *api) account(w http.ResponseWriter, r *http.Request) error {
	err := a.showAccount(w, r)
	if result, ok := resultOf(err); ok {
		a.Metrics.lookups[result].Inc()
	}
	return err
}

func (a *api) showAccount(w http.ResponseWriter, r *http.Request) error {
	id := customer.ID(r.PathValue("customer"))
	if id.Check() != nil {
		return invalidID
	}
	p := topics.Partition([]byte(id), a.Partitions)
	parts, err := a.fresh(w, r, p, p+1)
	if err != nil {
		return err
	}
	s := a.scratch()
	defer a.keep(s)
	account, err := lookUp(&parts[0], id, &s.accounts)
	if err != nil {
		return err
	}
	var text [24]byte
	tag := string(appendETag(text[:0], account))
	etag := &w.(*answer).etag
	etag[0] = tag
	w.Header()["Etag"] = etag[:]
	if matches(r.Header["If-None-Match"], tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	s.out = codecs.AppendAccountJSON(s.out, account)
	return respond(w, http.StatusOK, jsonType, s.out)
}

// What a look-up finds when it finds no account. A problem does not change once
// it is made, so that these serve all requests.
var (
	invalidID = &Problem{Code: InvalidCustomerID, Detail: "customer id is empty, too long, reserved or not text, want 1 to 512 bytes of UTF-8 without control characters that do not begin with ~"}
	unknown   = &Problem{Code: UnknownAccount}
)

// lookUp reads one account of the partition p; it is good until the reader
// reads the next one. The error is a problem when there is no account, or no
// longer; otherwise the row cannot be read.
func lookUp(p *part, id customer.ID, reader *codecs.AccountReader) (*billing.Account, error) {
	value, ok, err := p.rows.Get(string(id))
	if err != nil {
		return nil, fmt.Errorf("read partition %d: %w", p.number, err)
	}
	if !ok {
		return nil, unknown
	}
	account, err := reader.Read(id, value)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read partition %d: decode row: %w", p.number, err)
	case account == nil: // the row only remembers what made no difference
		return nil, unknown
	case account.Status == billing.StatusErased:
		return nil, &Problem{Code: Erased, ErasedAt: account.ErasedAt}
	}
	return account, nil
}

// accountOf returns the account that the row value announces for key. It is nil
// when no update has announced it yet: such a row only remembers what made no
// difference, and the fold of the customer's updates is empty.
func accountOf(key string, value []byte) (*billing.Account, error) {
	row, err := codecs.ParseRow(value)
	if err != nil {
		return nil, fmt.Errorf("decode row: %w", err)
	}
	if row.Seq == 0 {
		return nil, nil
	}
	return billing.AccountOf(customer.ID(key), row), nil
}

// appendETag appends the entity tag of account: its update number, since
// nothing in an account changes without it.
func appendETag(dst []byte, account *billing.Account) []byte {
	dst = append(dst, '"')
	dst = strconv.AppendUint(dst, account.Seq, 10)
	return append(dst, '"')
}

// matches reports whether an If-None-Match header names tag (RFC 9110 13.1.2):
// a list, weak tags compared like strong ones, * for any.
func matches(header []string, tag string) bool {
	for _, line := range header {
		for item := range strings.SplitSeq(line, ",") { // our tags hold no comma
			item = strings.TrimPrefix(strings.Trim(item, " \t"), "W/")
			if item == tag || item == "*" {
				return true
			}
		}
	}
	return false
}
