package views

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"billstream/codecs"
)

// api holds what the handlers share.
type api struct {
	Config
	positionKeys []string                     // of the position rows, by partition
	positions    []atomic.Pointer[positionAt] // as they were read last, by partition
	scratches    sync.Pool                    // of *scratch
	origin       http.CrossOriginProtection   // no origin but our own
}

// routes is the data listener, complete.
func routes(c Config) []Route {
	a := &api{Config: c, positionKeys: positionKeys(c.Partitions), positions: make([]atomic.Pointer[positionAt], c.Partitions)}
	a.scratches.New = func() any { return new(scratch) }
	return []Route{
		{Pattern: "GET /v1/accounts/{customer}", Handler: a.handler(a.account)},
		{Pattern: "GET /v1/accounts", Handler: a.handler(a.list, "limit", "cursor", "status")},
		{Pattern: "POST /v1/accounts:batchGet", Handler: a.handler(a.batchGet)},
		{Pattern: "POST /v1/events", Handler: a.handler(a.events), Status: http.StatusAccepted},
		{Pattern: "GET /openapi.json", Handler: a.handler(document("application/json", openAPI))},
		{Pattern: "GET /problems/{code}", Handler: a.handler(explain)},
		{Pattern: "GET /{$}", Handler: a.handler(page("text/html; charset=utf-8", consoleHTML))},
		{Pattern: "GET /console.css", Handler: a.handler(page("text/css; charset=utf-8", consoleCSS))},
		{Pattern: "GET /console.js", Handler: a.handler(page("text/javascript; charset=utf-8", consoleJS))},
		{Pattern: "GET /console.svg", Handler: a.handler(page("image/svg+xml", consoleSVG))},
	}
}

// handler answers with f, and with a problem for its error. Parameters are the
// query parameters that f knows; any other is refused, so that a misspelt
// filter never returns everything.
func (a *api) handler(f func(http.ResponseWriter, *http.Request) error, parameters ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := checkRequest(r, parameters)
		if err == nil {
			err = f(w, r)
		}
		switch {
		case err == nil:
		case r.Context().Err() != nil:
			panic(http.ErrAbortHandler) // the client has left: nobody to answer, and no fault of ours to count
		default:
			a.problem(r, err).write(w)
		}
	})
}

// problem is the one place where an error becomes an answer. What is not a
// problem itself is a bug, or a row that cannot be read: the caller learns only
// the id under which the log has it.
func (a *api) problem(r *http.Request, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	id := rand.Text()
	a.Log.Error("request failed", "handler", r.Pattern, "request_id", id, "err", err)
	return &Problem{Code: Internal, RequestID: id}
}

// checkRequest refuses what no route may carry.
func checkRequest(r *http.Request, parameters []string) error {
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.ContentLength != 0 {
		return &Problem{Code: InvalidRequest, Detail: "request has a body, want none on " + r.Method}
	}
	if r.URL.RawQuery == "" {
		return nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &Problem{Code: InvalidRequest, Detail: "query is malformed, want name=value pairs joined by &"}
	}
	for name, values := range query {
		switch {
		case !slices.Contains(parameters, name):
			return &Problem{Code: InvalidRequest, Parameter: parameterName(name), Detail: "query parameter is unknown, want " + wanted(parameters)}
		case len(values) > 1:
			return &Problem{Code: InvalidRequest, Parameter: name, Detail: fmt.Sprintf("query parameter is there %d times, want once", len(values))}
		}
	}
	return nil
}

// wanted lists the parameters for people.
func wanted(parameters []string) string {
	if len(parameters) == 0 {
		return "none"
	}
	text := parameters[0]
	for _, p := range parameters[1:] {
		text += ", " + p
	}
	return text
}

// parameterName gives name back only when it looks like one: anything else may
// be a value that lost its name.
func parameterName(name string) string {
	const longest = 32
	for _, c := range []byte(name) {
		if c != '_' && (c < 'a' || c > 'z') {
			return ""
		}
	}
	if len(name) > longest {
		return ""
	}
	return name
}

// sameOrigin refuses what a browser sends from a page of another site.
func (a *api) sameOrigin(r *http.Request) error {
	if a.origin.Check(r) != nil {
		return &Problem{Code: Forbidden, Detail: "request comes from a page of another site, want this origin"}
	}
	return nil
}

// respond sends body as the whole answer.
func respond(w http.ResponseWriter, status int, contentType []string, body []byte) error {
	h := w.Header()
	h["Content-Type"] = contentType
	a := w.(*answer)
	a.length[0] = strconv.Itoa(len(body))
	h["Content-Length"] = a.length[:]
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone: nobody is left to tell
	return nil
}

// scratch is what one request needs for as long as it is answered.
type scratch struct {
	in, out  []byte // the bodies
	accounts codecs.AccountReader
}

// scratch returns an empty scratch. It goes back to keep.
func (a *api) scratch() *scratch {
	s := a.scratches.Get().(*scratch)
	s.in, s.out = s.in[:0], s.out[:0]
	return s
}

// keep takes s back for another request. Large buffers are not kept: one page of
// the list would otherwise stay in memory for each request in work.
func (a *api) keep(s *scratch) {
	const most = 128 << 10 // a hundred accounts
	if cap(s.in) <= most && cap(s.out) <= most {
		a.scratches.Put(s)
	}
}

// withBuffer lends f an empty buffer for one answer.
func (a *api) withBuffer(f func(*[]byte) error) error {
	s := a.scratch()
	defer a.keep(s)
	return f(&s.out)
}

// recovering returns the problem that rows are not complete yet; remaining is
// negative while it is unknown. There is no answer at all until they are:
// "unknown" would be a guess.
func recovering(remaining int64) *Problem {
	p := &Problem{Code: Recovering, Detail: "view has not recovered, want it complete"}
	if remaining >= 0 {
		p.RemainingRecords = &remaining
		p.Detail = fmt.Sprintf("view is %d records behind the end of its changelog, want none", remaining)
	}
	return p
}
