package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// web asks the data listener of a program.
type web struct {
	base   string
	client *http.Client
}

// webConnections is how many are kept: one for each event on its way.
const webConnections = 256

func newWeb(addr string) *web {
	return &web{base: "http://" + addr, client: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: webConnections, MaxConnsPerHost: webConnections},
		Timeout:   time.Minute,
	}}
}

func (w *web) close() { w.client.CloseIdleConnections() }

// account looks a customer up; at is the position that the answer must include,
// "" any.
func (w *web) account(ctx context.Context, id, at string) (status int, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+"/v1/accounts/"+url.PathEscape(id), nil)
	if err != nil {
		return 0, nil, err
	}
	if at != "" {
		r.Header.Set("Billing-Min-Position", at)
		r.Header.Set("Prefer", "wait=30")
	}
	answer, err := w.client.Do(r)
	if err != nil {
		return 0, nil, fmt.Errorf("look an account up: %w", err)
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(answer.Body)
	return answer.StatusCode, body, err
}

// await returns once a lookup of id includes a position, whether there is such a
// customer or not.
func (w *web) await(ctx context.Context, id, at string) error {
	for began := time.Now(); ; {
		status, _, err := w.account(ctx, id, at)
		switch {
		case err != nil:
			return err
		case status == http.StatusOK || status == http.StatusNotFound:
			return nil
		case status != http.StatusServiceUnavailable:
			return fmt.Errorf("%w: lookup of a position has status %d, want 200 or 404", ErrWrong, status)
		case time.Since(began) > stallLimit:
			return fmt.Errorf("lookup is behind its position after %v, want it there", stallLimit)
		}
	}
}
