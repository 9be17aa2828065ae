package views_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/views"
)

// Without a Content-Length the limit is met while the body is read; the server
// then closes the connection instead of reading the rest.
func TestEndlessBodyIsCutOff(t *testing.T) {
	w, e := newIngest(t, 1)
	server := httptest.NewServer(w.handler)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/v1/events", io.MultiReader(strings.NewReader(renamed), strings.NewReader(strings.Repeat(" ", 1<<20))))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", structured)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 413 || !res.Close || !strings.Contains(string(body), `"limit":1048576`) || e.calls != 0 {
		t.Errorf("answer is %d %s (%v), closes: %v, sent %d, want 413 too-large, closed, nothing sent", res.StatusCode, body, err, res.Close, e.calls)
	}
}

func TestBrokerThatDoesNotAnswerIsGivenTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, func(w *world) {
			w.Emit = func(ctx context.Context, _ []codecs.Record) ([]billing.Position, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
		})
		began := time.Now()
		w.post(structured, renamed).wantProblem(503, views.BrokerUnavailable)
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("the answer takes %v, want 10 s", took)
		}
	})
}

func TestEmitterThatBreaksItsPromiseIsOurFault(t *testing.T) {
	w := newWorld(t, 1, func(w *world) {
		w.Emit = func(context.Context, []codecs.Record) ([]billing.Position, error) { return nil, nil }
	})
	w.post(structured, renamed).wantProblem(500, views.Internal)
}

func TestRefusedEmitIsNotShownToTheCaller(t *testing.T) {
	w, e := newIngest(t, 1)
	e.err = errors.New("kafka: 10.0.0.7 refused")
	if a := w.post(structured, renamed); strings.Contains(a.body, "10.0.0.7") || a.code != 503 {
		t.Errorf("answer is %d %s, want 503 without the broker's words", a.code, a.body)
	}
}

func TestClientThatLeavesIsNotTheBrokersFault(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	w := newWorld(t, 1, func(w *world) {
		w.Emit = func(ctx context.Context, _ []codecs.Record) ([]billing.Position, error) {
			leave()
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	r := httptest.NewRequestWithContext(ctx, "POST", "/v1/events", strings.NewReader(renamed))
	r.Header.Set("Content-Type", structured)
	defer func() {
		if v := recover(); v != http.ErrAbortHandler || w.log.Len() > 0 {
			t.Errorf("the request ends with %v and logs %q, want it aborted and nothing", v, w.log.String())
		}
	}()
	w.handler.ServeHTTP(httptest.NewRecorder(), r)
}
