package store_test

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"billstream/internal/store"
)

// The rows of the benchmarks: 15 bytes of key, 440 of value.
const (
	benchRows       = 249_999
	benchPartitions = 3
	benchBatch      = 4096
)

// load is stores as a process has them, and the keys of their rows.
type load struct {
	stores []*store.Arena
	keys   []string
	at     int64
	value  []byte
}

func newLoad(n, partitions int) *load {
	l := &load{value: make([]byte, 440)}
	for range partitions {
		l.stores = append(l.stores, store.NewArena())
	}
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(n) {
		l.keys = append(l.keys, fmt.Sprintf("cust-%010d", i))
	}
	return l
}

// rows yields the i-th row of each, as far as it is one of the partition's.
func (l *load) rows(i iter.Seq[int], partition int) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for i := range i {
			if i%len(l.stores) == partition && !yield(l.keys[i], l.value) {
				return
			}
		}
	}
}

func span(from, to int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := from; i < to && yield(i); i++ {
		}
	}
}

func (l *load) fill(b *testing.B) *load {
	b.Helper()
	for from := 0; from < len(l.keys); from += benchBatch * len(l.stores) {
		l.apply(b, span(from, min(from+benchBatch*len(l.stores), len(l.keys))))
	}
	return l
}

func (l *load) apply(b *testing.B, i iter.Seq[int]) {
	b.Helper()
	l.at++
	for p, s := range l.stores {
		noError(b, s.Apply(l.at, l.rows(i, p)))
	}
}

// overhead is what the stores take over the bytes of keys and values.
func (l *load) overhead() float64 {
	var size int64
	for _, s := range l.stores {
		size += s.Size().Memory
	}
	return float64(size) / float64(len(l.keys)*(15+440))
}

// cpu returns the processor time that this process has used. Others on the
// machine change it less than they change the time that passes.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	noError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// perRow reports the processor time since start per row.
func perRow(b *testing.B, start time.Duration, n int) {
	b.Helper()
	b.ReportMetric(float64(cpu(b)-start)/float64(b.N)/float64(n), "cpu-ns/row")
}

func BenchmarkArenaFill(b *testing.B) {
	l := newLoad(benchRows, benchPartitions)
	start := cpu(b)
	for b.Loop() {
		for i := range l.stores {
			l.stores[i] = store.NewArena()
		}
		l.fill(b)
	}
	perRow(b, start, benchRows)
	b.ReportMetric(l.overhead(), "overhead")
}

func BenchmarkArenaFillInOrder(b *testing.B) {
	l := newLoad(benchRows, 1)
	for i := range l.keys {
		l.keys[i] = fmt.Sprintf("cust-%010d", i)
	}
	start := cpu(b)
	for b.Loop() {
		l.stores[0] = store.NewArena()
		noError(b, l.stores[0].Apply(1, l.rows(span(0, benchRows), 0)))
	}
	perRow(b, start, benchRows)
	b.ReportMetric(l.overhead(), "overhead")
}

// BenchmarkArenaUpdate is of batches of 512 updates, each of rows at random.
func BenchmarkArenaUpdate(b *testing.B) {
	for _, skew := range []string{"uniform", "zipf"} {
		b.Run(skew, func(b *testing.B) {
			l := newLoad(benchRows, benchPartitions).fill(b)
			r := rand.New(rand.NewPCG(3, 4))
			zipf := rand.NewZipf(r, 1.1, 1, benchRows-1)
			next := func() int { return r.IntN(benchRows) }
			if skew == "zipf" {
				next = func() int { return int(zipf.Uint64()) }
			}
			batch := func() {
				l.at++
				for p, s := range l.stores {
					noError(b, s.Apply(l.at, func(yield func(string, []byte) bool) {
						for range 512 {
							i := next()
							yield(l.keys[i-i%len(l.stores)+p], l.value)
						}
					}))
				}
			}
			n := 512 * benchPartitions
			for range 3 * benchRows / n {
				batch()
			}
			b.ReportAllocs()
			start := cpu(b)
			for b.Loop() {
				batch()
			}
			perRow(b, start, n)
			b.ReportMetric(l.overhead(), "overhead")
		})
	}
}

// BenchmarkArenaGet looks rows up in an order of its own, from keys that lie one
// behind the other, so that only the store makes the processor wait.
func BenchmarkArenaGet(b *testing.B) {
	l := newLoad(benchRows, benchPartitions).fill(b)
	type wanted struct {
		key  string
		from *store.Arena
	}
	var look []wanted
	for _, n := range rand.New(rand.NewPCG(7, 8)).Perm(benchRows) {
		look = append(look, wanted{strings.Clone(l.keys[n]), l.stores[n%benchPartitions]})
	}
	b.ReportAllocs()
	start := cpu(b)
	for i := 0; b.Loop(); i++ {
		w := look[i%benchRows]
		if v, _ := w.from.Get(w.key); v == nil {
			b.Fatal("row is missing")
		}
	}
	perRow(b, start, 1)
}

func BenchmarkArenaWalk(b *testing.B) {
	l := newLoad(benchRows, 1).fill(b)
	b.ReportAllocs()
	start := cpu(b)
	for b.Loop() {
		n := 0
		l.stores[0].Ascend("", func(string, []byte) bool { n++; return true })
		if n != benchRows {
			b.Fatalf("walk meets %d rows, want %d", n, benchRows)
		}
	}
	perRow(b, start, benchRows)
}

func BenchmarkArenaWalkPage(b *testing.B) {
	l := newLoad(benchRows, 1).fill(b)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		l.stores[0].Ascend("cust-0000123456", func(string, []byte) bool { n++; return n < 100 })
	}
}

func BenchmarkArenaCollect(b *testing.B) {
	l := newLoad(benchRows, benchPartitions).fill(b)
	clear(l.keys)
	l.keys = l.keys[:0:0]
	runtime.GC()
	start := cpu(b)
	for b.Loop() {
		runtime.GC()
	}
	b.ReportMetric((cpu(b)-start).Seconds()*1000/float64(b.N), "cpu-ms/collection")
	runtime.KeepAlive(l)
}
