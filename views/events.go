package views

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
)

// Limits of POST /v1/events. codecs.MaxValueBytes bounds each event.
const maxBatch = 1000

// events answers POST /v1/events. Every event of the request is checked, by the
// code that the processor uses, before the first one is sent: a request is
// refused as a whole.
func (a *api) events(w http.ResponseWriter, r *http.Request) error {
	if err := a.sameOrigin(r); err != nil {
		return err
	}
	if a.Emit == nil {
		return &Problem{Code: IngestOff}
	}
	submitted, err := readEvents(r)
	if err != nil {
		return err
	}
	now := a.Now()
	records, refused := check(submitted, now.UnixMilli(), customer.InstantOf(now))
	if len(refused) > 0 {
		return &Problem{Code: InvalidEvent, Errors: refused}
	}
	positions, err := a.emit(r.Context(), records)
	if err != nil {
		return err
	}
	return accepted(w, submitted, positions)
}

// submission is one event of a request.
type submission struct {
	envelope *codecs.Envelope
	err      error // a *customer.Refusal; envelope is nil then
}

// readEvents takes the body apart; what it refuses is not an event at all.
func readEvents(r *http.Request) ([]submission, error) {
	mediaType, err := mediaTypeOf(r)
	if err != nil {
		return nil, err
	}
	read, err := reader(mediaType, r.Header)
	if err != nil {
		return nil, err
	}
	body, err := appendBody(nil, r)
	if err != nil {
		return nil, err
	}
	return read(bytes.TrimSpace(body))
}

// reader returns what reads a body of the media type.
func reader(mediaType string, header http.Header) (func([]byte) ([]submission, error), error) {
	switch {
	case mediaType == "application/cloudevents+json":
		return readStructured, nil
	case mediaType == "application/cloudevents-batch+json":
		return readBatch, nil
	case mediaType == "application/json" && header.Get("ce-specversion") != "":
		return func(body []byte) ([]submission, error) { return readBinary(body, header) }, nil
	}
	return nil, &Problem{Code: UnsupportedMediaType, Detail: "media type is another one, want application/cloudevents+json, application/cloudevents-batch+json, or application/json with ce- headers"}
}

// readStructured reads one event that carries its attributes.
func readStructured(body []byte) ([]submission, error) {
	if !json.Valid(body) || body[0] != '{' {
		return nil, &Problem{Code: MalformedBody, Detail: "body is not a JSON object, want one event"}
	}
	if err := checkSize(len(body)); err != nil {
		return nil, err
	}
	return []submission{parse(body)}, nil
}

// readBatch reads an array of events.
func readBatch(body []byte) ([]submission, error) {
	if !json.Valid(body) || body[0] != '[' {
		return nil, &Problem{Code: MalformedBody, Detail: "body is not a JSON array, want an array of events"}
	}
	lines, err := codecs.SplitBatch(body)
	if err != nil {
		return nil, &Problem{Code: MalformedBody, Detail: "body is an array with something else, want events alone"}
	}
	switch {
	case len(lines) == 0:
		return nil, &Problem{Code: MalformedBody, Detail: "batch is empty, want at least one event"}
	case len(lines) > maxBatch:
		return nil, tooLarge(fmt.Sprintf("batch is %d events, want at most %d", len(lines), maxBatch), maxBatch)
	}
	submitted := make([]submission, 0, len(lines))
	for _, line := range lines {
		if err := checkSize(len(line)); err != nil {
			return nil, err
		}
		submitted = append(submitted, parse(line))
	}
	return submitted, nil
}

// readBinary reads one event whose attributes are headers and whose data is the
// body (CloudEvents 1.0.2, HTTP protocol binding, 3.1).
func readBinary(body []byte, header http.Header) ([]submission, error) {
	if !json.Valid(body) {
		return nil, &Problem{Code: MalformedBody, Detail: "body is not JSON, want the event's data"}
	}
	if err := checkSize(len(body)); err != nil {
		return nil, err
	}
	attributes := make(map[string]string)
	for name, values := range header {
		if attribute, ok := strings.CutPrefix(strings.ToLower(name), "ce-"); ok {
			attributes[attribute] = values[len(values)-1] // as of repeated record headers: the last
		}
	}
	envelope, err := codecs.BinaryEnvelope(attributes, header.Get("Content-Type"), body)
	return []submission{{envelope, err}}, nil
}

func parse(line []byte) submission {
	envelope, err := codecs.ParseStructured(line)
	return submission{envelope, err}
}

func checkSize(n int) error {
	if n > codecs.MaxValueBytes {
		return tooLarge(fmt.Sprintf("event is %d bytes, want at most %d", n, codecs.MaxValueBytes), codecs.MaxValueBytes)
	}
	return nil
}

// check returns the records to send, or why events are refused. The clock
// stands in for the record timestamp that the processor will see.
func check(submitted []submission, nowMS int64, now customer.Instant) ([]codecs.Record, []EventError) {
	records := make([]codecs.Record, 0, len(submitted))
	var refused []EventError
	for i, s := range submitted {
		if err := s.check(now); err != nil {
			refused = append(refused, eventError(i, err))
			continue
		}
		records = append(records, s.envelope.Record(nowMS))
	}
	return records, refused
}

// check returns the refusal that the processor would give.
func (s submission) check(now customer.Instant) error {
	if s.err != nil {
		return s.err
	}
	event, err := s.envelope.Event()
	if err != nil {
		return err
	}
	if _, err := customer.ParseID([]byte(event.Customer)); err != nil {
		return err
	}
	return event.Check(now)
}

// eventError puts err, the refusal of event i, into the words of the API.
func eventError(i int, err error) EventError {
	refusal, ok := errors.AsType[*customer.Refusal](err)
	if !ok {
		return EventError{Index: i, Code: customer.BadData, Detail: "event cannot be read"}
	}
	return EventError{Index: i, Code: refusal.Code, Pointer: codecs.EventPointer(refusal), Detail: refusal.Detail}
}

// emit sends records and waits for their positions. The time is bounded by our
// own limit and not only by the client's patience: without it, requests would
// pile up behind a broker that is gone.
func (a *api) emit(client context.Context, records []codecs.Record) ([]billing.Position, error) {
	ctx, cancel := context.WithTimeout(client, a.EmitTimeout)
	defer cancel()
	positions, err := a.Emit(ctx, records)
	switch {
	case client.Err() != nil:
		return nil, fmt.Errorf("emit events: %w", context.Cause(client))
	case err != nil:
		a.Log.Warn("cannot emit events", "records", len(records), "err", err)
		return nil, &Problem{Code: BrokerUnavailable, Detail: "events were not acknowledged by all in-sync replicas, want to send the same request again"}
	}
	if len(positions) != len(records) {
		return nil, fmt.Errorf("emit events: number of positions is %d, want %d", len(positions), len(records))
	}
	return positions, nil
}

// accepted answers 202 with the position of each event.
func accepted(w http.ResponseWriter, submitted []submission, positions []billing.Position) error {
	body := append([]byte(`{"accepted":`), strconv.Itoa(len(submitted))...)
	body = append(body, `,"events":[`...)
	for i, s := range submitted {
		if i > 0 {
			body = append(body, ',')
		}
		body = codecs.AppendString(append(body, `{"source":`...), s.envelope.Source)
		body = codecs.AppendString(append(body, `,"id":`...), s.envelope.ID)
		body = codecs.AppendString(append(body, `,"position":`...), positionText(positions[i]))
		body = append(body, '}')
	}
	w.Header().Set("Billing-Position", join(highest(positions)))
	return respond(w, http.StatusAccepted, jsonType, append(body, ']', '}'))
}
