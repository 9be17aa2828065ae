package doctor

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"billstream/internal/topics"
)

// Room is what is said about so many free bytes of so many.
func Room(free, total uint64) []Finding {
	f := findings{check: "disk"}
	room(&f, "DIR", free, total)
	return f.list
}

// Clock is what is said about a marker that a broker wrote so long after now.
func Clock(ctx context.Context, marker time.Duration) []Finding {
	e := &exam{samples: map[string]func() (sample, error){}}
	for _, name := range []string{topics.CustomerEvents, topics.BillingTable} {
		e.samples[name] = func() (sample, error) {
			return sample{markers: []*kgo.Record{{Timestamp: time.Now().Add(marker)}}}, nil
		}
	}
	f := findings{check: "clock"}
	clock(ctx, e, &f)
	return f.list
}
