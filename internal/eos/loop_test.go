package eos_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"billstream/internal/eos"
)

// idle is a writer that nobody gives an epoch.
type idle struct{ eos.Writer }

func (idle) Open(context.Context) error { return nil }
func (idle) Reset()                     {}

// fakeGroup is a sarama.ConsumerGroup that ends its sessions as told: one func
// per call of Consume, the last one again and again.
type fakeGroup struct {
	sarama.ConsumerGroup
	errs     chan error
	sessions []func(ctx context.Context, g *fakeGroup, h sarama.ConsumerGroupHandler) error
	calls    int
}

func (g *fakeGroup) Consume(ctx context.Context, _ []string, h sarama.ConsumerGroupHandler) error {
	f := g.sessions[min(g.calls, len(g.sessions)-1)]
	g.calls++
	return f(ctx, g, h)
}

func (g *fakeGroup) Errors() <-chan error { return g.errs }
func (g *fakeGroup) Close() error         { return nil }

// fakeSession has no claims.
type fakeSession struct {
	sarama.ConsumerGroupSession
	ctx    context.Context
	claims map[string][]int32
}

func (s fakeSession) Claims() map[string][]int32 { return s.claims }
func (s fakeSession) MemberID() string           { return "member" }
func (s fakeSession) GenerationID() int32        { return 7 }
func (s fakeSession) Context() context.Context   { return s.ctx }

// fakeHandler stands for goka's processor.
type fakeHandler struct{ setup, cleanup error }

func (h fakeHandler) Setup(sarama.ConsumerGroupSession) error   { return h.setup }
func (h fakeHandler) Cleanup(sarama.ConsumerGroupSession) error { return h.cleanup }
func (h fakeHandler) ConsumeClaim(sarama.ConsumerGroupSession, sarama.ConsumerGroupClaim) error {
	return nil
}

// session runs a whole session of the given length.
func session(length time.Duration, end error) func(context.Context, *fakeGroup, sarama.ConsumerGroupHandler) error {
	return func(ctx context.Context, _ *fakeGroup, h sarama.ConsumerGroupHandler) error {
		s := fakeSession{ctx: ctx}
		if err := h.Setup(s); err != nil {
			h.Cleanup(s)
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(length):
		}
		if err := h.Cleanup(s); err != nil {
			return err
		}
		return end
	}
}

// reporting runs a session that is over at once, as when a claim cannot start.
func reporting(err error) func(context.Context, *fakeGroup, sarama.ConsumerGroupHandler) error {
	return func(ctx context.Context, g *fakeGroup, h sarama.ConsumerGroupHandler) error {
		g.errs <- err
		return session(time.Millisecond, nil)(ctx, g, h)
	}
}

func failing(err error) func(context.Context, *fakeGroup, sarama.ConsumerGroupHandler) error {
	return func(context.Context, *fakeGroup, sarama.ConsumerGroupHandler) error { return err }
}

// consume runs the wrapper around g for at most so long.
func consume(t *testing.T, g *fakeGroup, h sarama.ConsumerGroupHandler, most time.Duration) (*eos.Engine, error) {
	t.Helper()
	g.errs = make(chan error, 8)
	reg := newRegistry()
	e := eos.New(eos.Config{
		Group: groupName, Inputs: []string{input}, Registerer: reg, Log: quiet(t), Writer: idle{},
		NewGroup: func(sarama.ConsumerInterceptor) (sarama.ConsumerGroup, error) { return g, nil },
		Recovery: eos.NewRecovery(eos.RecoveryConfig{Table: tableTopic, Role: eos.Active, Registerer: reg}),
		Bases:    eos.NewBases(eos.BasesConfig{Table: tableTopic, Partitions: 4}),
	})
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	w := e.Wrapper()
	defer w.Close()
	return e, w.Consume(ctx, []string{input}, h)
}

func TestARebalanceGoesOnAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		g := &fakeGroup{}
		var starts []time.Duration
		long := func(ctx context.Context, g *fakeGroup, h sarama.ConsumerGroupHandler) error {
			starts = append(starts, time.Since(began))
			return session(2*time.Second, nil)(ctx, g, h)
		}
		g.sessions = append(g.sessions, long)
		if _, err := consume(t, g, fakeHandler{}, 5*time.Second); err != nil {
			t.Fatalf("Consume returned %v, want nil", err)
		}
		if got, want := fmt.Sprint(starts), "[0s 2s 4s]"; got != want {
			t.Errorf("sessions began at %s, want %s", got, want)
		}
	})
}

func TestShortSessionsAndBrokerTroubleBackOff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(context.Context, *fakeGroup, sarama.ConsumerGroupHandler) error
		want string
	}{
		"short sessions":    {session(0, nil), "[0s 100ms 300ms 700ms 1.5s 3.1s 6.3s 11.3s 16.3s]"},
		"no broker":         {failing(sarama.ErrOutOfBrokers), "[0s 100ms 300ms 700ms 1.5s 3.1s 6.3s 11.3s 16.3s]"},
		"unstable offsets":  {failing(sarama.ErrUnstableOffsetCommit), "[0s 250ms 500ms 750ms 1s 1.25s 1.5s 1.75s 2s]"},
		"claim not started": {reporting(&sarama.ConsumerError{Topic: input, Err: sarama.ErrNotLeaderForPartition}), "[0s 101ms 302ms 703ms 1.504s 3.105s 6.306s 11.307s 16.308s]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var starts []time.Duration
				g := &fakeGroup{}
				g.sessions = append(g.sessions, func(ctx context.Context, g *fakeGroup, h sarama.ConsumerGroupHandler) error {
					if len(starts) < 9 {
						starts = append(starts, time.Since(began))
					}
					return c.end(ctx, g, h)
				})
				if _, err := consume(t, g, fakeHandler{}, time.Minute); err != nil {
					t.Fatalf("Consume returned %v, want nil: this has no end", err)
				}
				if got := fmt.Sprint(starts); got != c.want {
					t.Errorf("sessions began at %s, want %s", got, c.want)
				}
			})
		})
	}
}

func TestAMissingOffsetRefusesInsteadOfResetting(t *testing.T) {
	t.Parallel()
	g := &fakeGroup{}
	g.sessions = append(g.sessions, reporting(&sarama.ConsumerError{Topic: input, Partition: 3, Err: sarama.ErrOffsetOutOfRange}))
	_, err := consume(t, g, fakeHandler{}, time.Minute)
	var refused *eos.RefusedError
	if !errors.As(err, &refused) || refused.Hint() == "" {
		t.Fatalf("Consume returned %v, want a *RefusedError with a hint", err)
	}
	if want := "committed offset of events/3 is outside the topic, want a record that still exists"; err.Error() != want {
		t.Errorf("error is %q, want %q", err, want)
	}
	if g.calls != 1 {
		t.Errorf("%d sessions began, want 1", g.calls)
	}
}

func TestATakenInstanceIDEndsTheGroup(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(context.Context, *fakeGroup, sarama.ConsumerGroupHandler) error{
		"join":      failing(sarama.ErrFencedInstancedId),
		"heartbeat": reporting(sarama.ErrFencedInstancedId),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &fakeGroup{}
			g.sessions = append(g.sessions, end)
			_, err := consume(t, g, fakeHandler{}, time.Minute)
			var fenced *eos.FencedError
			if !errors.As(err, &fenced) || !errors.Is(err, sarama.ErrFencedInstancedId) || g.calls != 1 {
				t.Errorf("Consume returned %v after %d sessions, want a *FencedError after 1", err, g.calls)
			}
		})
	}
}

func TestGokasOwnErrorEndsTheGroupWithoutItsText(t *testing.T) {
	t.Parallel()
	secret := errors.New("could not commit message with key 'c-1001'")
	for name, h := range map[string]fakeHandler{"setup": {setup: secret}, "process": {cleanup: secret}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &fakeGroup{}
			g.sessions = append(g.sessions, session(0, nil))
			e, err := consume(t, g, h, time.Minute)
			var perr *eos.ProcessingError
			if !errors.As(err, &perr) || perr.Stage != name || g.calls != 1 {
				t.Fatalf("Consume returned %v after %d sessions, want a *ProcessingError of %s after 1", err, g.calls, name)
			}
			if want := name + ": goka stopped the partition"; err.Error() != want {
				t.Errorf("error is %q, want %q", err, want)
			}
			if e.Status().Running {
				t.Error("engine still says that it runs")
			}
		})
	}
}

func TestAStoppedGroupReturnsNil(t *testing.T) {
	t.Parallel()
	g := &fakeGroup{}
	g.sessions = append(g.sessions, session(time.Hour, nil))
	e, err := consume(t, g, fakeHandler{}, 20*time.Millisecond)
	if err != nil {
		t.Errorf("Consume returned %v, want nil", err)
	}
	if s := e.Status(); s.Running || s.Reason != "stopped" || s.Generation != 7 {
		t.Errorf("status is %+v, want stopped in generation 7", s)
	}
}

var _ goka.ConsumerGroupBuilder = (*eos.Engine)(nil).BuildGroup
