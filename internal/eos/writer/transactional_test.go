package writer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"billstream/internal/eos"
	"billstream/internal/eos/writer"
)

// fails checks what an error of Write means.
func fails(t *testing.T, err error, want eos.Failure, step string) {
	t.Helper()
	w, ok := errors.AsType[*eos.WriteError](err)
	if !ok {
		t.Fatalf("error is %v, want a WriteError", err)
	}
	if w.Failure != want || w.Step != step {
		t.Errorf("failure is %s at %s (%v), want %s at %s", w.Failure, w.Step, w.Err, want, step)
	}
}

func TestEpochsAppearWhole(t *testing.T) {
	w := newWorld(t)
	tx := w.transactional(w.config(nil))
	one, two := w.epoch(1), w.epoch(2)
	w.write(tx, one)
	w.write(tx, two)
	w.sees(1, 2)
	for _, e := range []*eos.Epoch{one, two} {
		for _, p := range e.Parts {
			position := string(p.Rows[1].Value)
			i := slices.IndexFunc(w.read(table, p.Partition), func(r *kgo.Record) bool { return string(r.Value) == position })
			if got := w.read(table, p.Partition)[i].Offset; p.LastRow != got {
				t.Errorf("last row of partition %d is at %d, want %d", p.Partition, p.LastRow, got)
			}
		}
		if e.Took.Offsets <= 0 || e.Took.Produce <= 0 || e.Took.End <= 0 {
			t.Errorf("phases took %+v, want each above 0", e.Took)
		}
	}
	var headers []string
	for _, h := range w.read(output, 0)[0].Headers {
		headers = append(headers, h.Key+"="+string(h.Value))
	}
	if want := []string{"h=1", "h=2"}; !slices.Equal(headers, want) {
		t.Errorf("headers are %q, want %q", headers, want)
	}
}

func TestOffsetsGoBeforeRecordsAndInVersion5(t *testing.T) {
	w := newWorld(t)
	d := newWire()
	var mu sync.Mutex
	var keys []int16
	tx := w.transactional(w.config(d))
	d.set(func() {
		d.before = func(key int16) {
			mu.Lock()
			defer mu.Unlock()
			if (key == 0 || key == 28 || key == 26) && (len(keys) == 0 || keys[len(keys)-1] != key) {
				keys = append(keys, key)
			}
		}
	})
	version := int16(-1)
	w.cluster.ControlKey(int16(kmsg.TxnOffsetCommit), func(r kmsg.Request) (kmsg.Response, error, bool) {
		version = r.GetVersion()
		return nil, nil, false
	})
	w.write(tx, w.epoch(1))
	if want := []int16{28, 0, 26}; !slices.Equal(keys, want) {
		t.Errorf("requests are %v, want %v", keys, want)
	}
	if version != 5 {
		t.Errorf("version of TxnOffsetCommit is %d, want 5", version)
	}
}

func TestSecondWriterOfAnIdentityFencesTheFirst(t *testing.T) {
	w := newWorld(t)
	old := w.transactional(w.config(nil))
	w.write(old, w.epoch(1))
	twin := w.transactional(w.config(nil))
	fails(t, old.Write(t.Context(), w.epoch(2)), eos.Aborted, "offsets") // the group still takes it for its member
	w.sees(1)
	w.write(twin, w.epoch(3))
	w.sees(1, 3)
}

// A producer epoch that is over may be a transaction that timed out while the
// process stood still, a twin's beginning, or the end of a twin that has left:
// whether the name is taken, the group knows.
func TestAnEpochThatIsOverIsATwinOnlyIfTheGroupSaysSo(t *testing.T) {
	for _, over := range []*kerr.Error{kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.InvalidProducerIDMapping} {
		for want, joins := range map[eos.Failure]bool{eos.Aborted: false, eos.Fenced: true} {
			t.Run(over.Message+" is "+string(want), func(t *testing.T) {
				w := newWorld(t)
				d := newWire()
				tx := w.transactional(w.config(d))
				if joins {
					d.set(func() { d.before = w.twinJoins() })
				}
				w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: output, Err: over})
				fails(t, tx.Write(t.Context(), w.epoch(1)), want, "produce")
				w.open(tx)
				w.sees()
			})
		}
	}
}

// twinJoins makes somebody else the member of our name when the first records
// are on their way: after the offsets, which the group has taken.
func (w *world) twinJoins() func(key int16) {
	join := sync.OnceFunc(func() { w.join(w.member.InstanceID) })
	return func(key int16) {
		if key == int16(kmsg.Produce) {
			join()
		}
	}
}

func TestOnlySomeRefusalsOfACommitSayThatNothingHappened(t *testing.T) {
	for code, want := range map[*kerr.Error]eos.Failure{
		kerr.ProducerFenced:                     eos.Unknown,
		kerr.TransactionAbortable:               eos.Aborted,
		kerr.InvalidTxnState:                    eos.Unknown,
		kerr.TransactionalIDAuthorizationFailed: eos.Unauthorized,
	} {
		t.Run(code.Message, func(t *testing.T) {
			w := newWorld(t)
			tx := w.transactional(w.config(nil))
			w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TopLevel: true, Err: code})
			fails(t, tx.Write(t.Context(), w.epoch(1)), want, "end")
			w.open(tx)
			w.sees()
		})
	}
}

func TestOpenAbortsWhatAPredecessorLeftOpen(t *testing.T) {
	w := newWorld(t)
	d := newWire()
	old := w.transactional(w.config(d))
	d.set(func() { d.cut = int16(kmsg.Produce) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := old.Write(ctx, w.epoch(1)); err == nil {
		t.Fatal("write without a network is done, want an error")
	}
	w.transactional(w.config(nil))
	w.sees()
}

func TestMemberThatIsNoneAnyMoreCommitsNothing(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*eos.Member)
		want   eos.Failure
	}{
		"older generation": {func(m *eos.Member) { m.Generation-- }, eos.Lost},
		"unknown member":   {func(m *eos.Member) { m.ID, m.InstanceID = "somebody", "" }, eos.Lost},
		"static twin":      {func(m *eos.Member) { m.ID = "somebody" }, eos.Fenced},
	} {
		t.Run(name, func(t *testing.T) {
			tx := w.transactional(w.config(nil))
			e := w.epoch(1)
			c.change(&e.Member)
			fails(t, tx.Write(t.Context(), e), c.want, "offsets")
		})
	}
	w.sees()
}

func TestRefusedRecordTakesTheEpochWithIt(t *testing.T) {
	w := newWorld(t)
	tx := w.transactional(w.config(nil))
	w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: table, Partitions: []int32{1}, Err: kerr.InvalidRecord})
	fails(t, tx.Write(t.Context(), w.epoch(1)), eos.Aborted, "produce")
	w.sees()
	w.open(tx)
	w.write(tx, w.epoch(2))
	w.sees(2)
}

func TestEveryPartitionsOffsetAnswerCounts(t *testing.T) {
	w := newWorld(t)
	for code, want := range map[*kerr.Error]eos.Failure{
		kerr.IllegalGeneration:        eos.Lost,
		kerr.RebalanceInProgress:      eos.Lost,
		kerr.FencedInstanceID:         eos.Fenced,
		kerr.GroupAuthorizationFailed: eos.Unauthorized,
		kerr.OffsetMetadataTooLarge:   eos.Aborted,
	} {
		t.Run(code.Message, func(t *testing.T) {
			tx := w.transactional(w.config(nil))
			w.cluster.ControlKey(int16(kmsg.TxnOffsetCommit), func(r kmsg.Request) (kmsg.Response, error, bool) {
				return answerTxnOffsets(r, 0, code.Code), nil, true
			})
			fails(t, tx.Write(t.Context(), w.epoch(1)), want, "offsets")
		})
	}
	w.sees()
}

// answerTxnOffsets says first of partition 0 and second of partition 1.
func answerTxnOffsets(r kmsg.Request, first, second int16) *kmsg.TxnOffsetCommitResponse {
	resp := r.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	resp.Topics = []kmsg.TxnOffsetCommitResponseTopic{{Topic: input, Partitions: []kmsg.TxnOffsetCommitResponseTopicPartition{
		{Partition: 0, ErrorCode: first}, {Partition: 1, ErrorCode: second},
	}}}
	return resp
}

func TestWaitsForTheLastTransactionsMarkers(t *testing.T) {
	w := newWorld(t)
	tx := w.transactional(w.config(nil))
	left := 5
	w.cluster.ControlKey(int16(kmsg.TxnOffsetCommit), func(r kmsg.Request) (kmsg.Response, error, bool) {
		if left--; left < 0 {
			return nil, nil, false
		}
		w.cluster.KeepControl()
		return answerTxnOffsets(r, kerr.ConcurrentTransactions.Code, kerr.ConcurrentTransactions.Code), nil, true
	})
	w.write(tx, w.epoch(1))
	w.sees(1)
}

func TestLateCopiesDoNotTearTransactions(t *testing.T) {
	w := newWorld(t)
	d := newWire()
	tx := w.transactional(w.config(d))
	w.write(tx, w.epoch(1))
	end, offsets := slices.Clone(d.frames[26]), slices.Clone(d.frames[28])
	var once sync.Once
	d.set(func() {
		d.before = func(key int16) {
			if key != int16(kmsg.Produce) {
				return
			}
			once.Do(func() {
				d.set(func() { d.frames[26], d.frames[28] = end, offsets })
				d.repeat(t, 28)
				d.repeat(t, 26)
			})
		}
	})
	w.write(tx, w.epoch(2))
	w.sees(1, 2)

	// The copy arrives in the middle of a transaction that is to fail: with
	// outputs written and the last row refused.
	end = slices.Clone(d.frames[26])
	h := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: table, Err: kerr.InvalidRecord, Count: -1})
	once = sync.Once{}
	if err := tx.Write(t.Context(), w.epoch(3)); err == nil {
		t.Error("epoch with a refused row is written, want an error")
	}
	h.Remove()
	w.sees(1, 2)
}

// The first transaction of a client is the one in which it meets the topics. Of
// thousands one was aborted and reported as written, when the end came before
// the client had kept the only topic's partitions: the more of them are tried on
// a busy machine, the surer it is to see that.
func TestAClientsFirstEpochIsWrittenWhenItSaysSo(t *testing.T) {
	w := newWorld(t)
	for n := range 30 {
		tx := w.transactional(w.config(nil))
		w.write(tx, w.idle(n+1))
		if got := w.offsets(); got[0] != int64(n+1) {
			t.Fatalf("offset is %d, want %d", got[0], n+1)
		}
		tx.Close()
	}
}

func TestIdleEpochsLeaveOffsetsStable(t *testing.T) {
	w := newWorld(t)
	tx := w.transactional(w.config(nil))
	start := time.Now()
	for n := range 100 {
		w.write(tx, w.idle(n+1))
	}
	t.Logf("one commit took %v", time.Since(start)/100)
	if got := w.offsets(); got[0] != 100 {
		t.Errorf("offset is %d, want 100", got[0])
	}
	empty := w.idle(101)
	empty.Parts[0].Rows = nil
	fails(t, tx.Write(t.Context(), empty), eos.Aborted, "begin")
	if got := w.offsets(); got[0] != 100 {
		t.Errorf("offset after a refused epoch is %d, want 100", got[0])
	}
}

func TestCommitWithoutAnAnswerIsUnknown(t *testing.T) {
	w := newWorld(t)
	d := newWire()
	c := w.config(d)
	c.CommitTimeout = time.Second
	tx := w.transactional(c)
	w.write(tx, w.epoch(1))
	d.set(func() { d.cut = int16(kmsg.EndTxn) })
	fails(t, tx.Write(t.Context(), w.epoch(2)), eos.Unknown, "end")
	d.set(func() { d.cut, d.down = -1, false })
	w.open(tx)
	w.sees(1, 2) // it was carried out: the group's offset says so
	w.write(tx, w.epoch(3))
	w.sees(1, 2, 3)
}

func TestCommitOutlivesItsCaller(t *testing.T) {
	w := newWorld(t)
	d := newWire()
	tx := w.transactional(w.config(d))
	ctx, cancel := context.WithCancel(t.Context())
	d.set(func() {
		d.before = func(key int16) {
			if key == int16(kmsg.EndTxn) {
				cancel()
			}
		}
	})
	if err := tx.Write(ctx, w.epoch(1)); err != nil {
		t.Errorf("write that was cancelled at its end: error is %v, want none", err)
	}
	w.sees(1)
}

func TestRecordThatIsTooLargeIsSentNowhere(t *testing.T) {
	w := newWorld(t)
	c := w.config(nil)
	c.Limits = map[string]int{output: 1000}
	tx := w.transactional(c)
	e := w.epoch(1)
	e.Parts[1].Outputs[1].Value = []byte(strings.Repeat("x", 2000))
	err := tx.Write(t.Context(), e)
	fails(t, err, eos.Aborted, "produce")
	if !errors.Is(err, kerr.MessageTooLarge) || strings.Contains(fmt.Sprint(err), "xxx") {
		t.Errorf("error is %v, want MESSAGE_TOO_LARGE without the value", err)
	}
	w.sees()
}

func TestWriterWithoutIdentityWritesNothing(t *testing.T) {
	w := newWorld(t)
	tx := w.transactional(w.config(nil))
	tx.Reset()
	fails(t, tx.Write(t.Context(), w.epoch(1)), eos.Aborted, "begin")
	tx.Close()
	fails(t, tx.Open(t.Context()), eos.Aborted, "open")
	w.sees()
}

func TestOpenWaitsForACoordinatorThatLoads(t *testing.T) {
	w := newWorld(t)
	w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, TopLevel: true, Err: kerr.CoordinatorLoadInProgress, Count: 3})
	tx := w.transactional(w.config(nil))
	w.write(tx, w.epoch(1))
	w.sees(1)
}

func TestOldTransactionsAreRefused(t *testing.T) {
	w := newWorld(t)
	if err := writer.CheckFeatures(t.Context(), w.config(nil)); err != nil {
		t.Errorf("features of a new broker: error is %v, want none", err)
	}
	w = newWorld(t, kfake.MaxVersions(kversion.V3_9_0()))
	err := writer.CheckFeatures(t.Context(), w.config(nil))
	refused, ok := errors.AsType[*eos.RefusedError](err)
	if !ok || !strings.Contains(refused.Hint(), "kafka-features upgrade") {
		t.Fatalf("error is %v, want a RefusedError that names kafka-features upgrade", err)
	}
	tx, err := writer.NewTransactional(w.config(nil))
	if err != nil {
		t.Fatal(err)
	}
	fails(t, tx.Open(t.Context()), eos.Unsupported, "open")
}
