package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"billstream/codecs"
)

// maxLine bounds a line of the input.
const maxLine = 128 << 10

// errBadLine stops a feed at a line that cannot be sent.
var errBadLine = errors.New("line cannot be sent")

// feed reads JSON lines, one structured CloudEvent each, checks them as
// POST /v1/events does, and sends them in order. Nothing behind a bad line is
// sent, unless skip is set.
type feed struct {
	send      func(context.Context, codecs.Record, func(position string, err error)) error // nil: check only
	eventTime bool                                                                         // the record's timestamp is the event's time
	skip      bool                                                                         // go on after a bad line
	rate      float64                                                                      // events a second; 0: as fast as it goes
	now       func() time.Time
	bad       func(line string)                // is told of every bad line
	progress  func(events int64, part float64) // is told after every line; may be nil

	total
	start time.Time
}

// total is what became of the events so far.
type total struct {
	checked, skipped int64

	wg      sync.WaitGroup
	mu      sync.Mutex
	sent    int64            // acknowledged
	failed  error            // the first one
	highest map[string]int64 // offset by topic/partition
}

// source is one input of a feed.
type source struct {
	name string
	r    io.Reader
	part func() float64 // of the input that was read; negative: unknown
}

// read sends the events of one source. It returns before they are
// acknowledged.
func (f *feed) read(ctx context.Context, s source) error {
	lines := bufio.NewReaderSize(s.r, 64<<10)
	var line []byte
	for number := 1; ; number++ {
		var tooLong bool
		var err error
		line, tooLong, err = readLine(lines, line[:0])
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read %s: %w", s.name, err)
		}
		end := err != nil
		if number == 1 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		if line = bytes.TrimSpace(line); len(line) > 0 || tooLong {
			if err := f.line(ctx, line, tooLong); err != nil {
				if !f.refuse(s.name, number, err) {
					return err
				}
				if !f.skip {
					return errBadLine
				}
			}
		}
		if f.progress != nil {
			f.progress(f.checked+f.skipped, s.part())
		}
		if end {
			return nil
		}
	}
}

// readLine reads up to the next line feed. Of a line over maxLine it keeps
// nothing and says so; the error is io.EOF with the last line.
func readLine(r *bufio.Reader, line []byte) ([]byte, bool, error) {
	tooLong := false
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxLine+len("\r\n") {
			tooLong, line = true, line[:0]
		}
		if !tooLong {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, tooLong, err
		}
	}
}

// refusal is the error of a line that cannot be sent, in the words of codecs:
// "<code>: <pointer> <what is wrong>".
type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// refuse tells of a bad line, and counts it as skipped if the feed goes on;
// false when err is about something else.
func (f *feed) refuse(name string, number int, err error) bool {
	if _, ok := errors.AsType[*refusal](err); !ok {
		return false
	}
	if f.skip {
		f.skipped++
	}
	f.bad(fmt.Sprintf("%s:%d: %v", name, number, err))
	return true
}

// line checks and sends one event.
func (f *feed) line(ctx context.Context, line []byte, tooLong bool) error {
	if tooLong || len(line) > maxLine {
		return &refusal{fmt.Errorf("too_large: line is over %d bytes, want at most that", maxLine)}
	}
	now := f.now()
	record, err := checkedRecord(line, now, f.eventTime)
	if err != nil {
		return &refusal{codecs.Located(err)}
	}
	f.checked++
	if f.send == nil {
		return context.Cause(ctx)
	}
	if err := f.pace(ctx, now); err != nil {
		return err
	}
	return f.hand(ctx, record)
}

// checkedRecord checks an event as POST /v1/events does, the wall clock now
// standing in for the record's timestamp, and returns it as a record.
func checkedRecord(line []byte, now time.Time, eventTime bool) (codecs.Record, error) {
	envelope, err := codecs.ParseStructured(line)
	if err != nil {
		return codecs.Record{}, err
	}
	event, err := envelope.Event()
	if err != nil {
		return codecs.Record{}, err
	}
	if err := checkAt(event.Check, now.UnixMicro()); err != nil {
		return codecs.Record{}, err
	}
	at := now.UnixMilli()
	if eventTime {
		at = int64(event.Time) / 1000
	}
	return envelope.Record(at), nil
}

// checkAt calls a check with an instant in microseconds since 1970.
func checkAt[Instant ~int64](check func(Instant) error, micros int64) error {
	return check(Instant(micros))
}

// pace waits until it is time for the next event.
func (f *feed) pace(ctx context.Context, now time.Time) error {
	if f.rate <= 0 {
		return context.Cause(ctx)
	}
	if f.start.IsZero() {
		f.start = now
	}
	due := f.start.Add(time.Duration(float64(f.checked-1) / f.rate * float64(time.Second)))
	if !due.After(now) {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(due.Sub(now))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// hand hands a record to the emitter, unless an earlier one failed.
func (f *feed) hand(ctx context.Context, r codecs.Record) error {
	if err := f.err(); err != nil {
		return err
	}
	f.wg.Add(1)
	done := sync.OnceFunc(f.wg.Done)
	err := f.send(ctx, r, func(position string, err error) {
		f.acknowledged(position, err)
		done()
	})
	if err != nil {
		done() // whether the callback comes after an error is not known
		return fmt.Errorf("send an event: %w", cmp.Or(context.Cause(ctx), err))
	}
	return nil
}

func (t *total) acknowledged(position string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.failed = cmp.Or(t.failed, fmt.Errorf("send an event: %w", err))
		return
	}
	t.sent++
	partition, digits, _ := strings.Cut(position, "@")
	if offset, err := strconv.ParseInt(digits, 10, 64); err == nil {
		if t.highest == nil {
			t.highest = map[string]int64{}
		}
		t.highest[partition] = max(offset, t.highest[partition])
	}
}

func (t *total) err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// wait returns when everything that was sent is acknowledged or has failed.
func (t *total) wait() error {
	t.wg.Wait()
	return t.err()
}

// finish waits for what was sent, closes the emitter and adds what went wrong
// with it to err, which ended the reading.
func (f *feed) finish(err error, closing func() error) error {
	failed := f.wait()
	if errors.Is(err, failed) {
		failed = nil // the reading ended because of it
	}
	return errors.Join(err, failed, closing())
}

// positions are the highest position of every partition, in partition order.
func (t *total) positions() []string {
	partitions := slices.SortedFunc(maps.Keys(t.highest), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	positions := make([]string, len(partitions))
	for i, p := range partitions {
		positions[i] = fmt.Sprintf("%s@%d", p, t.highest[p])
	}
	return positions
}
