package views

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"

	"billstream/codecs"
	"billstream/internal/billing"
)

// Bounds of the list's page.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// listing is one request for a page.
type listing struct {
	limit    int
	statuses statusSet
	from     string // first key that may be on the page
}

// list answers GET /v1/accounts: the accounts that match, in bytewise order of
// their ids over all partitions.
//
// Each page seeks behind the last id of the one before. So an account that
// matches during the whole walk is on exactly one page, whatever is written
// meanwhile, and the walk needs no state here.
func (a *api) list(w http.ResponseWriter, r *http.Request) error {
	l, err := parseListing(r)
	if err != nil {
		return err
	}
	parts, err := a.fresh(w, r, 0, a.Partitions)
	if err != nil {
		return err
	}
	return a.withBuffer(func(b *[]byte) error {
		*b, err = appendPage(r.Context(), *b, l, rowsOf(parts))
		if err != nil {
			return err
		}
		return respond(w, http.StatusOK, jsonType, *b)
	})
}

// appendPage appends the page that l asks for.
func appendPage(ctx context.Context, dst []byte, l listing, partitions []Partition) ([]byte, error) {
	dst = append(dst, `{"accounts":[`...)
	found, last := 0, ""
	for account, err := range accounts(ctx, l, partitions) {
		if err != nil {
			return dst, err
		}
		if found == l.limit { // one more than asked for: there is a next page
			dst = append(dst, `],"next_cursor":"`...)
			dst = appendCursor(dst, l.statuses, last)
			return append(dst, `"}`...), nil
		}
		if found > 0 {
			dst = append(dst, ',')
		}
		dst = codecs.AppendAccountJSON(dst, account)
		found, last = found+1, string(account.Customer)
	}
	return append(dst, `],"next_cursor":null}`...), nil
}

// accounts yields the accounts from l.from on that match l. A row that cannot
// be read ends the walk with its error, and so does the end of ctx: a walk over
// a large table for a client that has left is of use to nobody.
func accounts(ctx context.Context, l listing, partitions []Partition) iter.Seq2[*billing.Account, error] {
	const checkEvery = 256
	return func(yield func(*billing.Account, error) bool) {
		walked := 0
		for row, err := range merge(partitions, l.from) {
			if err != nil {
				yield(nil, fmt.Errorf("walk the accounts: %w", err))
				return
			}
			if walked++; walked%checkEvery == 0 && ctx.Err() != nil {
				yield(nil, fmt.Errorf("walk the accounts: %w", context.Cause(ctx)))
				return
			}
			if strings.HasPrefix(row.key, "~") { // our own rows: positions
				continue
			}
			account, err := accountOf(row.key, row.value)
			if err != nil {
				yield(nil, fmt.Errorf("walk the accounts: %w", err))
				return
			}
			if account != nil && l.statuses.has(account.Status) && !yield(account, nil) {
				return
			}
		}
	}
}

// entry is a row of the table.
type entry struct {
	key   string
	value []byte
}

// merge yields the rows of all partitions from key from on, in bytewise order.
// There are few partitions, so that the smallest head is found by looking. An
// error is the last that it yields.
func merge(partitions []Partition, from string) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		heads := make([]head, len(partitions))
		defer func() {
			for _, h := range heads {
				if h.stop != nil { // nil: a walk before it panicked
					h.stop()
				}
			}
		}()
		for i, p := range partitions {
			h := &heads[i]
			h.next, h.stop = iter.Pull2(walk(p, from))
			h.step()
		}
		for {
			first := smallest(heads)
			if first == nil || !yield(first.entry, first.err) || first.err != nil {
				return
			}
			first.step()
		}
	}
}

// walk yields the rows of a partition, and last the error that broke it off.
func walk(p Partition, from string) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		more := true
		err := p.Ascend(from, func(key string, value []byte) bool {
			more = yield(entry{key, value}, nil)
			return more
		})
		if more && err != nil {
			yield(entry{}, err) // with the lowest key of all: it comes next
		}
	}
}

// head is the next row of one partition.
type head struct {
	entry
	err  error
	ok   bool // false: the partition has no more
	next func() (entry, error, bool)
	stop func()
}

func (h *head) step() { h.entry, h.err, h.ok = h.next() }

// smallest returns the head with the lowest key, nil when all have ended.
func smallest(heads []head) *head {
	var first *head
	for i := range heads {
		if h := &heads[i]; h.ok && (first == nil || h.key < first.key) {
			first = h
		}
	}
	return first
}

// parseListing reads the query; checkRequest has seen that each parameter is
// known and there once.
func parseListing(r *http.Request) (listing, error) {
	l := listing{limit: defaultLimit, statuses: defaultStatuses}
	query := r.URL.Query()
	if query.Has("limit") {
		var err error
		if l.limit, err = parseLimit(query.Get("limit")); err != nil {
			return l, err
		}
	}
	if query.Has("status") {
		var ok bool
		if l.statuses, ok = parseStatuses(query.Get("status")); !ok {
			return l, &Problem{Code: InvalidRequest, Parameter: "status", Detail: "status is none of the known ones, want active, closed, unregistered or erased, or several joined by commas"}
		}
	}
	if query.Has("cursor") {
		last, err := parseCursor(query.Get("cursor"), l.statuses)
		if err != nil {
			return l, err
		}
		l.from = last + "\x00" // the smallest key behind it
	}
	return l, nil
}

func parseLimit(text string) (int, error) {
	n, err := strconv.Atoi(text)
	got := strconv.Itoa(n)
	if err != nil {
		got = "not a number"
	}
	if err != nil || n < 1 || n > maxLimit {
		return 0, &Problem{Code: InvalidRequest, Parameter: "limit", Detail: fmt.Sprintf("limit is %s, want 1 to %d", got, maxLimit)}
	}
	return n, nil
}

// statusSet is a set of states, one bit each.
type statusSet uint8

const defaultStatuses statusSet = 1<<billing.StatusUnregistered | 1<<billing.StatusActive | 1<<billing.StatusClosed

func (s statusSet) has(status billing.Status) bool { return s>>status&1 == 1 }

// parseStatuses reads states joined by commas.
func parseStatuses(text string) (statusSet, bool) {
	var set statusSet
	for name := range strings.SplitSeq(text, ",") {
		status, ok := parseStatus(name)
		if !ok {
			return 0, false
		}
		set |= 1 << status
	}
	return set, true
}

func parseStatus(name string) (billing.Status, bool) {
	for s := billing.StatusUnregistered; s <= billing.StatusErased; s++ {
		if s.String() == name {
			return s, true
		}
	}
	return 0, false
}
