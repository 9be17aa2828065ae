package verify

import (
	"errors"

	"google.golang.org/protobuf/proto"

	"billstream/codecs"
	"billstream/internal/billing"
	"billstream/internal/customer"
	"billstream/internal/topics"
)

// The outcomes of a record, as the counters name them.
const (
	updated    = "updated"
	unchanged  = "unchanged"
	duplicate  = "duplicate"
	ignored    = "ignored"
	deadLetter = "dead_letter"
)

// model folds the input as the processor should have done.
type model struct {
	partitions  int32
	unknownDead bool // events of unknown type are refused
	rows        map[customer.ID]*state
}

// state is a row and a bound of its encoded size.
type state struct {
	row   *billing.Row
	bound int
}

// expectation is what a record of the input must have led to.
type expectation struct {
	input   *Record
	outcome string
	update  *billing.Update
	refusal *customer.Refusal
	stage   string // of the letter, where the code does not say it
}

// apply folds one record of a partition.
func (m *model) apply(partition int32, r *Record) (x *expectation) {
	defer func() {
		if p := recover(); p != nil {
			x = refuse(r, &customer.Refusal{Code: customer.ApplyFailed})
		}
	}()
	id, err := customer.ParseID(r.Key)
	if err != nil {
		return refuse(r, err)
	}
	if topics.Partition(r.Key, m.partitions) != partition {
		return refuse(r, &customer.Refusal{Code: customer.WrongPartition})
	}
	at := billing.Position{Topic: topics.CustomerEvents, Partition: partition, Offset: r.Offset}
	s := m.rows[id]
	var row *billing.Row
	if s != nil {
		row = s.row
	}
	if row.Replayed(at) {
		return &expectation{input: r, outcome: duplicate}
	}
	recorded := customer.Instant(r.Timestamp * 1000)
	e, err := codecs.DecodeEvent(id, r.Value, r.Headers)
	if err == nil {
		err = e.Check(recorded)
	}
	if err != nil {
		return m.undecodable(r, row, err)
	}
	res, err := billing.Apply(row, e, at, recorded)
	if err != nil {
		return refuse(r, err)
	}
	return m.keep(id, s, r, e, res)
}

func (m *model) undecodable(r *Record, row *billing.Row, err error) *expectation {
	if row != nil && row.ErasedAt != nil {
		return refuse(r, &customer.Refusal{Code: customer.ErasedCustomer})
	}
	x := refuse(r, err)
	if x.refusal.Code == customer.UnknownType && !m.unknownDead {
		return &expectation{input: r, outcome: ignored}
	}
	return x
}

// keep takes the new row, unless it is too large.
func (m *model) keep(id customer.ID, s *state, r *Record, e *customer.Event, res billing.Result) *expectation {
	x := &expectation{input: r, outcome: unchanged, update: res.Update}
	switch res.Outcome {
	case billing.Updated:
		x.outcome = updated
	case billing.Duplicate:
		x.outcome = duplicate
	}
	if res.Row == nil {
		return x
	}
	bound := growth(r, e)
	if s != nil {
		bound += s.bound
	}
	if bound > billing.MaxRowBytes {
		bound = proto.Size(rowMessage(res.Row))
	}
	if bound > billing.MaxRowBytes {
		x = refuse(r, &customer.Refusal{Code: customer.TooLarge})
		x.stage = "apply"
		return x
	}
	m.rows[id] = &state{res.Row, max(bound, 0)}
	return x
}

// growth is more than a record adds to its customer's row: what it says, and
// for each facet what a version has beside its value.
func growth(r *Record, e *customer.Event) int {
	const perVersion, perRow = 64, 128
	facets := 1
	if e.Type == customer.TypeRegistered || e.Type == customer.TypeErased {
		facets = int(billing.FacetPlan)
	}
	n := perRow + len(r.Value) + facets*(perVersion+len(e.Sequence)) + len(e.Source) + len(e.ID)
	return n
}

func refuse(r *Record, err error) *expectation {
	refusal, ok := errors.AsType[*customer.Refusal](err)
	if !ok {
		refusal = &customer.Refusal{Code: customer.ApplyFailed}
	}
	return &expectation{input: r, outcome: deadLetter, refusal: refusal}
}
