package store_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"billstream/internal/store"
)

// filled returns a store of n rows of about 440 B, put in at random.
func filled(b *testing.B, n int) *store.Memory {
	b.Helper()
	m := store.NewMemory()
	value := make([]byte, 440)
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(n) {
		must(b, m.Set(fmt.Sprintf("customer-%08d", i), value))
	}
	return m
}

func BenchmarkInsert(b *testing.B) {
	b.ReportAllocs()
	const n = 200_000
	for b.Loop() {
		filled(b, n)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
}

func BenchmarkGet(b *testing.B) {
	m := filled(b, 200_000)
	b.ReportAllocs()
	for b.Loop() {
		if v, _ := m.Get("customer-00012345"); v == nil {
			b.Fatal("row is missing")
		}
	}
}

func BenchmarkAscendPage(b *testing.B) {
	m := filled(b, 200_000)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		m.Ascend("customer-00100000", func(string, []byte) bool { n++; return n < 100 })
	}
}
