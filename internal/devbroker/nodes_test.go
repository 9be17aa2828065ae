package devbroker_test

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/devbroker"
)

func TestEveryNodeCanBeReachedAfterARestartToo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var want []string
	for range 2 {
		b, err := devbroker.Start(devbroker.Options{Dir: dir, Addr: "127.0.0.1:0", Nodes: 3})
		if err != nil {
			t.Fatal(err)
		}
		cl := client(t, b.Addr())
		resp, err := kmsg.NewPtrMetadataRequest().RequestWith(t.Context(), cl)
		if err != nil {
			t.Fatal(err)
		}
		for _, node := range resp.Brokers {
			if _, err := kmsg.NewPtrApiVersionsRequest().RequestWith(t.Context(), cl.Broker(int(node.NodeID))); err != nil {
				t.Errorf("node %d: %v", node.NodeID, err)
			}
		}
		cl.Close()
		if len(resp.Brokers) != 3 {
			t.Errorf("brokers are %d, want 3", len(resp.Brokers))
		}
		if want == nil {
			fill(t, b.Addr(), "t", 20)
			want = values(t, b.Addr(), "t", 20)
		} else if got := values(t, b.Addr(), "t", 20); !slices.Equal(got, want) {
			t.Errorf("values after a restart are %v, want %v", got, want)
		}
		stop(t, b)
	}
}

func TestSessionsAreAsShortAsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		least time.Duration
		want  error
	}{{0, kerr.InvalidSessionTimeout}, {500 * time.Millisecond, nil}} {
		b, err := devbroker.Start(devbroker.Options{Dir: t.TempDir(), Addr: "127.0.0.1:0", MinSession: c.least})
		if err != nil {
			t.Fatal(err)
		}
		cl := client(t, b.Addr())
		req := kmsg.NewPtrJoinGroupRequest()
		req.Group, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.ProtocolType = "g", 700, 1000, "consumer"
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name = "range"
		req.Protocols = append(req.Protocols, p)
		resp, err := req.RequestWith(t.Context(), cl)
		if err != nil {
			t.Fatal(err)
		}
		got := kerr.ErrorForCode(resp.ErrorCode)
		if c.want == nil && got == kerr.MemberIDRequired {
			got = nil // asked to come again under a name: the session is accepted
		}
		if got != c.want {
			t.Errorf("answer with a least session of %v is %v, want %v", c.least, got, c.want)
		}
		cl.Close()
		stop(t, b)
	}
}
