package eos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
)

// StandbysConfig is what Standbys need.
type StandbysConfig struct {
	Bases    *Bases    // made with Standby
	Recovery *Recovery // of the role Standby

	Copies   int                    // wanted of each partition, besides its owner
	Strategy sarama.BalanceStrategy // the group's
	Input    string                 // the topic that the strategy assigns
	// Peers returns the group's members with what is assigned to them, and Self
	// which of them we are, "" before the first session.
	Peers func(ctx context.Context) ([]Peer, error)
	Self  func() string

	Brokers     []string
	NewConsumer goka.SaramaConsumerBuilder // follows the changelog: read committed, errors returned
	Every       time.Duration              // between two looks at the group; 0 means 5 s
	Log         *slog.Logger
}

// Standbys follow partitions that other members own, so that a takeover has
// only the tail to recover.
type Standbys struct {
	cfg     StandbysConfig
	running map[int32]*standby

	mu     sync.Mutex
	reader sarama.Consumer // of the changelog; nil until it is needed
}

// standby is a goroutine that follows a base.
type standby struct {
	stop  context.CancelFunc
	ended chan struct{}
}

// NewStandbys returns Standbys that follow nothing yet.
func NewStandbys(cfg StandbysConfig) *Standbys {
	cfg.Every = cmp.Or(cfg.Every, 5*time.Second)
	return &Standbys{cfg: cfg, running: map[int32]*standby{}}
}

// Run follows what should be followed until ctx ends. What fails is logged and
// tried again: a copy that is missing makes a takeover slower, and nothing else
// worse. The error is about the end.
func (s *Standbys) Run(ctx context.Context) error {
	s.watch(ctx)
	s.hold(ctx, nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reader == nil {
		return nil
	}
	return s.reader.Close()
}

func (s *Standbys) watch(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Every)
	defer tick.Stop()
	for {
		switch wanted, err := s.wanted(ctx); {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.cfg.Log.Warn("standbys not known, the last ones stay", "err", err)
		case wanted != nil:
			s.hold(ctx, wanted)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// wanted returns the partitions to follow, nil while the group is on the move:
// then the last answer is as good as any.
func (s *Standbys) wanted(ctx context.Context) ([]int32, error) {
	self := s.cfg.Self()
	if self == "" {
		return nil, nil
	}
	peers, err := s.cfg.Peers(ctx)
	if err != nil {
		return nil, err
	}
	partitions, assigned := s.cfg.Bases.Len(), 0
	for _, p := range peers {
		assigned += len(p.Partitions)
	}
	if assigned != int(partitions) || !slices.ContainsFunc(peers, func(p Peer) bool { return p.ID == self }) {
		return nil, nil
	}
	next, err := successors(s.cfg.Strategy, s.cfg.Input, peers, partitions)
	if err != nil {
		return nil, err
	}
	wanted := []int32{}
	for n, heirs := range next {
		if slices.Contains(heirs[:min(s.cfg.Copies, len(heirs))], self) {
			wanted = append(wanted, int32(n))
		}
	}
	return wanted, nil
}

// hold follows these partitions and no others, and lets go of the rows that
// nobody needs.
func (s *Standbys) hold(ctx context.Context, wanted []int32) {
	for n, one := range s.running {
		if slices.Contains(wanted, n) {
			continue
		}
		one.stop()
		<-one.ended
		delete(s.running, n)
		s.cfg.Bases.At(n).beFollowed(false)
		s.cfg.Recovery.forget([]int32{n})
	}
	if ctx.Err() != nil {
		return
	}
	for _, base := range s.cfg.Bases.all {
		switch {
		case !slices.Contains(wanted, base.number):
			base.release()
		case s.running[base.number] == nil:
			base.beFollowed(true)
			s.running[base.number] = s.start(ctx, base)
		}
	}
}

func (s *Standbys) start(ctx context.Context, base *Base) *standby {
	ctx, stop := context.WithCancel(ctx)
	one := &standby{stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(one.ended)
		s.follow(ctx, base)
	}()
	return one
}

// follow keeps a base up to date until ctx ends.
func (s *Standbys) follow(ctx context.Context, base *Base) {
	for {
		err := s.once(ctx, base)
		if ctx.Err() != nil || s.cfg.Recovery.Refused() != nil {
			return
		}
		s.cfg.Log.Warn("standby broke off", "table", s.cfg.Bases.cfg.Table, "partition", base.number, "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(reloadPause):
		}
	}
}

// errAstray means that the owner before us has left a base that has to be
// recovered.
var errAstray = errors.New("base was lost, want it recovered")

// astrayCheck is how often a standby without rows looks at its base.
const astrayCheck = time.Second

// once recovers a base and takes the rows that come behind it.
func (s *Standbys) once(ctx context.Context, base *Base) error {
	b := s.cfg.Bases
	if err := b.load(ctx, s.cfg.Recovery, base); err != nil {
		return err
	}
	from, err := b.next(ctx, s.cfg.Recovery, base)
	if err != nil {
		return err
	}
	rows, err := s.open(base.number, from)
	if err != nil {
		return fmt.Errorf("read %s/%d from offset %d: %w", b.cfg.Table, base.number, from, err)
	}
	defer rows.Close()
	look := time.NewTicker(astrayCheck)
	defer look.Stop()
	for !base.astray() {
		select {
		case <-ctx.Done():
			return errInterrupted
		case <-look.C:
		case err := <-rows.Errors():
			return err // nil: the reader has ended by itself
		case m, ok := <-rows.Messages():
			if !ok {
				return errors.New("reader ended, want it to go on")
			}
			if err := base.follow(m.Offset, string(m.Key), m.Value); err != nil {
				return err
			}
			base.fresh(b.cfg.Now())
		}
	}
	return errAstray
}

// open reads the changelog with a client of its own: that of the recoveries
// reads a partition only once at a time.
func (s *Standbys) open(partition int32, from int64) (sarama.PartitionConsumer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reader == nil {
		c, err := s.cfg.NewConsumer(s.cfg.Brokers, "")
		if err != nil {
			return nil, err
		}
		s.reader = c
	}
	return s.reader.ConsumePartition(s.cfg.Bases.cfg.Table, partition, from)
}

// next is the offset behind a recovered base.
func (b *Bases) next(ctx context.Context, r *Recovery, base *Base) (int64, error) {
	at, err := base.offset()
	if err != nil || at != notStored {
		return at + 1, err
	}
	return r.cfg.Start(ctx, b.cfg.Table, base.number)
}
