package eos

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/lovoo/goka"
	"pgregory.net/rapid"
)

// slowProducer answers when it is told to.
type slowProducer struct {
	mu     sync.Mutex
	sent   []string // topic:key=value, in the order of the calls
	finish []goka.PromiseFinisher
	closed bool
}

func (p *slowProducer) Emit(topic, key string, value []byte) *goka.Promise {
	return p.EmitWithHeaders(topic, key, value, nil)
}

func (p *slowProducer) EmitWithHeaders(topic, key string, value []byte, _ goka.Headers) *goka.Promise {
	promise, finish := goka.NewPromiseWithFinisher()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, fmt.Sprintf("%s:%s=%s", topic, key, value))
	p.finish = append(p.finish, finish)
	return promise
}

func (p *slowProducer) Close() error {
	p.closed = true
	return nil
}

func (p *slowProducer) log() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sent)
}

// answer finishes the write that was sent as the n-th.
func (p *slowProducer) answer(n int, err error) {
	p.mu.Lock()
	f := p.finish[n]
	p.mu.Unlock()
	f(nil, err)
}

func ordered() (*orderedProducer, *slowProducer) {
	slow := &slowProducer{}
	return newOrderedProducer(slow, "t", func(error) {}), slow
}

func want(t *testing.T, slow *slowProducer, lines ...string) {
	t.Helper()
	synctest.Wait()
	if got := slow.log(); !slices.Equal(got, lines) {
		t.Errorf("writes are %v, want %v", got, lines)
	}
}

func TestAWriteWaitsForTheOutputBeforeIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, slow := ordered()
		p.Emit("t", "k", []byte("0"))
		want(t, slow, "t:k=0") // nothing is before it
		p.Emit("out", "k", []byte("1"))
		p.Emit("t", "k", []byte("1"))
		p.Emit("out", "k", []byte("2"))
		p.Emit("t", "k", []byte("2"))
		p.Emit("t", "k", []byte("3"))
		want(t, slow, "t:k=0", "out:k=1")
		slow.answer(0, nil) // a row's end lets nothing on
		want(t, slow, "t:k=0", "out:k=1")
		slow.answer(1, nil)
		want(t, slow, "t:k=0", "out:k=1", "t:k=1", "out:k=2")
		slow.answer(3, nil)
		want(t, slow, "t:k=0", "out:k=1", "t:k=1", "out:k=2", "t:k=2", "t:k=3")
		if p.Close(); !slow.closed {
			t.Error("inner producer is still open")
		}
	})
}

func TestNothingFollowsAnOutputThatWasNotWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("refused")
		p, slow := ordered()
		var ends []error
		emit := func(topic string) { p.Emit(topic, "k", nil).Then(func(err error) { ends = append(ends, err) }) }
		emit("out")
		emit("t")
		emit("out")
		synctest.Wait()
		slow.answer(0, refused)
		emit("out")
		emit("t")
		p.Emit("out", "another", nil)
		want(t, slow, "out:k=", "out:another=")
		if len(ends) != 5 || slices.ContainsFunc(ends, func(err error) bool { return !errors.Is(err, refused) }) {
			t.Errorf("writes ended with %v, want the refusal five times", ends)
		}
		p.Close()
	})
}

func TestAClosedProducerEndsTheRowsThatWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, slow := ordered()
		ended := make(chan error, 1)
		p.Emit("out", "k", nil)
		p.Emit("t", "k", nil).Then(func(err error) { ended <- err })
		synctest.Wait()
		p.Close()
		if err := <-ended; !errors.Is(err, errProducerClosed) {
			t.Errorf("row ended with %v, want %v", err, errProducerClosed)
		}
		slow.answer(0, nil) // a late answer must not send anything
		want(t, slow, "out:k=")
	})
}

// TestWritesKeepTheirOrder answers in any order and looks at every write that
// arrives: the rows of a key ascend, and none comes before its outputs.
func TestWritesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(r, "records")
		keys := rapid.SliceOfN(rapid.IntRange(0, 5), n, n).Draw(r, "keys")
		synctest.Test(t, func(t *testing.T) {
			p, slow := ordered()
			acked := map[string]bool{}
			done := 0
			for i, k := range keys {
				p.Emit("out", fmt.Sprint(k), fmt.Append(nil, i))
				p.Emit("t", fmt.Sprint(k), fmt.Append(nil, i)).Then(func(error) { done++ })
			}
			for seen, answered := 0, map[int]bool{}; done < n; {
				synctest.Wait()
				log := slow.log()
				for ; seen < len(log); seen++ {
					if row, ok := strings.CutPrefix(log[seen], "t:"); ok && !acked["out:"+row] {
						t.Fatalf("row %s was sent before its output was acknowledged", row)
					}
				}
				var open []int
				for i := range log {
					if !answered[i] {
						open = append(open, i)
					}
				}
				i := rapid.SampledFrom(open).Draw(r, "answer")
				answered[i], acked[log[i]] = true, true
				slow.answer(i, nil)
			}
			last := map[string]int{}
			for _, line := range slow.log() {
				var k string
				var v int
				if row, ok := strings.CutPrefix(line, "t:"); ok {
					fmt.Sscanf(row, "%1s=%d", &k, &v)
					if v < last[k] {
						t.Fatalf("row %d of %s comes after %d", v, k, last[k])
					}
					last[k] = v
				}
			}
			p.Close()
		})
	})
}
