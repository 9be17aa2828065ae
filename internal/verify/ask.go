package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/internal/topics"
)

// absentSample is how many customers who are not there each view is asked for.
const absentSample = 20

// views asks every view for every customer. A view that cannot answer makes the
// judgement incomplete.
func (c *check) views(ctx context.Context) error {
	ids := slices.Sorted(maps.Keys(c.rows.rows))
	for _, base := range c.cfg.Views {
		for _, id := range ids {
			if err := c.lookUp(ctx, base, id, c.rows.rows[id].row); err != nil {
				return err
			}
		}
		for i := range absentSample {
			id := customer.ID(fmt.Sprintf("verify-absent-%d", i))
			if c.rows.rows[id] == nil {
				if err := c.lookUp(ctx, base, id, nil); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (c *check) lookUp(ctx context.Context, base string, id customer.ID, row *billing.Row) error {
	want := http.StatusOK
	switch {
	case row == nil || row.Seq == 0:
		want = http.StatusNotFound
	case row.ErasedAt != nil:
		want = http.StatusGone
	}
	status, body, err := c.get(ctx, strings.TrimSuffix(base, "/")+"/v1/accounts/"+strings.ReplaceAll(escape(string(id)), ".", "%2E"))
	if err != nil {
		return fmt.Errorf("%w: look up an account: %w", ErrIncomplete, err)
	}
	c.report.Counts["lookups"]++
	if status >= http.StatusInternalServerError || status == http.StatusTooManyRequests {
		return fmt.Errorf("%w: lookup is answered with status %d, want a view that is ready", ErrIncomplete, status)
	}
	field := ""
	switch {
	case status != want:
		field = fmt.Sprintf("status is %d, want %d", status, want)
	case status == http.StatusOK:
		account := codecs.AppendAccountJSON(nil, billing.AccountOf(id, row))
		if !bytes.Equal(bytes.TrimSpace(body), account) {
			field = "account is another in " + differentAccount(account, body)
		}
	}
	if field != "" {
		a := Anomaly{Class: StaleView, Topic: topics.BillingTable, Partition: topics.Partition([]byte(id), c.partitions), Offset: -1, Detail: field, Customer: hashOf([]byte(id))}
		if row != nil {
			a.Offset = row.AppliedOffset
		}
		c.report.anomaly(a)
	}
	return nil
}

func differentAccount(want, got []byte) string {
	a, err := decodeJSON(want)
	if err != nil {
		return "its JSON"
	}
	b, err := decodeJSON(got)
	if err != nil {
		return "its JSON"
	}
	if field := differsJSON(a, b, ""); field != "" {
		return field
	}
	return "its form"
}

// maxBody bounds what is read of an answer.
const maxBody = 64 << 20

// get fetches url. The error does not name the url, which may hold a customer.
func (c *check) get(ctx context.Context, url string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: address is no URL", ErrConfig)
	}
	resp, err := c.cfg.Client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("%s does not answer", req.URL.Host)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return 0, nil, fmt.Errorf("answer of %s ends early", req.URL.Host)
	}
	return resp.StatusCode, body, nil
}

// metrics compares the sums of the counters of all processes with what the
// topics hold. It holds for processes that have run since the first record.
func (c *check) metrics(ctx context.Context) error {
	if len(c.cfg.Metrics) == 0 {
		return nil
	}
	got := map[string]float64{}
	for _, url := range c.cfg.Metrics {
		status, body, err := c.get(ctx, url)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status is %d, want 200", status)
		}
		if err != nil {
			return fmt.Errorf("%w: read metrics: %w", ErrIncomplete, err)
		}
		if err := sum(got, body); err != nil {
			return fmt.Errorf("%w: read metrics: %w", ErrIncomplete, err)
		}
	}
	want := c.counters()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		low := int64(got[name]) < want[name]
		more := int64(got[name]) > want[name] && !c.repeats
		if low || more {
			c.report.anomaly(Anomaly{Class: MetricLie, Offset: -1, Field: name, Detail: fmt.Sprintf("%s is %.0f, want %d", name, got[name], want[name])})
		}
	}
	return nil
}

// counters are the values that the counters must have.
func (c *check) counters() map[string]int64 {
	want := map[string]int64{}
	for _, outcome := range []string{updated, unchanged, duplicate, ignored, deadLetter} {
		want["billstream_records_processed_total "+outcome] = c.report.Counts[outcome]
	}
	for name, n := range c.report.Counts {
		if class, ok := strings.CutPrefix(name, "class "); ok {
			want["billstream_updates_emitted_total "+class] = n
		}
		if code, ok := strings.CutPrefix(name, "code "); ok {
			want["billstream_dead_letters_total "+code] = n
		}
	}
	return want
}

// sum adds the counters in the text of a metrics page, each under its name and
// the label that tells its kind.
func sum(into map[string]float64, page []byte) error {
	label := map[string]string{
		"billstream_records_processed_total": "result",
		"billstream_updates_emitted_total":   "class",
		"billstream_dead_letters_total":      "code",
	}
	d := expfmt.NewDecoder(bytes.NewReader(page), expfmt.NewFormat(expfmt.TypeTextPlain))
	for {
		var family dto.MetricFamily
		err := d.Decode(&family)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		by := label[family.GetName()]
		if by == "" {
			continue
		}
		for _, m := range family.GetMetric() {
			into[family.GetName()+" "+labelOf(m, by)] += m.GetCounter().GetValue()
		}
	}
}

func labelOf(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}
