package store_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"billstream/internal/store"
)

// BenchmarkMetrics is of the same operations without and with metrics: what
// they cost is the difference.
func BenchmarkMetrics(b *testing.B) {
	counted := store.NewMetrics(prometheus.NewRegistry(), "test")
	for _, c := range []struct {
		name  string
		arena *store.Arena
	}{{"without", store.NewArena()}, {"with", counted.NewArena()}} {
		value := make([]byte, 440)
		one := func(yield func(string, []byte) bool) { yield("customer", value) }
		at := int64(0)
		apply := func() { at++; noError(b, c.arena.Apply(at, one)) }
		apply()
		b.Run("get/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v, _ := c.arena.Get("customer"); v == nil {
					b.Fatal("row is missing")
				}
			}
		})
		b.Run("get at once/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if v, _ := c.arena.Get("customer"); v == nil {
						b.Error("row is missing")
					}
				}
			})
		})
		b.Run("apply one/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				apply()
			}
		})
	}
}
