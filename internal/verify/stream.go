package verify

import (
	"bytes"
	"hash/maphash"
	"iter"
	"maps"
	"slices"

	"billstream/internal/topics"
)

// position is the place of a record.
type position struct {
	topic     string
	partition int32
	offset    int64
}

// kind is what sets updates and dead letters apart.
type kind interface {
	// differs returns in which field rec is not what x asks for; "" if it is.
	differs(x *expectation, rec *Record) (field string)
	// cause returns which record rec says that it comes from.
	cause(rec *Record) (position, bool)
	// The classes for a record that is due and not there, for one with other
	// contents, and for one that is not due.
	lost() Class
	wrong() Class
	foreign(w *walk, at int64) Class
}

// stream matches the records of an output partition with the input that they
// name as their cause, in one pass. What it keeps is a hash for each input
// record, and what is missing.
type stream struct {
	*walk
	topic   string
	kind    kind
	next    func() (*Record, error, bool)
	peeked  *Record
	ended   bool
	hash    maphash.Hash
	seen    []uint64               // by input offset: the hash of its record, 0 for none
	missing map[int64]*expectation // by input offset: due, and not found yet
}

func (w *walk) stream(topic string, k kind, records iter.Seq2[*Record, error]) (*stream, func()) {
	next, stop := iter.Pull2(records)
	return &stream{walk: w, topic: topic, kind: k, next: next, missing: map[int64]*expectation{}}, stop
}

// peek returns the next record without taking it, nil at the end.
func (s *stream) peek() (*Record, error) {
	for s.peeked == nil && !s.ended {
		rec, err, ok := s.next()
		switch {
		case err != nil:
			return nil, err
		case !ok:
			s.ended = true
			return nil, nil
		}
		s.report.Counts[s.topic]++
		s.peeked = rec
		if rec.Aborted {
			s.found(AbortedRead, rec, "", "record is visible, and its transaction was aborted")
		}
	}
	return s.peeked, nil
}

// expect looks for the record that x asks for.
func (s *stream) expect(x *expectation) error {
	at := x.input.Offset
	for {
		rec, err := s.peek()
		if err != nil {
			return err
		}
		if rec == nil {
			s.missing[at] = x
			return nil
		}
		field := s.kind.differs(x, rec)
		if field == "" {
			s.take(at)
			return nil
		}
		p, ok := s.kind.cause(rec)
		if ok && s.ours(p) && p.offset == at && s.sum(at) == 0 {
			s.found(s.kind.wrong(), rec, field, "record differs from what its cause leads to")
			s.take(at)
			return nil
		}
		if ok && s.ours(p) && p.offset > at && p.offset < s.cut {
			s.missing[at] = x
			return nil
		}
		s.stray(rec, p, ok)
	}
}

// finish judges what is left once the input has ended.
func (s *stream) finish() error {
	for {
		rec, err := s.peek()
		if err != nil {
			return err
		}
		if rec == nil {
			break
		}
		p, ok := s.kind.cause(rec)
		s.stray(rec, p, ok)
	}
	for _, at := range slices.Sorted(maps.Keys(s.missing)) {
		x := s.missing[at]
		s.report.anomaly(Anomaly{
			Class: s.kind.lost(), Topic: topics.CustomerEvents, Partition: s.partition, Offset: at,
			Detail: "record of the input has no record in " + s.topic, Customer: hashOf(x.input.Key),
		})
	}
	return nil
}

// stray takes a record that is not the next one due.
func (s *stream) stray(rec *Record, p position, ok bool) {
	x := s.missing[p.offset]
	switch {
	case !ok:
		s.found(s.kind.wrong(), rec, "value", "record cannot be decoded, or names no cause")
	case p.topic != topics.CustomerEvents:
		s.found(Foreign, rec, "", "cause lies in another topic")
	case p.partition != s.partition:
		s.found(WrongPartition, rec, "", "cause lies in another partition")
	case p.offset >= s.cut:
		if !s.online {
			s.found(AbortedRead, rec, "", "cause is not committed")
		}
	case x != nil:
		s.found(Reordered, rec, "", "record stands behind that of a later cause")
		if field := s.kind.differs(x, rec); field != "" {
			s.found(s.kind.wrong(), rec, field, "record differs from what its cause leads to")
		}
		delete(s.missing, p.offset)
		s.take(p.offset)
		return
	case s.sum(p.offset) == 0:
		s.found(s.kind.foreign(s.walk, p.offset), rec, "", "cause leads to no such record")
	case !s.repeats:
		s.found(Duplicate, rec, "", "cause has a record already")
	case s.sum(p.offset) != s.digest(rec):
		s.found(s.kind.wrong(), rec, "", "repeat differs from the first record")
	default:
		s.report.Counts["repeats"]++
	}
	s.peeked = nil
}

// take marks the cause at as having its record, and goes on.
func (s *stream) take(at int64) {
	for int64(len(s.seen)) <= at {
		s.seen = append(s.seen, 0)
	}
	s.seen[at] = s.digest(s.peeked)
	s.peeked = nil
}

// sum returns the hash of the record that at has; 0 for none.
func (s *stream) sum(at int64) uint64 {
	if at < 0 || at >= int64(len(s.seen)) {
		return 0
	}
	return s.seen[at]
}

func (s *stream) ours(p position) bool {
	return p.topic == topics.CustomerEvents && p.partition == s.partition
}

func (s *stream) digest(rec *Record) uint64 {
	s.hash.Reset()
	s.hash.Write(rec.Key)
	for _, h := range rec.Headers {
		s.hash.WriteByte(0)
		s.hash.WriteString(h.Key)
		s.hash.WriteByte(0)
		s.hash.Write(h.Value)
	}
	s.hash.WriteByte(0)
	s.hash.Write(rec.Value)
	return max(s.hash.Sum64(), 1)
}

// found notes an anomaly of a record.
func (s *stream) found(c Class, rec *Record, field, detail string) {
	if rec.Key != nil && c != WrongPartition && s.kind.lost() == Lost && topics.Partition(rec.Key, s.partitions) != s.partition {
		s.found(WrongPartition, rec, "", "key belongs into another partition")
	}
	if field != "" {
		detail = field + ": " + detail
	}
	s.report.anomaly(Anomaly{
		Class: c, Topic: s.topic, Partition: s.partition, Offset: rec.Offset, Field: field, Detail: detail, Customer: hashOf(rec.Key),
	})
}

// same reports whether two byte strings are the same, null apart from empty.
func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }
