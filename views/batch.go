package views

import (
	"errors"
	"net/http"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/internal/topics"
)

// maxIDs is how many accounts one request may ask for.
const maxIDs = 1000

// batchGet answers POST /v1/accounts:batchGet: the accounts of many ids, in the
// order of the ids. An id without an account has its problem there instead, so
// that one does not cost the answer to all. Nothing is changed: it is a POST
// because a thousand ids fit in no URL.
func (a *api) batchGet(w http.ResponseWriter, r *http.Request) error {
	if err := a.sameOrigin(r); err != nil {
		return err
	}
	s := a.scratch()
	defer a.keep(s)
	ids, err := readIDs(s, r)
	if err != nil {
		return err
	}
	parts, err := a.freshParts(w, r, 0, a.Partitions, true)
	if err != nil {
		if result, ok := resultOf(err); ok {
			a.Metrics.lookups[result].Add(float64(len(ids)))
		}
		return err
	}
	b := batch{api: a, request: r, parts: parts, scratch: s}
	b.append(ids)
	for result, n := range b.results {
		a.Metrics.lookups[result].Add(float64(n))
	}
	return respond(w, http.StatusOK, jsonType, s.out)
}

// readIDs returns the ids that r asks for.
func readIDs(s *scratch, r *http.Request) ([]string, error) {
	mediaType, err := mediaTypeOf(r)
	if err != nil {
		return nil, err
	}
	if mediaType != jsonType[0] {
		return nil, &Problem{Code: UnsupportedMediaType, Detail: "media type is another one, want application/json"}
	}
	if s.in, err = appendBody(s.in, r); err != nil {
		return nil, err
	}
	ids, err := codecs.ParseIDs(string(s.in), maxIDs)
	if e, ok := errors.AsType[*codecs.MemberError](err); ok {
		return nil, &Problem{Code: InvalidRequest, Parameter: parameterName(e.Name), Detail: e.Error()}
	}
	if err != nil {
		return nil, &Problem{Code: MalformedBody, Detail: err.Error()}
	}
	return ids, nil
}

// batch is one answer to batchGet.
type batch struct {
	*api
	request *http.Request
	parts   []part // all of them
	scratch *scratch
	results [lookupResults]int
	broken  *Problem // stands for every row that cannot be read
}

// append writes the answer.
func (b *batch) append(ids []string) {
	dst := append(b.scratch.out, `{"accounts":[`...)
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = codecs.AppendString(append(dst, `{"customer_id":`...), id)
		account, err := b.lookUp(customer.ID(id))
		if result, ok := resultOf(err); ok {
			b.results[result]++
		}
		if err != nil {
			dst = b.problem(err).appendItem(append(dst, `,"problem":`...))
		} else {
			dst = codecs.AppendAccountJSON(append(dst, `,"account":`...), account)
		}
		dst = append(dst, '}')
	}
	b.scratch.out = append(dst, ']', '}')
}

// lookUp is lookUp in the part where id belongs.
func (b *batch) lookUp(id customer.ID) (*billing.Account, error) {
	if id.Check() != nil {
		return nil, invalidID
	}
	p := &b.parts[topics.Partition([]byte(id), b.Partitions)]
	if p.lacks != nil {
		return nil, p.lacks
	}
	return lookUp(p, id, &b.scratch.accounts)
}

// problem is the problem that err is, or stands for. The first row that cannot
// be read is logged; a broken disk does not fill the log with a request.
func (b *batch) problem(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if b.broken == nil {
		b.broken = b.api.problem(b.request, err)
	}
	return b.broken
}
