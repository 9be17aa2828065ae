package views

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"
)

// Limits of a request, on both listeners.
const (
	MaxURL    = 4 << 10  // bytes of the request target
	MaxHeader = 16 << 10 // bytes of all headers
	MaxBody   = 1 << 20  // bytes of the body
)

// Route is one pattern of http.ServeMux with its handler. The pattern is also
// the value of the label handler.
type Route struct {
	Pattern string
	Handler http.Handler
	Status  int // of a good answer; 0 means 200
}

// Front is what stands before the handlers of a listener: limits, security
// headers, metrics, and errors as problems. Both listeners have one.
type Front struct {
	Listener    string // the label: data or admin
	Routes      []Route
	MaxInflight int         // 0 means DefaultMaxInflight
	MaxWaits    int         // 0 means DefaultMaxWaits
	Draining    func() bool // nil: never
	Metrics     *Metrics
	Log         *slog.Logger // nil: nowhere
}

// NewFront returns the handler of the listener f. It panics when two patterns
// contradict each other, as http.ServeMux does.
func NewFront(f Front) http.Handler {
	h := &front{
		Front: f,
		slots: make(chan struct{}, cmp.Or(f.MaxInflight, DefaultMaxInflight)),
		waits: make(chan struct{}, cmp.Or(f.MaxWaits, DefaultMaxWaits)),
	}
	if h.Log == nil {
		h.Log = slog.New(slog.DiscardHandler)
	}
	for _, r := range f.Routes {
		h.mux.Handle(r.Pattern, r.Handler)
	}
	h.metrics = f.Metrics.listener(f.Listener, f.Routes)
	return h
}

type front struct {
	Front
	mux     http.ServeMux
	slots   chan struct{} // one per request in work
	waits   chan struct{} // one per request that waits
	metrics *listenerMetrics
}

// ServeHTTP admits r, hands it to the mux, and accounts for the answer.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	h := w.Header()
	h["Cache-Control"], h["X-Content-Type-Options"] = noStore, noSniff
	a := &answer{ResponseWriter: w, request: r, front: f}
	if p := f.refuse(r); p != nil {
		p.write(a)
	} else {
		f.work(a, r)
	}
	f.metrics.observe(r.Pattern, a.status(), time.Since(began))
}

// Header values that never change: a shared slice saves an allocation a request.
var (
	noStore     = []string{"no-store"}
	noSniff     = []string{"nosniff"}
	jsonType    = []string{"application/json"}
	problemType = []string{"application/problem+json"}
)

// refuse says why r is not even looked at.
func (f *front) refuse(r *http.Request) *Problem {
	switch {
	case f.Draining != nil && f.Draining():
		return &Problem{Code: Draining}
	case len(r.RequestURI) > MaxURL:
		return &Problem{Code: URITooLong, Limit: MaxURL, Detail: fmt.Sprintf("URL is %d bytes, want at most %d", len(r.RequestURI), MaxURL)}
	case r.ContentLength > MaxBody:
		return tooLarge(fmt.Sprintf("body is %d bytes, want at most %d", r.ContentLength, MaxBody), MaxBody)
	}
	return nil
}

// work runs r in one of the slots; without a free one it is refused at once,
// since a queue would only add its wait to every answer.
func (f *front) work(a *answer, r *http.Request) {
	if !a.moveTo(f.slots) {
		(&Problem{Code: Overload}).write(a)
		return
	}
	f.metrics.inFlight.Inc()
	defer func() {
		<-a.place
		f.metrics.inFlight.Dec()
		if v := recover(); v != nil {
			f.panicked(a, r, v)
		}
	}()
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = http.MaxBytesReader(a.ResponseWriter, r.Body, MaxBody) // the server's own writer: it then closes the connection
	}
	f.mux.ServeHTTP(a, r)
}

// panicked answers for a handler that panicked. The value itself is not logged
// unless the runtime made it: anything else could hold a customer's data.
func (f *front) panicked(a *answer, r *http.Request, v any) {
	if v == http.ErrAbortHandler {
		panic(v)
	}
	what := fmt.Sprintf("panic with a %T", v)
	if e, ok := v.(runtime.Error); ok {
		what = "panic: " + e.Error()
	}
	id := rand.Text()
	f.Log.Error("request failed", "handler", cmp.Or(r.Pattern, "none"), "request_id", id, "err", what, "stack", string(debug.Stack()))
	if a.code != 0 {
		panic(http.ErrAbortHandler) // half an answer is out: the client must see that it is broken
	}
	(&Problem{Code: Internal, RequestID: id}).write(a)
}

// answer is the response writer that handlers get. It remembers the status, and
// turns the plain text with which http.ServeMux answers 404 and 405 into a
// problem: the mux has then left Pattern empty.
type answer struct {
	http.ResponseWriter
	request *http.Request
	front   *front
	place   chan struct{} // of the slots or the waits: where the request is counted; nil: nowhere yet
	code    int           // 0 until the header is written
	swallow bool          // the mux's own text
	etag    [1]string     // values of the header that differ with each answer:
	length  [1]string     // here they need no memory of their own
}

// moveTo counts the request among those in places, and no longer where it was.
// It is false, and all stays as it is, when there is no room.
func (a *answer) moveTo(places chan struct{}) bool {
	select {
	case places <- struct{}{}:
	default:
		return false
	}
	if a.place != nil {
		<-a.place
	}
	a.place = places
	return true
}

// extend gives the answer so much longer than the server's own limit. The one
// for reading needs no more: net/http lifts it once the request is read.
func (a *answer) extend(wait time.Duration) {
	c := http.NewResponseController(a.ResponseWriter)
	_ = c.SetWriteDeadline(time.Now().Add(wait + writeTimeout)) // not a connection: nothing to extend
}

// WriteHeader sends the header with the status code.
func (a *answer) WriteHeader(code int) {
	if a.code != 0 {
		return
	}
	if p := a.muxProblem(code); p != nil {
		a.code, a.swallow = code, true
		p.write(a.ResponseWriter)
		return
	}
	if code >= http.StatusOK { // 1xx are followed by the real one
		a.code = code
	}
	a.ResponseWriter.WriteHeader(code)
}

// Write sends p, unless it is the mux's own text.
func (a *answer) Write(p []byte) (int, error) {
	if a.code == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if a.swallow {
		return len(p), nil
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// muxProblem returns the problem that stands for the mux's own answer.
func (a *answer) muxProblem(code int) *Problem {
	switch {
	case a.request.Pattern != "":
		return nil
	case code == http.StatusNotFound:
		return &Problem{Code: UnknownRoute}
	case code == http.StatusMethodNotAllowed:
		return &Problem{Code: MethodNotAllowed}
	}
	return nil
}

// status is the code that the client sees.
func (a *answer) status() int { return cmp.Or(a.code, http.StatusOK) }
