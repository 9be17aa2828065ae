package eos

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/cockroachdb/datadriven"
	"github.com/prometheus/client_golang/prometheus"
)

// bench is an engine without Kafka: a session of two partitions whose callbacks
// are the lines of a script.
type bench struct {
	engine  *Engine
	session *session
	commits *committer
	cancel  context.CancelCauseFunc
	out     strings.Builder
	refuse  Failure // of the next Write; "" writes
	row     int64   // offset of the next row in the changelog
}

// rows is a store that can be looked at.
type rows struct {
	values map[string][]byte
	offset int64
}

func (r *rows) Get(key string) ([]byte, error)     { return r.values[key], nil }
func (r *rows) GetOffset(def int64) (int64, error) { return max(r.offset, def), nil }
func (r *rows) Apply(at int64, all iter.Seq2[string, []byte]) error {
	for k, v := range all {
		r.values[k] = v
	}
	r.offset = at
	return nil
}

type noClaims struct {
	sarama.ConsumerGroupSession
	ctx context.Context
}

func (n noClaims) Claims() map[string][]int32 { return map[string][]int32{"in": {0, 1}} }
func (n noClaims) MemberID() string           { return "member" }
func (n noClaims) GenerationID() int32        { return 3 }
func (n noClaims) Context() context.Context   { return n.ctx }

func newBench() *bench {
	b := &bench{row: 100}
	reg := prometheus.NewRegistry()
	b.engine = New(Config{
		Group: "g", Registerer: reg, Log: slog.New(slog.DiscardHandler), Writer: b,
		Bases:       newBases(),
		PositionRow: func(m PositionMark) Row { return Row{Key: "~", Value: fmt.Append(nil, m.Next)} },
		OnCommit:    func(topic string, p int32, next int64) { fmt.Fprintf(&b.out, "  told %s/%d@%d\n", topic, p, next) },
		Now:         func() time.Time { return time.Unix(0, 1) },
	})
	b.begin()
	return b
}

// begin starts a session, as Setup does.
func (b *bench) begin() {
	ctx, cancel := context.WithCancelCause(context.Background())
	b.cancel = cancel
	b.session = newSession(b.engine, noClaims{ctx: ctx}, cancel)
	b.commits = newCommitter(b.session)
	for _, p := range b.session.parts {
		p.base = b.engine.cfg.Bases.At(p.number)
		p.base.own()
	}
}

// newBases returns bases of two partitions, open and empty.
func newBases() *Bases {
	b := NewBases(BasesConfig{Partitions: 2})
	for _, base := range b.all {
		var s Store = &rows{values: map[string][]byte{}, offset: notStored}
		base.store.Store(&s)
	}
	return b
}

// Open implements Writer.
func (b *bench) Open(context.Context) error { return nil }

// Reset implements Writer.
func (b *bench) Reset() {}

// Close implements Writer.
func (b *bench) Close() {}

// Write implements Writer: it prints the epoch.
func (b *bench) Write(_ context.Context, e *Epoch) error {
	if b.refuse != "" {
		f := b.refuse
		b.refuse = ""
		fmt.Fprintf(&b.out, "  refused: %s\n", f)
		return &WriteError{Failure: f, Step: "end", Err: context.DeadlineExceeded}
	}
	for i := range e.Parts {
		p := &e.Parts[i]
		fmt.Fprintf(&b.out, "  partition %d:", p.Partition)
		for _, m := range p.Marks {
			fmt.Fprintf(&b.out, " offset %d,", m.Next)
		}
		for _, o := range p.Outputs {
			fmt.Fprintf(&b.out, " out %s,", o.Value)
		}
		for _, r := range p.Rows {
			fmt.Fprintf(&b.out, " %s=%s", r.Key, r.Value)
			p.LastRow = b.row
			b.row++
		}
		b.out.WriteByte('\n')
	}
	return nil
}

// run does what a line says and returns what happened.
func (b *bench) run(t *testing.T, d *datadriven.TestData) string {
	b.out.Reset()
	var n int32
	d.MaybeScanArgs(t, "p", &n)
	p := b.session.parts[n]
	in := p.inputs[0]
	switch d.Cmd {
	case "event": // begin, what the callback does, and the mark unless it fails
		var offset int64
		d.ScanArgs(t, "at", &offset)
		if err := in.begin(&sarama.ConsumerMessage{Offset: offset}); err != nil {
			return err.Error() + "\n"
		}
		b.callback(p, d)
		if !d.HasArg("open") && !d.HasArg("panic") {
			in.mark(offset+1, time.UnixMilli(0))
		}
	case "mark":
		var offset int64
		d.ScanArgs(t, "at", &offset)
		in.mark(offset+1, time.UnixMilli(0))
	case "read":
		v, _ := p.get(d.CmdArgs[len(d.CmdArgs)-1].Key)
		return fmt.Sprintf("%q\n", v)
	case "commit":
		if d.HasArg("refuse") {
			d.ScanArgs(t, "refuse", (*string)(&b.refuse))
		}
		b.commits.commit()
	case "end":
		b.commits.finish()
		b.session.end()
		b.cancel(nil)
		b.begin()
	}
	for i, p := range b.session.parts {
		at, _ := p.base.offset()
		fmt.Fprintf(&b.out, "%d: staged %d, base %d", i, p.next.records, at)
		if b.session.failure.Load() != nil {
			b.out.WriteString(", failed")
		}
		b.out.WriteByte('\n')
	}
	return b.out.String()
}

// callback stages what the arguments say.
func (b *bench) callback(p *part, d *datadriven.TestData) {
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "row":
			k, v, _ := strings.Cut(a.Vals[0], ":")
			p.next.set(k, []byte(v))
		case "out":
			p.next.emit(Record{Topic: "out", Value: []byte(a.Vals[0])})
		}
	}
}

func TestTraces(t *testing.T) {
	t.Parallel()
	datadriven.Walk(t, "testdata/trace", func(t *testing.T, path string) {
		b := newBench()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return b.run(t, d) })
	})
}

// A part that was late fills its slot while the committer asks again. It must
// not seal a second time: the first buffer is being written, and a seal
// recycles the one before.
func TestAPartSealsOncePerRequest(t *testing.T) {
	t.Parallel()
	b := newBench()
	p, c := b.session.parts[0], b.commits
	in := p.inputs[0]
	record := func(offset int64, key string) {
		if err := in.begin(&sarama.ConsumerMessage{Offset: offset}); err != nil {
			t.Fatal(err)
		}
		p.next.set(key, []byte("v"))
	}
	record(0, "a")
	c.seal()                      // too late for a
	in.mark(1, time.UnixMilli(0)) // a is sealed
	record(1, "b")
	c.ask(p) // by a committer that had found the slot empty just before
	first := c.take(p)
	in.mark(2, time.UnixMilli(0)) // b, while a is being written
	record(2, "c")
	in.mark(3, time.UnixMilli(0))
	if first == nil || first.records != 1 || len(first.rows) != 1 || first.rows[0].Key != "a" {
		t.Fatalf("buffer under write is %+v, want a alone", first)
	}
	if _, rest := c.seal(); len(rest) != 1 || rest[0].records != 2 {
		t.Errorf("next round takes %d buffers, want one with b and c", len(rest))
	}
}
