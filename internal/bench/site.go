package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/topics"
)

// writeRows writes every customer's row into the changelog.
func (l *lab) writeRows(ctx context.Context, p *people) error {
	var failed firstError
	for n := range p.customers {
		key := []byte(customerKey(n))
		l.client.Produce(ctx, &kgo.Record{
			Topic: topics.BillingTable, Partition: topics.Partition(key, p.partitions), Key: key, Value: p.row(n),
		}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.set(err)
			}
		})
	}
	return errors.Join(l.client.Flush(ctx), failed.get())
}

// asked is how many customers are looked at to see whether all is right.
const asked = 200

// some returns the numbers of customers from all over the table.
func (t *site) some() []int {
	var of []int
	for n := 0; n < t.customers; n += max(1, t.customers/asked) {
		of = append(of, n)
	}
	return of
}

// untouched compares lookups with what was written.
func (t *site) untouched(ctx context.Context, w *web) error {
	for _, n := range t.some() {
		status, body, err := w.account(ctx, customerKey(n), "")
		switch {
		case err != nil:
			return err
		case status != http.StatusOK || !bytes.Equal(body, t.people.account(n)):
			return fmt.Errorf("%w: lookup of customer %d has status %d and %d bytes, want what its row says", ErrWrong, n, status, len(body))
		}
	}
	return nil
}

// remembered looks whether customers have had as many events as were sent.
func (t *site) remembered(ctx context.Context, w *web) error {
	for _, n := range append(t.some(), t.busy()...) {
		status, body, err := w.account(ctx, customerKey(n), "")
		if err != nil {
			return err
		}
		var got struct {
			Seq uint64 `json:"seq"`
		}
		want := t.people.kinds[n%len(t.people.kinds)].Seq + uint64(t.happen[n])
		if err := json.Unmarshal(body, &got); err != nil || status != http.StatusOK || got.Seq != want {
			return fmt.Errorf("%w: lookup of customer %d has status %d and seq %d, want %d", ErrWrong, n, status, got.Seq, want)
		}
	}
	return nil
}

// busy are some customers that events were about.
func (t *site) busy() []int {
	var of []int
	for n := range t.happen {
		if len(of) == asked {
			break
		}
		of = append(of, n)
	}
	return of
}

// counted looks whether there is one update for each event.
func (t *site) counted(ctx context.Context) error {
	updates := 0
	err := t.lab.readAll(ctx, topics.BillingUpdates, func(*kgo.Record) error {
		updates++
		return nil
	})
	if err == nil && updates != t.sent {
		err = fmt.Errorf("%w: count of updates is %d, want %d", ErrWrong, updates, t.sent)
	}
	return err
}

// next makes the next event.
func (t *site) next() *kgo.Record {
	n := t.keys.next()
	r := t.people.eventRecord(n, t.sent)
	t.sent++
	t.happen[n]++
	return r
}

// underLoad sends events as fast as the broker takes them, and waits until
// lookups show the last ones.
func (t *site) underLoad(ctx context.Context, w *web, c *Cell) error {
	records := make([]*kgo.Record, t.load)
	for i := range records {
		records[i] = t.next()
	}
	last := map[int32]int64{}
	var mu sync.Mutex
	var failed firstError
	before, err := t.prog.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	for _, r := range records {
		t.lab.client.Produce(ctx, r, func(r *kgo.Record, err error) {
			if err != nil {
				failed.set(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			last[r.Partition] = max(last[r.Partition], r.Offset)
		})
	}
	if err := errors.Join(t.lab.client.Flush(ctx), failed.get()); err != nil {
		return err
	}
	if err := t.reach(ctx, w, last); err != nil {
		return err
	}
	seconds := time.Since(began).Seconds()
	after, err := t.prog.cpu()
	if err != nil {
		return err
	}
	c.Loaded, c.CPUPerEvent = t.load, micros(after-before)/float64(t.load)
	c.EventsPerSecond = float64(t.load) / seconds
	return t.remembered(ctx, w)
}

// reach waits until lookups of every partition include the position in it.
func (t *site) reach(ctx context.Context, w *web, last map[int32]int64) error {
	for n, left := 0, len(last); left > 0; n++ {
		id := "nobody-" + strconv.Itoa(n)
		p := topics.Partition([]byte(id), t.partitions)
		offset, ok := last[p]
		if !ok {
			continue
		}
		if err := w.await(ctx, id, position(p, offset)); err != nil {
			return err
		}
		delete(last, p)
		left--
	}
	return nil
}

// position is what the data listener calls an offset of the events.
func position(partition int32, offset int64) string {
	return fmt.Sprintf("%s/%d@%d", topics.CustomerEvents, partition, offset)
}

// atRate sends events at a steady rate, and waits for each until a lookup of its
// customer includes it. The first second does not count.
func (t *site) atRate(ctx context.Context, w *web, c *Cell) error {
	var mu sync.Mutex
	var took []time.Duration
	var failed firstError
	var waiting sync.WaitGroup
	warm := t.rate
	all := warm + int(t.rateTime.Seconds()*float64(t.rate))
	began := time.Now()
	for i := range all {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(t.rate))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Until(due)):
		}
		r := t.next()
		waiting.Add(1)
		sent := time.Now()
		t.lab.client.Produce(ctx, r, func(r *kgo.Record, err error) {
			if err != nil {
				failed.set(err)
				waiting.Done()
				return
			}
			go func() {
				defer waiting.Done()
				if err := w.await(ctx, string(r.Key), position(r.Partition, r.Offset)); err != nil {
					failed.set(err)
					return
				}
				if i >= warm {
					mu.Lock()
					defer mu.Unlock()
					took = append(took, time.Since(sent))
				}
			}()
		})
	}
	waiting.Wait()
	if err := failed.get(); err != nil {
		return err
	}
	slices.Sort(took)
	c.Rate, c.P50, c.P99, c.Max = t.rate, percentile(took, 50), percentile(took, 99), percentile(took, 100)
	return t.remembered(ctx, w)
}
