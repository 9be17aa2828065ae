package views_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"billstream/views"
)

// front returns a listener with one route whose handler is h.
func front(t *testing.T, log io.Writer, pattern string, h http.HandlerFunc) (http.Handler, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	return views.NewFront(views.Front{
		Listener:    "admin",
		Routes:      []views.Route{{Pattern: pattern, Handler: h}},
		MaxInflight: 1,
		Metrics:     views.NewMetrics(reg),
		Log:         slog.New(slog.NewTextHandler(log, nil)),
	}), reg
}

func TestWhatTheMuxRefusesIsAProblem(t *testing.T) {
	w := newWorld(t, 1)
	for _, target := range []string{
		"/nothing", "/v1", "/v1/accounts/", "/v1/accounts/c-1/changes", "/v1/accounts/c-1/key",
		"/v1/changes", "/v1/aggregates/mrr", "/problems/", "/metrics", "/debug/pprof/",
	} {
		w.get(target).wantProblem(404, views.UnknownRoute)
	}
	w.do("POST", "/v1/accounts:merge", "{}").wantProblem(404, views.UnknownRoute)
	for method, target := range map[string]string{"POST": "/v1/accounts", "DELETE": "/v1/accounts/c-1", "PUT": "/", "OPTIONS": "/v1/accounts"} {
		a := w.do(method, target, "")
		a.wantProblem(405, views.MethodNotAllowed)
		if allow := a.header.Get("Allow"); allow != "GET, HEAD" {
			t.Errorf("Allow of %s %s is %q, want GET, HEAD", method, target, allow)
		}
	}
	a := w.get("/v1/events")
	a.wantProblem(405, views.MethodNotAllowed)
	if allow := a.header.Get("Allow"); allow != "POST" {
		t.Errorf("Allow of /v1/events is %q, want POST", allow)
	}
}

func TestDoubleSlashesLeadToTheCleanPath(t *testing.T) {
	w := newWorld(t, 1)
	a := w.get("/v1//accounts")
	if a.code != http.StatusTemporaryRedirect || a.header.Get("Location") != "/v1/accounts" {
		t.Errorf("answer is %d to %q, want 307 to /v1/accounts", a.code, a.header.Get("Location"))
	}
}

func TestGetWithABodyIsRefused(t *testing.T) {
	w := newWorld(t, 1)
	w.do("GET", "/v1/accounts", "{}").wantProblem(400, views.InvalidRequest)
	w.get("/openapi.json?pretty=1").wantProblem(400, views.InvalidRequest)
}

func TestLongURLIsRefused(t *testing.T) {
	w := newWorld(t, 1)
	p := w.get("/v1/accounts?cursor="+strings.Repeat("A", 4<<10)).wantProblem(414, views.URITooLong)
	if p["limit"] != float64(4096) {
		t.Errorf("limit is %v, want 4096", p["limit"])
	}
}

func TestDrainingInstanceTakesNoRequests(t *testing.T) {
	draining := false
	w := newWorld(t, 1, func(w *world) { w.Draining = func() bool { return draining } })
	if a := w.get("/v1/accounts"); a.code != 200 {
		t.Errorf("before the drain the answer is %d, want 200", a.code)
	}
	draining = true
	w.get("/v1/accounts").wantProblem(503, views.Draining)
}

func TestRequestsBeyondTheLimitAreRefusedAtOnce(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	h, reg := front(t, io.Discard, "GET /slow", func(http.ResponseWriter, *http.Request) { entered <- struct{}{}; <-leave })
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/slow", http.NoBody))
	}()
	<-entered
	inFlight := `
		# HELP billstream_http_requests_in_flight HTTP requests in work.
		# TYPE billstream_http_requests_in_flight gauge
		billstream_http_requests_in_flight{listener="admin"} `
	if err := testutil.GatherAndCompare(reg, strings.NewReader(inFlight+"1\n"), "billstream_http_requests_in_flight"); err != nil {
		t.Error(err)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/slow", http.NoBody))
	if rec.Code != 503 || !strings.Contains(rec.Body.String(), `"code":"overload"`) || rec.Header().Get("Retry-After") != "1" {
		t.Errorf("the request beyond the limit gets %d %s, want 503 overload", rec.Code, rec.Body)
	}
	close(leave)
	<-done
	if err := testutil.GatherAndCompare(reg, strings.NewReader(inFlight+"0\n"), "billstream_http_requests_in_flight"); err != nil {
		t.Error(err)
	}
}

func TestPanicIsAnInternalProblemAndTheProcessLives(t *testing.T) {
	var log bytes.Buffer
	h, _ := front(t, &log, "GET /x", func(http.ResponseWriter, *http.Request) { panic("row of secret-customer is odd") })
	for range 2 { // the slot is free again
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", "/x", http.NoBody))
		if rec.Code != 500 || !strings.Contains(rec.Body.String(), `"code":"internal"`) {
			t.Errorf("answer is %d %s, want 500 internal", rec.Code, rec.Body)
		}
	}
	if strings.Contains(log.String(), "secret-customer") || !strings.Contains(log.String(), "front_test.go") {
		t.Errorf("log is %s, want the place of the panic without its value", log.String())
	}
}

func TestPanicInTheMiddleOfAnAnswerBreaksItOff(t *testing.T) {
	h, _ := front(t, io.Discard, "GET /x", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<20))
		panic("too late")
	})
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.Start()
	defer server.Close()
	res, err := http.Get(server.URL + "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("reading the answer gives %v, want %v", err, io.ErrUnexpectedEOF)
	}
}

func TestRequestsAreCountedByPatternAndCode(t *testing.T) {
	w := newWorld(t, 12)
	w.put("c-1001", acme(t, 5))
	w.get("/v1/accounts/c-1001")
	w.get("/v1/accounts/c-1001")
	w.get("/v1/accounts/nobody")
	w.get("/nothing/c-1001")
	w.do("DELETE", "/v1/accounts/c-1001", "")
	want := `
		# HELP billstream_http_requests_total HTTP requests answered, by pattern of the route (none: no route matched) and status code.
		# TYPE billstream_http_requests_total counter
		billstream_http_requests_total{code="200",handler="GET /console.css",listener="data"} 0
		billstream_http_requests_total{code="200",handler="GET /console.js",listener="data"} 0
		billstream_http_requests_total{code="200",handler="GET /console.svg",listener="data"} 0
		billstream_http_requests_total{code="200",handler="GET /openapi.json",listener="data"} 0
		billstream_http_requests_total{code="200",handler="GET /problems/{code}",listener="data"} 0
		billstream_http_requests_total{code="200",handler="GET /v1/accounts",listener="data"} 0
		billstream_http_requests_total{code="200",handler="GET /v1/accounts/{customer}",listener="data"} 2
		billstream_http_requests_total{code="200",handler="GET /{$}",listener="data"} 0
		billstream_http_requests_total{code="200",handler="POST /v1/accounts:batchGet",listener="data"} 0
		billstream_http_requests_total{code="202",handler="POST /v1/events",listener="data"} 0
		billstream_http_requests_total{code="404",handler="GET /v1/accounts/{customer}",listener="data"} 1
		billstream_http_requests_total{code="404",handler="none",listener="data"} 1
		billstream_http_requests_total{code="405",handler="none",listener="data"} 1
	`
	if err := testutil.GatherAndCompare(w.registry, strings.NewReader(want), "billstream_http_requests_total"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(w.registry); err != nil || len(problems) > 0 {
		t.Errorf("lint says %v (%v), want nothing", problems, err)
	}
}

func TestBothListenersShareTheirMetrics(t *testing.T) {
	w := newWorld(t, 1)
	admin := views.NewFront(views.Front{
		Listener: "admin",
		Routes:   []views.Route{{Pattern: "GET /livez", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}},
		Metrics:  w.Metrics,
	})
	admin.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/livez", http.NoBody))
	got, err := testutil.GatherAndCount(w.registry, "billstream_http_request_duration_seconds")
	if err != nil || got != 10+1+2 {
		t.Errorf("number of duration series is %d (%v), want those of 10 routes, of livez, and of none twice", got, err)
	}
}

func TestConfigurationNamesAllThatIsMissing(t *testing.T) {
	_, err := views.New(views.Config{})
	if err == nil {
		t.Fatal("an empty configuration passes, want an error")
	}
	for _, want := range []string{"number of partitions is 0, want at least 1", "Partition is nil", "Ready is nil", "Metrics is nil"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error is %q, want %q in it", err, want)
		}
	}
}

func TestConnectionsBeyondTheLimitWait(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := views.LimitConnections(inner, 1)
	server := views.NewServer(http.NotFoundHandler(), slog.DiscardHandler)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()

	hold, err := net.Dial("tcp", inner.Addr().String()) // takes the only place
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	second := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	go func() {
		res, err := second.Get("http://" + inner.Addr().String())
		if err == nil {
			err = res.Body.Close()
		}
		answered <- err
	}()
	if _, err := hold.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	first, err := io.ReadAll(hold)
	if err != nil || !bytes.HasPrefix(first, []byte("HTTP/1.1 404")) {
		t.Errorf("the first connection gets %.20q (%v), want 404", first, err)
	}
	if err := hold.Close(); err != nil {
		t.Error(err)
	}
	if err := <-answered; err != nil { // its turn came
		t.Error(err)
	}
	if err := server.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve ends with %v, want %v", err, http.ErrServerClosed)
	}
}

func TestServerCutsOffSlowClients(t *testing.T) {
	s := views.NewServer(http.NotFoundHandler(), slog.DiscardHandler)
	got := []string{s.ReadHeaderTimeout.String(), s.ReadTimeout.String(), s.WriteTimeout.String(), s.IdleTimeout.String()}
	if want := "5s 10s 30s 2m0s"; strings.Join(got, " ") != want || s.MaxHeaderBytes != 16<<10 {
		t.Errorf("limits are %q and %d bytes of headers, want %q and 16384", got, s.MaxHeaderBytes, want)
	}
}
