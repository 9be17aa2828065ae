package processors

import (
	"encoding/binary"
	"fmt"

	"github.com/lovoo/goka"

	"billstream/codecs"
	"billstream/internal/customer"
	"billstream/internal/topics"
)

// write hands the verdict to goka and returns what to count once it is
// committed. Neither of the two outputs waits for the other here: that they
// become visible together is the write path's business, not the callback's.
func (b *Billing) write(ctx goka.Context, in incoming, v verdict) entry {
	e := entry{offset: in.at.Offset, outcome: v.outcome, kind: kindOf(v.event), timestamp: in.timestamp.Time()}
	key := ctx.Key()
	if v.update != nil {
		r := codecs.UpdateRecord(v.update, in.at.Partition, b.encoding(), !b.cfg.WithoutAccount)
		ctx.Emit(topics.BillingUpdates, key, &r)
		e.class = v.update.Class
		for i := range v.update.Changes {
			e.facets[v.update.Changes[i].Facet]++
		}
		e.updateBytes = size(&r)
	}
	if v.row != nil {
		ctx.SetValue(v.row)
		e.rowBytes = len(key) + len(v.row)
	}
	if v.refusal != nil {
		r := b.deadLetter(in, v.refusal, v.stage)
		ctx.Emit(topics.DeadLetters, key, &r)
		e.code = v.refusal.Code
		e.letterBytes = size(&r)
		b.cfg.Log.Warn("dead letter written", "topic", in.at.Topic, "partition", in.at.Partition, "offset", in.at.Offset, "code", v.refusal.Code)
	}
	return e
}

func (b *Billing) encoding() codecs.Encoding {
	if b.cfg.JSONUpdates {
		return codecs.JSON
	}
	return codecs.Protobuf
}

// deadLetter keeps the record as it came. The value is left out where it must
// not be kept: card numbers, and whatever belongs to an erased customer.
func (b *Billing) deadLetter(in incoming, r *customer.Refusal, stage string) codecs.Record {
	l := codecs.DeadLetter{
		Code: r.Code, Stage: stage, Detail: r.Text(),
		Topic: in.at.Topic, Partition: in.at.Partition, Offset: in.at.Offset,
		Timestamp: in.millis,
		Key:       in.key, Value: in.value, Headers: in.headers,
		Version: b.cfg.Version, Attempt: 1,
		Withheld: r.Code == customer.CardNumber || r.Code == customer.ErasedCustomer,
	}
	fit(&l, b.cfg.MaxLetter)
	return l.Record()
}

// letterOverhead is more than the headers of a letter and Kafka's framing take
// beside what the record brought along.
const letterOverhead = 2 << 10

// fit leaves out of a letter what its topic would not take: first the value,
// then the headers, then the key. A batch's limit holds for its compressed
// bytes where it came in, so a record may be far above that of the letters; it
// must not stop the partition.
func fit(l *codecs.DeadLetter, limit int) {
	size := func() int {
		n := letterOverhead + len(l.Key) + len(l.Value)
		for _, h := range l.Headers {
			n += len(h.Key) + len(h.Value) + 2*binary.MaxVarintLen32
		}
		return n
	}
	full := size()
	if limit == 0 || full <= limit {
		return
	}
	l.Value, l.Withheld = nil, true
	l.Detail = fmt.Sprintf("record is %d bytes with its letter, want at most %d to keep its value: %s", full, limit, l.Detail)
	if size() > limit {
		l.Headers = nil
	}
	if size() > limit {
		l.Key = nil
	}
}

func size(r *codecs.Record) int { return len(r.Key) + len(r.Value) }

// kindOf returns the label of an event's type, without its version.
func kindOf(e *customer.Event) customer.Type {
	if e == nil {
		return 0
	}
	return e.Type
}
