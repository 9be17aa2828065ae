package store_test

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"

	"billstream/internal/store"
)

// diskRows are more than the cache of 64 MiB can hold.
const diskRows = 200_000

// diskRow writes row i, of 440 bytes, into value: a part that is the row's own,
// as ids, times and amounts are, and a part that is alike in all.
func diskRow(value []byte, i, version int) []byte {
	const alike = "rpc-plan=standard;currency=EUR;country=DE;status=active;"
	value = value[:0]
	r := rand.New(rand.NewPCG(uint64(i), uint64(version)))
	for len(value) < 440 {
		value = binary.LittleEndian.AppendUint64(value, r.Uint64())
		value = binary.LittleEndian.AppendUint64(value, r.Uint64())
		value = append(value, alike[:16+r.IntN(24)]...)
	}
	return value[:440]
}

func diskKey(i int) string { return fmt.Sprintf("customer-%06d", i) }

func diskBatch(version int, pick func(j int) int) iter.Seq2[string, []byte] {
	value := make([]byte, 0, 512)
	return func(yield func(string, []byte) bool) {
		for j := range 512 {
			i := pick(j)
			if value = diskRow(value, i, version); !yield(diskKey(i), value) {
				return
			}
		}
	}
}

// eachRow reports the CPU time of n rows at a time.
func eachRow(b *testing.B, n int, f func(i int)) {
	begin, i := cpu(b), 0
	for b.Loop() {
		f(i)
		i++
	}
	b.ReportMetric(float64(cpu(b)-begin)/float64(i*n), "cpu-ns/row")
}

func filledForBench(b *testing.B) (*store.Pebble, *store.PebblePartition) {
	p, err := store.OpenPebble(b.TempDir(), pebbleOrigin, store.PebbleOptions{})
	noError(b, err)
	b.Cleanup(func() { noError(b, p.Close()) })
	part := partOf(b, p, 0)
	began := cpu(b)
	for i := 0; i < diskRows; i += 512 {
		noError(b, part.Apply(int64(i), diskBatch(0, func(j int) int { return i + j })))
	}
	noError(b, p.Flush())
	b.Logf("filled with %d ns of CPU a row", int(cpu(b)-began)/diskRows)
	return p, part
}

func BenchmarkPebble(b *testing.B) {
	p, part := filledForBench(b)
	at := int64(diskRows)
	anyRow := func(int) int { return rand.N(diskRows) }
	b.Run("update", func(b *testing.B) {
		eachRow(b, 512, func(i int) { at++; noError(b, part.Apply(at, diskBatch(int(at), anyRow))) })
	})
	b.Run("update of hot rows", func(b *testing.B) {
		hot := func(int) int { return rand.N(diskRows / 50) }
		eachRow(b, 512, func(i int) { at++; noError(b, part.Apply(at, diskBatch(int(at), hot))) })
	})
	b.Run("insert", func(b *testing.B) {
		eachRow(b, 512, func(i int) {
			at++
			noError(b, part.Apply(at, diskBatch(0, func(int) int { return rand.N(1 << 40) })))
		})
	})
	b.Run("get", func(b *testing.B) {
		eachRow(b, 1, func(int) {
			if v, err := part.Get(diskKey(rand.N(diskRows))); err != nil || len(v) != 440 {
				b.Fatal(len(v), err)
			}
		})
	})
	b.Run("get of none", func(b *testing.B) {
		eachRow(b, 1, func(int) {
			if v, err := part.Get(diskKey(rand.N(diskRows)) + "x"); err != nil || v != nil {
				b.Fatal(v, err)
			}
		})
	})
	b.Run("walk of 1000", func(b *testing.B) {
		eachRow(b, 1000, func(int) {
			n := 0
			noError(b, part.Ascend(diskKey(rand.N(diskRows)), func(string, []byte) bool { n++; return n < 1000 }))
		})
	})
	noError(b, p.Flush())
	s := p.Stats()
	b.Logf("%.1f bytes on the disk a row; %+v", float64(s.DiskBytes)/float64(part.Len()), s)
}
